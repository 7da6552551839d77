"""Every builder against the installed SDK's annotations, both ways: nothing missing, nothing unknown, types fit."""

from typing import Any

import pytest

from accounts.sandbox import objects
from accounts.sandbox.objects import API_VERSION
from tests.sandbox.annotations import departures, shape_of

NOW = 1_800_000_000
PERIOD = (NOW, NOW + 30 * 86_400)
PRICE = objects.price(
    "price_1", created=NOW, product="prod_1", currency="eur", unit_amount=4900, lookup_key="pro_month"
)
ITEM = objects.subscription_item(
    "si_1", created=NOW, subscription="sub_1", price=PRICE, period=PERIOD, quantity=3
)
LINE = objects.invoice_line("il_1", invoice="in_1", item=ITEM, period=PERIOD)
MOVED = objects.balance_transaction(
    "txn_1", created=NOW, amount=4900, currency="eur", type="charge", source="ch_1", fee=172
)
CHARGE = objects.charge(
    "ch_1", created=NOW, amount=4900, currency="eur", customer="cus_1", payment_intent="pi_1"
)
ENTITLED = objects.active_entitlement("ent_1", feature="feat_1", lookup_key="app")
EVENT = objects.event(
    "evt_1",
    created=NOW,
    type="customer.subscription.updated",
    object=objects.subscription("sub_1", created=NOW, customer="cus_1", items=[ITEM]),
    previous_attributes={"status": "trialing"},
    account="acct_1",
    request={"id": "req_1", "idempotency_key": "key"},
)
DISPUTED: dict[str, Any] = {"created": NOW, "amount": 4900, "currency": "eur", "charge": "ch_1"}

BUILT = {
    "an account": objects.account("acct_1", created=NOW, country="DE", currency="eur", name="Shop"),
    "a balance": objects.balance(available={"eur": 1}, pending={"eur": 2}),
    "a customer": objects.customer(
        "cus_1", created=NOW, name="Ada 1", email="ada@example.com", currency="eur"
    ),
    "a payment method": objects.payment_method("pm_1", created=NOW, customer="cus_1"),
    "a product": objects.product("prod_1", created=NOW, name="Pro"),
    "a price": PRICE,
    "a metered price": objects.price(
        "price_2", created=NOW, product="prod_1", currency="eur", unit_amount=1, meter="mtr_1"
    ),
    "a one-time price": objects.price(
        "price_3", created=NOW, product="prod_1", currency="jpy", unit_amount=900, interval=None
    ),
    "a plan": objects.plan_of(PRICE),
    "a coupon": objects.coupon("SAVE", created=NOW, percent_off=20.0, duration="forever"),
    "a discount": objects.discount("di_1", coupon="SAVE", customer="cus_1", subscription="sub_1", start=NOW),
    "a subscription item": ITEM,
    "a subscription": objects.subscription("sub_1", created=NOW, customer="cus_1", items=[ITEM]),
    "a paused subscription": objects.subscription(
        "sub_1",
        created=NOW,
        customer="cus_1",
        items=[ITEM],
        status="paused",
        status_details=objects.paused_details(NOW),
        pause_collection={"behavior": "void", "resumes_at": None},
    ),
    "an invoice": objects.invoice(
        "in_1", created=NOW, customer="cus_1", currency="eur", lines=[LINE], subscription="sub_1"
    ),
    "an uncollectible invoice": objects.invoice(
        "in_1",
        created=NOW,
        customer="cus_1",
        currency="eur",
        lines=[LINE],
        status="uncollectible",
        status_details={"uncollectible": {"reason": "max_payment_attempts"}},
    ),
    "an invoice with its payments": objects.invoice(
        "in_1", created=NOW, customer="cus_1", currency="eur", lines=[LINE]
    )
    | {
        "payments": {
            "object": "list",
            "data": [
                objects.invoice_payment(
                    "inpay_1", created=NOW, invoice="in_1", payment_intent="pi_1", amount=1, currency="eur"
                )
            ],
        }
    },
    "an invoice line": LINE,
    "an invoice payment": objects.invoice_payment(
        "inpay_1", created=NOW, invoice="in_1", payment_intent="pi_1", amount=1, currency="eur", status="open"
    ),
    "a credit note": objects.credit_note(
        "cn_1",
        created=NOW,
        customer="cus_1",
        invoice="in_1",
        amount=100,
        currency="eur",
        lines=[objects.credit_note_line("cnli_1", amount=100, invoice_line="il_1")],
        refunds=[{"amount_refunded": 100, "payment_record_refund": None, "refund": "re_1", "type": "refund"}],
    ),
    "a payment intent": objects.payment_intent(
        "pi_1", created=NOW, amount=4900, currency="eur", customer="cus_1", latest_charge="ch_1"
    ),
    "a declined payment intent": objects.payment_intent(
        "pi_1",
        created=NOW,
        amount=4900,
        currency="eur",
        status="requires_payment_method",
        last_payment_error=objects.payment_error(
            code="card_declined",
            decline_code="insufficient_funds",
            advice_code="try_again_later",
            charge="ch_1",
        ),
    ),
    "a charge": CHARGE,
    "a blocked charge": objects.charge(
        "ch_2",
        created=NOW,
        amount=4900,
        currency="eur",
        status="failed",
        outcome=objects.outcome(type="blocked", reason="highest_risk_level", risk_level="highest"),
    ),
    "a refund": objects.refund(
        "re_1", created=NOW, amount=100, currency="eur", charge="ch_1", payment_intent="pi_1"
    ),
    "a pending refund": objects.refund(
        "re_1", created=NOW, amount=100, currency="eur", charge="ch_1", status="pending"
    ),
    "a dispute": objects.dispute("dp_1", due_by=NOW, balance_transactions=[MOVED], **DISPUTED),
    "an inquiry": objects.dispute("dp_2", status="warning_needs_response", due_by=None, **DISPUTED),
    "an early fraud warning": objects.early_fraud_warning("issfr_1", created=NOW, charge="ch_1"),
    "a review": objects.review("prv_1", created=NOW, charge="ch_1", payment_intent="pi_1"),
    "a closed review": objects.review("prv_1", created=NOW, charge="ch_1", closed_reason="approved"),
    "a payout": objects.payout("po_1", created=NOW, amount=900, currency="eur", balance_transaction="txn_2"),
    "a balance transaction": MOVED,
    "a feature": objects.feature("feat_1", name="App", lookup_key="app"),
    "an active entitlement": ENTITLED,
    "an entitlement summary": objects.active_entitlement_summary("cus_1", [ENTITLED] * 12),
    "a payment link": objects.payment_link("plink_1", currency="eur"),
    "an event": EVENT,
    "a webhook endpoint": objects.webhook_endpoint(
        "we_1", created=NOW, url="https://example.com/hook", enabled_events=["*"]
    ),
    "a file": objects.file(
        "file_1", created=NOW, purpose="dispute_evidence", size=9, filename="a.pdf", type="pdf"
    ),
}


