"""Refunds: what Stripe refuses, what one changes, and that even a succeeded one can fail later."""

from typing import Any

import pytest

from accounts.sandbox.server import Sandbox
from accounts.sandbox.stripe import refunds
from tests.sandbox.shop import Shop, open_shop


def create(shop: Shop, form: str) -> dict[str, Any]:
    answered = shop.post("/v1/refunds", form)
    assert answered.status_code == 200, answered.text
    made: dict[str, Any] = answered.json()
    return made


def refusal(shop: Shop, form: str) -> dict[str, Any]:
    before = shop.count("refund")
    answered = shop.post("/v1/refunds", form)
    assert answered.status_code == 400, answered.text
    assert shop.count("refund") == before
    error: dict[str, Any] = answered.json()["error"]
    return error


def dial(shop: Shop, **dials: object) -> None:
    def turn() -> None:
        for name, value in dials.items():
            setattr(shop.account.faults, name, value)

    shop.sandbox.on_loop(turn)


def available(shop: Shop) -> int:
    return sum(
        each["net"]
        for each in shop.sandbox.on_loop(lambda: list(shop.account.newest_first("balance_transaction")))
    )


def test_a_partial_refund_changes_the_charge_the_balance_and_tells_of_it(shop: Shop) -> None:
    before = available(shop)
    made = create(shop, "charge=ch_1&amount=1000&reason=requested_by_customer&metadata[who]=me")
    assert (made["status"], made["amount"], made["payment_intent"]) == ("succeeded", 1000, "pi_1")
    assert made["metadata"] == {"who": "me"}
    charge = shop.look("charge", "ch_1")
    assert (charge["amount_refunded"], charge["refunded"]) == (1000, False)
    assert shop.look("balance_transaction", made["balance_transaction"])["amount"] == -1000
    assert available(shop) == before - 1000
    assert shop.events()[-2:] == ["refund.created", "charge.refunded"]


def test_no_amount_means_all_that_remains(shop: Shop) -> None:
    create(shop, "charge=ch_1&amount=1000")
    assert create(shop, "payment_intent=pi_1")["amount"] == 3900
    assert shop.look("charge", "ch_1")["refunded"] is True


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("charge=ch_1&amount=4901", "amount_too_large"),
        ("charge=ch_1&amount=0", "parameter_invalid_integer"),
        ("charge=ch_1&amount=-5", "parameter_invalid_integer"),
        ("charge=ch_1&amount=5.5", "parameter_invalid_integer"),
        ("charge=ch_1&payment_intent=pi_1", None),
        ("amount=5", None),
        ("charge=ch_gone", "resource_missing"),
        ("charge=ch_1&reason=because", None),
        ("charge=ch_1&currency=eur", None),
        ("charge=ch_disputed", "charge_disputed"),
        ("charge=ch_3", "charge_not_refundable"),
        ("charge=ch_4", "charge_not_refundable"),
        ("payment_intent=pi_3", "charge_not_refundable"),
    ],
)
def test_a_refund_that_stripe_would_refuse_is_refused(form: str, code: str | None, shop: Shop) -> None:
    assert refusal(shop, form).get("code") == code


def test_more_than_what_remains_is_refused_and_less_is_not(shop: Shop) -> None:
    create(shop, "charge=ch_1&amount=4000")
    assert refusal(shop, "charge=ch_1&amount=901")["code"] == "amount_too_large"
    create(shop, "charge=ch_1&amount=900")
    assert refusal(shop, "charge=ch_1&amount=1")["code"] == "charge_already_refunded"
    assert refusal(shop, "charge=ch_1")["code"] == "charge_already_refunded"


def test_an_inquiry_leaves_the_charge_refundable(shop: Shop) -> None:
    shop.change("dispute", "dp_1", status="warning_needs_response", is_charge_refundable=True)
    assert create(shop, "charge=ch_disputed")["status"] == "succeeded"


def test_a_full_refund_closes_the_review_and_calms_the_fraud_warning(shop: Shop) -> None:
    shop.change("dispute", "dp_1", status="warning_needs_response", is_charge_refundable=True)
    create(shop, "charge=ch_disputed&reason=fraudulent")
    review = shop.look("review", "prv_1")
    assert (review["open"], review["closed_reason"]) == (False, "refunded_as_fraud")
    create(shop, "charge=ch_1&amount=4899")
    assert shop.look("radar.early_fraud_warning", "issfr_1")["actionable"] is True
    create(shop, "charge=ch_1")
    assert shop.look("radar.early_fraud_warning", "issfr_1")["actionable"] is False
    assert {"review.closed", "radar.early_fraud_warning.updated"} <= set(shop.events())


def test_a_pending_refund_succeeds_after_a_while_of_the_clock() -> None:
    with Sandbox.start(accounts=0) as sandbox:
        shop = open_shop(sandbox)
        dial(shop, refunds_pending_s=3600)
        made = create(shop, "charge=ch_1&amount=1000")
        assert (made["status"], made["pending_reason"]) == ("pending", "processing")
        sandbox.advance("59m")
        assert shop.look("refund", made["id"])["status"] == "pending"
        sandbox.advance("2m")
        assert shop.look("refund", made["id"])["status"] == "succeeded"
        assert shop.events()[-1] == "refund.updated"


def test_a_pending_refund_can_fail_and_the_money_returns() -> None:
    with Sandbox.start(accounts=0) as sandbox:
        shop = open_shop(sandbox)
        before = available(shop)
        dial(shop, refunds_pending_s=60, refunds_fail=True)
        made = create(shop, "charge=ch_1")
        sandbox.advance("2m")
        assert shop.look("refund", made["id"])["status"] == "failed"
        assert available(shop) == before


def test_a_succeeded_refund_can_fail_days_later(shop: Shop) -> None:
    before = available(shop)
    made = create(shop, "charge=ch_1")
    shop.sandbox.on_loop(lambda: refunds.fail(shop.account, made["id"], "lost_or_stolen_card"))
    failed = shop.look("refund", made["id"])
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert shop.look("balance_transaction", failed["failure_balance_transaction"])["amount"] == 4900
    charge = shop.look("charge", "ch_1")
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)
    assert available(shop) == before
    assert shop.events()[-2:] == ["refund.failed", "refund.updated"]
    assert create(shop, "charge=ch_1")["amount"] == 4900


def test_only_metadata_can_be_changed_and_only_a_refund_that_waits_for_action_canceled(shop: Shop) -> None:
    made = create(shop, "charge=ch_1&amount=5")
    assert shop.post(f"/v1/refunds/{made['id']}", "amount=6").status_code == 400
    updated = shop.post(f"/v1/refunds/{made['id']}", "metadata[a]=b").json()
    assert updated["metadata"] == {"a": "b"}
    assert shop.post(f"/v1/refunds/{made['id']}/cancel").status_code == 400
    assert shop.post("/v1/refunds/re_1/cancel").json()["status"] == "canceled"


def test_an_event_says_what_was_before(shop: Shop) -> None:
    create(shop, "charge=ch_1&amount=7")
    event = shop.get("/v1/events?type=charge.refunded").json()["data"][0]
    assert event["data"]["previous_attributes"] == {"amount_refunded": 0}
    assert event["data"]["object"]["amount_refunded"] == 7
