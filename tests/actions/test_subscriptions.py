"""Subscriptions: canceled, paused, resumed and changed, each only as it was seen."""

import pytest

from accounts.errors import Refused, Uncertain
from daemon.actions import subscription_cancel, subscription_change, subscription_pause, subscription_resume
from daemon.actions.shape import Action, BadDetails, Done, Trace
from daemon.core.canonical import Json
from tests.actions.rig import Rig

SUB: dict[str, Json] = {"subscription": "sub_1"}
NOW: dict[str, Json] = {**SUB, "at_period_end": False}
AT_END: dict[str, Json] = {**SUB, "at_period_end": True}
MORE: dict[str, Json] = {**SUB, "item": "si_sub_1", "quantity": 3}
EACH: tuple[tuple[Action, dict[str, Json]], ...] = (
    (subscription_cancel, NOW),
    (subscription_cancel, AT_END),
    (subscription_pause, SUB),
    (subscription_resume, SUB),
    (subscription_change, MORE),
)


def test_at_the_end_of_its_period_it_goes_on_until_then(rig: Rig) -> None:
    asked, _ = rig.ask(subscription_cancel, AT_END)
    assert subscription_cancel.describe(asked, rig.place) == (
        "Cancel sub_1 of cus_1 at the end of its period on shop (live)"
    )
    rig.act(subscription_cancel, AT_END)
    subscription = rig.shop.look("subscription", "sub_1")
    assert (subscription["status"], subscription["cancel_at_period_end"]) == ("active", True)
    assert "ends with its period already" in rig.refusal(subscription_cancel, AT_END)
    rig.act(subscription_cancel, NOW, key="k2", tag="p2")
    assert rig.shop.look("subscription", "sub_1")["status"] == "canceled"


def test_a_cancellation_whose_answer_was_lost_is_not_sent_twice(rig: Rig) -> None:
    asked, sent = rig.sent(subscription_cancel, NOW)
    rig.fault("answers_lost")
    with pytest.raises(Uncertain):
        rig.act(subscription_cancel, NOW)
    assert not subscription_cancel.repeatable, "Stripe keeps no key for it"
    with pytest.raises(Refused):
        subscription_cancel.execute(rig.hands(), asked, sent.request, key="k")
    assert rig.verify(subscription_cancel, asked, sent) == Done("sub_1", "canceled", replayed=True)


def test_somebody_elses_word_for_the_end_of_the_period_is_not_ours(rig: Rig) -> None:
    asked, sent = rig.sent(subscription_cancel, AT_END)
    rig.shop.client().v1.subscriptions.update("sub_1", {"cancel_at_period_end": True})
    assert rig.verify(subscription_cancel, asked, sent) is Trace.ABSENT


@pytest.mark.parametrize(("action", "details"), EACH)
def test_what_is_over_or_managed_by_a_schedule_is_left_alone(
    action: Action, details: dict[str, Json], rig: Rig
) -> None:
    rig.shop.change("subscription", "sub_1", schedule="sub_sched_1")
    assert "managed by sub_sched_1" in rig.refusal(action, details)
    rig.shop.change("subscription", "sub_1", status="canceled")
    assert "is canceled already" in rig.refusal(action, details)


def test_paused_collection_is_resumed_as_such(rig: Rig) -> None:
    rig.act(subscription_pause, SUB)
    assert rig.shop.look("subscription", "sub_1")["status"] == "active", "access goes on"
    assert "paused already" in rig.refusal(subscription_pause, SUB)
    asked, sent = rig.sent(subscription_resume, SUB, tag="p2")
    assert rig.verify(subscription_resume, asked, sent) is Trace.ABSENT
    rig.act(subscription_resume, SUB, key="k2", tag="p2")
    assert rig.shop.look("subscription", "sub_1")["pause_collection"] is None
    assert isinstance(rig.verify(subscription_resume, asked, sent), Done)
    assert "is not paused" in rig.refusal(subscription_resume, SUB)


def test_a_service_is_paused_and_resumed_whole(rig: Rig) -> None:
    whole: dict[str, Json] = {**SUB, "service": True}
    asked, sent = rig.sent(subscription_pause, whole)
    assert "and its service" in subscription_pause.describe(asked, rig.place)
    rig.act(subscription_pause, whole)
    assert rig.shop.look("subscription", "sub_1")["status"] == "paused"
    assert isinstance(rig.verify(subscription_pause, asked, sent), Done)
    assert "only a running subscription" in rig.refusal(subscription_pause, whole)
    rig.act(subscription_resume, SUB, key="k2")
    assert rig.shop.look("subscription", "sub_1")["status"] == "active"


def test_what_is_paid_by_invoice_is_not_resumed_by_charging(rig: Rig) -> None:
    rig.shop.change("subscription", "sub_paused", collection_method="send_invoice")
    assert "paid by invoice" in rig.refusal(subscription_resume, {"subscription": "sub_paused"})


def test_a_quantity_alone_leaves_the_price_as_it_is(rig: Rig) -> None:
    rig.act(subscription_change, MORE)
    (item,) = rig.shop.look("subscription", "sub_1")["items"]["data"]
    assert (item["price"]["id"], item["quantity"]) == ("price_1", 3)


def test_a_price_in_another_currency_is_refused(rig: Rig) -> None:
    assert "billed in USD, and price_eur is in EUR" in rig.refusal(
        subscription_change, {**MORE, "price": "price_eur"}
    )


def test_a_price_that_is_not_sold_any_more_or_paid_once_is_refused(rig: Rig) -> None:
    rig.shop.change("price", "price_2", active=False)
    assert "no longer sold" in rig.refusal(subscription_change, {**MORE, "price": "price_2"})
    rig.shop.change("price", "price_2", active=True, recurring=None, type="one_time")
    assert "paid once" in rig.refusal(subscription_change, {**MORE, "price": "price_2"})


def test_an_item_of_another_subscription_is_none(rig: Rig) -> None:
    with pytest.raises(BadDetails, match="sub_1 has no si_sub_paused"):
        rig.ask(subscription_change, {**MORE, "item": "si_sub_paused"})


def test_a_change_that_somebody_else_made_alike_is_not_taken_for_ours(rig: Rig) -> None:
    asked, sent = rig.sent(subscription_change, MORE)
    rig.shop.client().v1.subscriptions.update("sub_1", {"items": [{"id": "si_sub_1", "quantity": 3}]})
    assert rig.verify(subscription_change, asked, sent) is Trace.ABSENT
