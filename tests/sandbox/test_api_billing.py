"""Invoices, subscriptions, credit notes, payments, payouts and customers: what may be done, and what it changes."""

from collections.abc import Iterator
from io import BytesIO

import pytest
import stripe

from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from tests.sandbox.shop import Shop, open_shop


@pytest.fixture
def own() -> Iterator[Shop]:
    """A shop whose clock may be moved."""
    with Sandbox.start(accounts=0) as sandbox:
        yield open_shop(sandbox)


def code(raised: pytest.ExceptionInfo[stripe.StripeError]) -> str | None:
    return raised.value.error.code if raised.value.error else None


class TestInvoices:
    def test_a_paid_invoice_books_the_money_and_lets_the_subscription_recover(self, shop: Shop) -> None:
        shop.change("subscription", "sub_1", status="past_due")
        client = shop.client()
        client.v1.invoices.void_invoice("in_refused")
        paid = client.v1.invoices.pay("in_open")
        assert (paid.status, paid.amount_remaining, paid.amount_paid) == ("paid", 0, 4900)
        payment = client.v1.invoice_payments.list({"invoice": "in_open"}).data[0]
        intent = shop.look("payment_intent", str(payment.payment.payment_intent))
        charge = shop.look("charge", intent["latest_charge"])
        assert shop.look("balance_transaction", charge["balance_transaction"])["amount"] == 4900
        assert shop.look("subscription", "sub_1")["status"] == "active"
        assert {"invoice.paid", "charge.succeeded", "invoice_payment.paid"} <= set(shop.events())
        assert shop.events()[-1] == "customer.subscription.updated"

    def test_a_subscription_does_not_recover_while_another_invoice_is_open(self, shop: Shop) -> None:
        shop.change("subscription", "sub_1", status="past_due")
        shop.client().v1.invoices.pay("in_open")
        assert shop.look("subscription", "sub_1")["status"] == "past_due"

    def test_a_lost_card_declines_again_and_another_card_pays(self, shop: Shop) -> None:
        client = shop.client()
        with pytest.raises(stripe.CardError) as raised:
            client.v1.invoices.pay("in_refused")
        assert raised.value.error is not None
        assert raised.value.error.decline_code == "lost_card"
        assert shop.look("invoice", "in_refused")["status"] == "open"
        assert shop.events()[-1] == "invoice.payment_failed"
        assert client.v1.invoices.pay("in_refused", {"payment_method": "pm_2"}).status == "paid"

    def test_insufficient_funds_may_be_gone_at_the_next_attempt(self, shop: Shop) -> None:
        error = objects.payment_error(code="card_declined", decline_code="insufficient_funds")
        shop.change("payment_intent", "pi_4", last_payment_error=error)
        assert shop.client().v1.invoices.pay("in_refused").status == "paid"

    def test_what_was_paid_elsewhere_charges_nothing(self, shop: Shop) -> None:
        before = shop.count("charge")
        assert shop.client().v1.invoices.pay("in_open", {"paid_out_of_band": True}).status == "paid"
        assert shop.count("charge") == before

    @pytest.mark.parametrize(
        ("verb", "invoice"),
        [
            ("pay", "in_paid"),
            ("void", "in_paid"),
            ("finalize", "in_open"),
            ("send", "in_paid"),
            ("void", "in_draft"),
        ],
    )
    def test_a_verb_that_does_not_fit_the_status_is_refused(
        self, verb: str, invoice: str, shop: Shop
    ) -> None:
        before = shop.look("invoice", invoice)
        assert shop.post(f"/v1/invoices/{invoice}/{verb}").status_code == 400
        assert shop.look("invoice", invoice) == before

    def test_an_uncollectible_invoice_says_why_and_can_still_be_voided(self, shop: Shop) -> None:
        client = shop.client()
        given_up = client.v1.invoices.mark_uncollectible("in_open")
        assert given_up.status == "uncollectible"
        assert shop.look("invoice", "in_open")["status_transitions"]["marked_uncollectible_at"] == shop.now()
        assert client.v1.invoices.void_invoice("in_open").status == "void"