@pytest.mark.parametrize("name", BUILT)
def test_every_object_has_the_shape_that_the_sdk_annotates(name: str) -> None:
    assert departures(BUILT[name]) == []


@pytest.mark.parametrize("status", ["needs_response", "appeal_under_review", "prevented", "lost", "won"])
def test_every_dispute_status_is_one_that_the_sdk_knows(status: str) -> None:
    assert departures(objects.dispute("dp_1", status=status, due_by=0, **DISPUTED)) == []


def test_a_thin_event_points_at_its_object_and_at_its_snapshot_twin() -> None:
    thin = objects.thin_event(EVENT)
    related = thin.pop("related_object")
    assert departures(thin) == []
    assert related == {"id": "sub_1", "type": "subscription", "url": "/v1/subscriptions/sub_1"}
    assert thin["snapshot_event"] == "evt_1"
    assert thin["type"] == "v1.customer.subscription.updated"
    assert thin["created"] == "2027-01-15T08:00:00.000Z"


def test_a_thin_notification_says_neither_what_changed_nor_which_snapshot() -> None:
    notified = objects.notification(objects.thin_event(EVENT))
    assert notified.keys().isdisjoint({"changes", "snapshot_event", "data"})
    assert notified["related_object"]["id"] == "sub_1"


def test_a_field_that_an_object_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="charge has no invoice"):
        objects.charge("ch_1", created=NOW, amount=1, currency="eur", invoice="in_1")


def test_the_comparison_itself_sees_what_is_missing_unknown_or_of_another_type() -> None:
    broken = CHARGE | {"amount": "4900", "invoice": "in_1", "status": "done"}
    del broken["paid"]
    assert sorted(departures(broken)) == [
        "charge.amount is '4900', not int",
        "charge.invoice is unknown",
        "charge.paid is missing",
        "charge.status is 'done', which the SDK does not know",
    ]
    nested = BUILT["a subscription"] | {"items": {"object": "list", "data": [ITEM | {"quantity": True}]}}
    assert departures(nested) == ["subscription.items.data[0].quantity is True, not int"]


def test_the_pinned_version_is_the_one_the_sdk_speaks() -> None:
    import stripe

    assert stripe.api_version == API_VERSION
    assert "intended_submission_method" in shape_of("dispute").fields
