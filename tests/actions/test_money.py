"""Captures, credit notes, invoices and payouts: the right amount in the right currency, or nothing."""

from datetime import timedelta

import pytest

from accounts.errors import Refused, Uncertain
from accounts.money import Money
from accounts.sandbox import objects
from daemon.actions import capture, credit_note
from daemon.actions.invoices import INVOICE_PAY, INVOICE_SEND, INVOICE_UNCOLLECTIBLE, INVOICE_VOID
from daemon.actions.payouts import PAYOUT_CANCEL, PAYOUT_CREATE
from daemon.actions.shape import BadDetails, Done, Trace
from daemon.core.canonical import Json
from tests.actions.rig import Rig

CAPTURE: dict[str, Json] = {"payment_intent": "pi_3", "amount": 4000}
NOTE: dict[str, Json] = {"invoice": "in_open", "amount": 900, "reason": None}


def test_a_capture_without_a_currency_takes_the_payments_own(rig: Rig) -> None:
    asked, _ = rig.ask(capture, CAPTURE)
    assert asked.details == {**CAPTURE, "currency": "usd"}
    assert asked.money == Money(4000, "usd")


def test_a_capture_in_another_currency_is_refused(rig: Rig) -> None:
    assert "authorized in USD" in rig.refusal(capture, {**CAPTURE, "currency": "EUR"})


def test_a_capture_in_a_currency_without_cents_counts_whole_units(rig: Rig) -> None:
    rig.shop.change("payment_intent", "pi_3", currency="jpy")
    asked, _ = rig.ask(capture, CAPTURE)
    assert "Capture 4,000 JPY of pi_3" in capture.describe(asked, rig.place)
    rig.act(capture, CAPTURE)
    assert rig.shop.look("payment_intent", "pi_3")["amount_received"] == 4000


def test_more_than_was_authorized_is_not_captured(rig: Rig) -> None:
    """Trap E15: an amount above what can be taken."""
    assert "only 49.00 USD can be captured" in rig.refusal(capture, {**CAPTURE, "amount": 490_000})


def test_an_amount_that_nobody_can_pay_is_refused(rig: Rig) -> None:
    with pytest.raises(BadDetails, match="multiples of 10"):
        capture.read({**CAPTURE, "amount": 4001, "currency": "kwd"}, rig.place)


def test_a_payment_that_was_captured_by_others_is_not_taken_for_ours(rig: Rig) -> None:
    asked, sent = rig.sent(capture, CAPTURE)
    rig.shop.client().v1.payment_intents.capture("pi_3")
    assert rig.verify(capture, asked, sent) is Trace.ABSENT
    assert "nothing to capture" in rig.refusal(capture, CAPTURE)


def test_a_capture_is_not_done_again_under_another_key(rig: Rig) -> None:
    first = rig.act(capture, CAPTURE, key="k1")
    asked, request = (
        capture.read({**CAPTURE, "currency": "usd"}, rig.place),
        {"metadata": {"reconciled_proposal": "prp_1"}},
    )
    again = capture.execute(rig.hands(), asked, request, key="k2")
    assert (again.object_id, again.replayed) == (first.object_id, True)


def test_a_payment_and_its_charge_are_one_target(rig: Rig) -> None:
    _, seen = rig.ask(capture, CAPTURE)
    assert seen.target == ("charge", "ch_3")


def test_a_credit_note_on_an_open_invoice_lowers_what_is_owed(rig: Rig) -> None:
    owed = rig.shop.look("invoice", "in_open")["amount_remaining"]
    rig.act(credit_note, NOTE)
    assert rig.shop.look("invoice", "in_open")["amount_remaining"] == owed - 900
    assert rig.shop.look("refund", "re_1")["status"] == "requires_action", "no money moved"


def test_what_was_paid_already_goes_to_the_customers_balance_and_not_to_the_bank(rig: Rig) -> None:
    refunds = rig.shop.count("refund")
    done = rig.act(credit_note, {"invoice": "in_paid", "amount": 900})
    note = rig.shop.look("credit_note", done.object_id)
    assert (note["post_payment_amount"], note["refunds"]) == (900, [])
    assert rig.shop.count("refund") == refunds


def test_a_credit_note_in_another_currency_or_beyond_the_invoice_is_refused(rig: Rig) -> None:
    assert "is in USD" in rig.refusal(credit_note, {**NOTE, "currency": "eur"})
    assert "can still be credited" in rig.refusal(credit_note, {**NOTE, "amount": 10_000_000})
    rig.shop.change("invoice", "in_open", status="void")
    assert "only open and paid" in rig.refusal(credit_note, NOTE)


def test_a_credit_note_writes_to_nobody_and_is_made_once(rig: Rig) -> None:
    asked, seen = rig.ask(credit_note, NOTE)
    request = credit_note.request(asked, seen, "p1")
    assert request["email_type"] == "none"
    first = credit_note.execute(rig.hands(), asked, request, key="k1")
    assert credit_note.execute(rig.hands(), asked, request, key="k2").object_id == first.object_id
    assert rig.shop.count("credit_note") == 2