class TestSubscriptions:
    def test_a_canceled_one_is_over_and_its_invoices_are_no_longer_collected(self, shop: Shop) -> None:
        client = shop.client()
        canceled = client.v1.subscriptions.cancel("sub_1", {"cancellation_details": {"feedback": "unused"}})
        assert canceled.status == "canceled"
        assert canceled.cancellation_details is not None
        assert canceled.cancellation_details.feedback == "unused"
        assert shop.look("invoice", "in_open")["next_payment_attempt"] is None
        assert shop.count("entitlements.active_entitlement") == 1
        with pytest.raises(stripe.InvalidRequestError) as raised:
            client.v1.subscriptions.cancel("sub_1")
        assert code(raised) == "resource_missing"

    def test_entitlements_end_with_the_last_subscription(self, shop: Shop) -> None:
        client = shop.client()
        client.v1.subscriptions.cancel("sub_1")
        client.v1.subscriptions.cancel("sub_paused")
        assert shop.count("entitlements.active_entitlement") == 0
        assert shop.events()[-1] == "entitlements.active_entitlement_summary.updated"

    def test_one_that_is_to_end_at_the_period_ends_then(self, own: Shop) -> None:
        own.client().v1.subscriptions.update("sub_1", {"cancel_at_period_end": True})
        own.sandbox.advance("19d")
        assert own.look("subscription", "sub_1")["status"] == "active"
        own.sandbox.advance("25h")
        assert own.look("subscription", "sub_1")["status"] == "canceled"
        assert "customer.subscription.deleted" in own.events()

    def test_one_that_was_kept_after_all_does_not_end(self, own: Shop) -> None:
        client = own.client()
        client.v1.subscriptions.update("sub_1", {"cancel_at_period_end": True})
        kept = client.v1.subscriptions.update("sub_1", {"cancel_at_period_end": False})
        assert (kept.cancel_at, kept.canceled_at) == (None, None)
        own.sandbox.advance("30d")
        assert own.look("subscription", "sub_1")["status"] == "active"

    def test_to_pause_collection_changes_no_status(self, shop: Shop) -> None:
        client = shop.client()
        paused = client.v1.subscriptions.update("sub_1", {"pause_collection": {"behavior": "void"}})
        assert paused.status == "active"
        assert paused.pause_collection is not None
        assert paused.pause_collection.behavior == "void"
        assert client.v1.subscriptions.update("sub_1", {"pause_collection": ""}).pause_collection is None

    def test_to_pause_changes_the_status_and_needs_flexible_billing(self, shop: Shop) -> None:
        paused = shop.post("/v1/subscriptions/sub_1/pause").json()
        assert paused["status"] == "paused"
        assert paused["status_details"]["paused"]["subscription"]["type"] == "pause_requested"
        assert shop.post("/v1/subscriptions/sub_1/pause").status_code == 400
        assert shop.post("/v1/subscriptions/sub_1/resume").json()["status"] == "active"
        assert shop.post("/v1/subscriptions/sub_1/resume").status_code == 400
        shop.change("subscription", "sub_1", billing_mode={"flexible": None, "type": "classic"})
        assert "flexible" in shop.post("/v1/subscriptions/sub_1/pause").text

    def test_items_are_changed_added_and_removed(self, shop: Shop) -> None:
        client = shop.client()
        changed = client.v1.subscriptions.update(
            "sub_1", {"items": [{"id": "si_sub_1", "quantity": 5, "price": "price_2"}, {"price": "price_1"}]}
        )
        items = {each.price.id: each.quantity for each in changed["items"].data}
        assert items == {"price_2": 5, "price_1": 1}
        client.v1.subscriptions.update("sub_1", {"items": [{"id": "si_sub_1", "deleted": True}]})
        assert [each["price"]["id"] for each in shop.look("subscription", "sub_1")["items"]["data"]] == [
            "price_1"
        ]
        assert [each.id for each in client.v1.subscriptions.list({"price": "price_2"}).data] == []
        event = shop.get("/v1/events?type=customer.subscription.updated&limit=1").json()["data"][0]
        assert "items" in event["data"]["previous_attributes"]

    def test_a_canceled_one_can_hardly_be_changed(self, shop: Shop) -> None:
        assert shop.post("/v1/subscriptions/sub_canceled", "cancel_at_period_end=true").status_code == 400
        assert shop.post("/v1/subscriptions/sub_canceled", "metadata[a]=b").status_code == 200


class TestCreditNotes:
    def test_what_is_still_owed_is_reduced_first(self, shop: Shop) -> None:
        note = shop.client().v1.credit_notes.create(
            {"invoice": "in_open", "amount": 900, "reason": "order_change"}
        )
        assert (note.type, note.pre_payment_amount) == ("pre_payment", 900)
        invoice = shop.look("invoice", "in_open")
        assert (invoice["status"], invoice["amount_remaining"]) == ("open", 4000)
        shop.client().v1.credit_notes.void_credit_note(note.id)
        assert shop.look("invoice", "in_open")["amount_remaining"] == 4900

    def test_an_invoice_that_is_credited_whole_is_settled(self, shop: Shop) -> None:
        shop.client().v1.credit_notes.create({"invoice": "in_open", "amount": 4900})
        assert shop.look("invoice", "in_open")["status"] == "paid"

    def test_what_was_paid_comes_back_as_a_refund(self, shop: Shop) -> None:
        note = shop.client().v1.credit_notes.create(
            {"invoice": "in_paid", "amount": 500, "refund_amount": 500}
        )
        refund = note.refunds[0].refund
        assert shop.look("refund", str(refund))["amount"] == 500
        assert shop.look("charge", "ch_1")["amount_refunded"] == 500
        assert shop.look("invoice", "in_paid")["post_payment_credit_notes_amount"] == 500

    @pytest.mark.parametrize(
        "form",
        [
            "invoice=in_paid&amount=500",
            "invoice=in_paid&amount=500&refund_amount=400",
            "invoice=in_paid&amount=999999&out_of_band_amount=999999",
            "invoice=in_draft&amount=5",
            "invoice=in_open",
        ],
    )
    def test_a_sum_that_does_not_fit_is_refused(self, form: str, shop: Shop) -> None:
        before = shop.count("credit_note")
        assert shop.post("/v1/credit_notes", form).status_code == 400
        assert shop.count("credit_note") == before


class TestPayments:
    def test_an_authorized_payment_is_captured_once_and_not_beyond(self, shop: Shop) -> None:
        client = shop.client()
        with pytest.raises(stripe.InvalidRequestError) as raised:
            client.v1.payment_intents.capture("pi_3", {"amount_to_capture": 5000})
        assert code(raised) == "amount_too_large"
        assert client.v1.payment_intents.capture("pi_3").amount_received == 4900
        assert shop.look("charge", "ch_3")["captured"] is True
        with pytest.raises(stripe.InvalidRequestError) as raised:
            client.v1.payment_intents.capture("pi_3")
        assert code(raised) == "payment_intent_unexpected_state"

    def test_a_payment_that_went_through_cannot_be_canceled(self, shop: Shop) -> None:
        assert shop.post("/v1/payment_intents/pi_1/cancel").status_code == 400
        assert shop.post("/v1/payment_intents/pi_3/cancel").json()["status"] == "canceled"


class TestPayouts:
    def test_a_payout_leaves_the_balance_and_arrives(self, own: Shop) -> None:
        client = own.client()
        before = client.v1.balance.retrieve().available[0].amount
        made = client.v1.payouts.create({"amount": 1000, "currency": "usd"})
        assert (made.status, made.automatic) == ("pending", False)
        assert client.v1.balance.retrieve().available[0].amount == before - 1000
        own.sandbox.advance("3d")
        assert own.look("payout", made.id)["status"] == "paid"
        assert "payout.paid" in own.events()

    def test_a_canceled_payout_brings_the_money_back_and_never_arrives(self, own: Shop) -> None:
        client = own.client()
        made = client.v1.payouts.create({"amount": 1000, "currency": "usd"})
        assert client.v1.payouts.cancel(made.id).status == "canceled"
        own.sandbox.advance("3d")
        assert own.look("payout", made.id)["status"] == "canceled"
        assert own.post(f"/v1/payouts/{made.id}/cancel").status_code == 400

    def test_more_than_there_is_cannot_be_paid_out(self, shop: Shop) -> None:
        answered = shop.post("/v1/payouts", "amount=1000000&currency=usd")
        assert answered.json()["error"]["code"] == "balance_insufficient"

    def test_money_that_is_not_available_yet_is_shown_apart(self, own: Shop) -> None:
        client = own.client()
        client.v1.invoices.pay("in_open")
        before = client.v1.balance.retrieve()
        assert before.pending[0].amount == 4900 - 172
        own.sandbox.advance("3d")
        assert own.client().v1.balance.retrieve().pending[0].amount == 0