@pytest.mark.parametrize(
    "action", [INVOICE_PAY, INVOICE_SEND, INVOICE_VOID, INVOICE_UNCOLLECTIBLE], ids=lambda a: a.name
)
@pytest.mark.parametrize("invoice", ["in_paid", "in_draft"])
def test_an_invoice_that_is_over_or_not_yet_one_is_left_alone(action: object, invoice: str, rig: Rig) -> None:
    assert invoice in rig.refusal(action, {"invoice": invoice})  # type: ignore[arg-type]


def test_an_invoice_without_any_payment_method_is_not_tried(rig: Rig) -> None:
    rig.shop.change("invoice", "in_open", default_payment_method=None)
    rig.shop.change("subscription", "sub_1", default_payment_method=None)
    assert "no payment method" in rig.refusal(INVOICE_PAY, {"invoice": "in_open"})
    settings = rig.shop.look("customer", "cus_1")["invoice_settings"] | {"default_payment_method": "pm_2"}
    rig.shop.change("customer", "cus_1", invoice_settings=settings)
    rig.act(INVOICE_PAY, {"invoice": "in_open"})
    assert rig.shop.look("invoice", "in_open")["status"] == "paid"


def test_a_declined_payment_is_refused_and_not_tried_again_under_its_key(rig: Rig) -> None:
    for _ in range(2):
        with pytest.raises(Refused) as raised:
            rig.act(INVOICE_PAY, {"invoice": "in_refused"})
        assert raised.value.code == "lost_card"
    assert rig.shop.events().count("invoice.payment_failed") == 1


def test_a_payment_that_is_under_way_is_neither_done_nor_absent(rig: Rig) -> None:
    asked, sent = rig.sent(INVOICE_PAY, {"invoice": "in_refused"})
    assert rig.verify(INVOICE_PAY, asked, sent) is Trace.ABSENT
    rig.shop.change("payment_intent", "pi_4", status="processing")
    assert rig.verify(INVOICE_PAY, asked, sent) is Trace.UNSURE


def test_that_an_invoice_was_sent_is_seen_in_the_events_after_a_while(rig: Rig) -> None:
    asked, sent = rig.sent(INVOICE_SEND, {"invoice": "in_open"})
    assert rig.verify(INVOICE_SEND, asked, sent) is Trace.UNSURE, "events come late"
    assert rig.verify(INVOICE_SEND, asked, sent, now=rig.now + timedelta(minutes=6)) is Trace.ABSENT
    rig.fault("answers_lost")
    with pytest.raises(Uncertain):
        rig.act(INVOICE_SEND, {"invoice": "in_open"})
    assert isinstance(rig.verify(INVOICE_SEND, asked, sent), Done)


def test_a_key_that_may_not_read_events_cannot_tell_what_was_sent(rig: Rig) -> None:
    asked, sent = rig.sent(INVOICE_SEND, {"invoice": "in_open"})
    key = rig.shop.account.keys[rig.shop.key]
    rig.shop.sandbox.on_loop(lambda: setattr(key, "permissions", frozenset({"rak_invoice_write"})))
    assert rig.verify(INVOICE_SEND, asked, sent, now=rig.now + timedelta(minutes=6)) is Trace.UNSURE


def test_a_payout_is_decided_here_and_made_by_its_caller(rig: Rig) -> None:
    asked, sent = rig.sent(PAYOUT_CREATE, {"amount": 300, "currency": "usd"})
    with pytest.raises(AssertionError, match="caller"):
        PAYOUT_CREATE.execute(rig.hands(), asked, sent.request, key="k")
    assert rig.verify(PAYOUT_CREATE, asked, sent) is Trace.ABSENT
    rig.shop.put(
        objects.payout(
            "po_2", created=rig.shop.now(), amount=300, currency="usd", balance_transaction=None, status="pending",
            automatic=False,
        )
    )  # fmt: skip
    assert rig.verify(PAYOUT_CREATE, asked, sent) == Done("po_2", "pending", replayed=True)


def test_a_payout_of_more_than_there_is_is_refused(rig: Rig) -> None:
    assert "are available" in rig.refusal(PAYOUT_CREATE, {"amount": 49_000_000, "currency": "usd"})
    assert "Only 0 JPY are available" in rig.refusal(PAYOUT_CREATE, {"amount": 1, "currency": "jpy"})


def test_only_a_payout_that_somebody_made_and_that_waits_can_be_canceled(rig: Rig) -> None:
    asked, sent = rig.sent(PAYOUT_CANCEL, {"payout": "po_1"})
    assert rig.verify(PAYOUT_CANCEL, asked, sent) is Trace.ABSENT
    rig.shop.change("payout", "po_1", status="canceled")
    assert rig.verify(PAYOUT_CANCEL, asked, sent) == Done("po_1", "canceled", replayed=True)
    assert "canceled" in rig.refusal(PAYOUT_CANCEL, {"payout": "po_1"})
    rig.shop.change("payout", "po_1", status="pending", automatic=True)
    assert "one of Stripe's own" in rig.refusal(PAYOUT_CANCEL, {"payout": "po_1"})