def test_deleting_a_customer_cancels_what_it_subscribes_to(shop: Shop) -> None:
    deleted = shop.client().v1.customers.delete("cus_1")
    assert deleted.deleted is True
    assert shop.look("subscription", "sub_1")["status"] == "canceled"
    assert shop.events()[-1] == "customer.deleted"
    assert shop.post("/v1/customers/cus_1", "name=x").status_code == 404


def test_metadata_is_merged_removed_and_limited(shop: Shop) -> None:
    def update(form: str) -> int:
        return shop.post("/v1/customers/cus_1", form).status_code

    assert update("metadata[a]=1&metadata[b]=2") == 200
    assert update("metadata[a]=&metadata[c]=3") == 200
    assert shop.look("customer", "cus_1")["metadata"] == {"b": "2", "c": "3"}
    assert update(f"metadata[{'k' * 41}]=1") == 400
    assert update(f"metadata[k]={'v' * 501}") == 400
    assert update("&".join(f"metadata[k{each}]=1" for each in range(51))) == 400
    assert update("metadata=") == 200
    assert shop.look("customer", "cus_1")["metadata"] == {}


def test_a_webhook_secret_is_told_once(shop: Shop) -> None:
    client = shop.client()
    made = client.v1.webhook_endpoints.create({"url": "https://example.com/x", "enabled_events": ["*"]})
    assert str(made.secret).startswith("whsec_")
    again = client.v1.webhook_endpoints.retrieve(made.id)
    assert "secret" not in again
    assert shop.look("webhook_endpoint", made.id)["_secret"] == made.secret


def test_a_lookup_key_names_one_price(shop: Shop) -> None:
    form = "currency=usd&unit_amount=5&product=prod_1&lookup_key=pro_month"
    assert shop.post("/v1/prices", form).status_code == 400
    moved = shop.post("/v1/prices", f"{form}&transfer_lookup_key=true").json()
    assert moved["lookup_key"] == "pro_month"
    assert shop.look("price", "price_1")["lookup_key"] is None


def test_evidence_that_is_no_document_or_too_large_is_refused(shop: Shop) -> None:
    def upload(name: str, content: bytes) -> int:
        file = BytesIO(content)
        file.name = name
        try:
            shop.client().v1.files.create({"purpose": "dispute_evidence", "file": file})
        except stripe.InvalidRequestError as refusal:
            return refusal.http_status or 0
        return 200

    assert upload("a.exe", b"MZ") == 400
    assert upload("a.pdf", b"x" * (5 * 1024 * 1024 + 1)) == 400
    assert upload("a.pdf", b"%PDF") == 200


def test_a_review_is_approved_once(shop: Shop) -> None:
    approved = shop.client().v1.reviews.approve("prv_1")
    assert (approved.open, approved.closed_reason) == (False, "approved")
    assert shop.events()[-1] == "review.closed"
    assert shop.post("/v1/reviews/prv_1/approve").status_code == 400


def test_a_payment_link_has_its_lines(shop: Shop) -> None:
    client = shop.client()
    made = client.v1.payment_links.create({"line_items": [{"price": "price_1", "quantity": 2}]})
    assert [each.quantity for each in client.v1.payment_links.line_items.list(made.id).data] == [2]
    assert shop.post("/v1/payment_links", "").status_code == 400
