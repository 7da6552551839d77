"""Idempotency keys: the first answer is kept for a day, whatever it was, and nothing is done twice."""

import asyncio

import httpx
import pytest
import stripe

from accounts.sandbox.server import Sandbox
from tests.sandbox.shop import TIMEOUT_S, TRUST, Shop, open_shop

REFUND = "charge=ch_1&amount=100"


def refunds(shop: Shop) -> int:
    return shop.count("refund") - 1  # one is in stock


def test_the_same_request_is_done_once_and_answered_alike(shop: Shop) -> None:
    first = shop.post("/v1/refunds", REFUND, Idempotency_Key="k")
    second = shop.post("/v1/refunds", REFUND, Idempotency_Key="k")
    assert second.content == first.content
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"] != second.headers["request-id"]
    assert "idempotent-replayed" not in first.headers
    assert refunds(shop) == 1


def test_other_parameters_or_another_path_under_the_same_key_are_refused(shop: Shop) -> None:
    client = shop.client()
    client.v1.refunds.create({"charge": "ch_1", "amount": 100}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        client.v1.refunds.create({"charge": "ch_1", "amount": 200}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({"name": "x"}, {"idempotency_key": "k"})
    assert refunds(shop) == 1


def test_a_business_refusal_is_replayed_even_after_the_reason_is_gone(shop: Shop) -> None:
    shop.change("charge", "ch_1", amount_refunded=4900, refunded=True)
    first = shop.post("/v1/refunds", REFUND, Idempotency_Key="k")
    assert first.json()["error"]["code"] == "charge_already_refunded"
    shop.change("charge", "ch_1", amount_refunded=0, refunded=False)
    assert shop.post("/v1/refunds", REFUND, Idempotency_Key="k").content == first.content
    assert refunds(shop) == 0


@pytest.mark.parametrize(
    "form", ["charge=ch_1&amount=many", "charge=ch_1&colour=red", "amount=100", "charge=ch_1&amount=0"]
)
def test_a_failed_validation_leaves_the_key_free(form: str, shop: Shop) -> None:
    assert shop.post("/v1/refunds", form, Idempotency_Key="k").status_code == 400
    assert shop.post("/v1/refunds", REFUND, Idempotency_Key="k").status_code == 200


def test_a_missing_permission_leaves_the_key_free(shop: Shop) -> None:
    key = "rk_live_nothing00000"
    shop.sandbox.on_loop(lambda: shop.account.add_key(key, frozenset()))
    assert shop.post("/v1/refunds", REFUND, key, Idempotency_Key="k").status_code == 403
    assert shop.post("/v1/refunds", REFUND, Idempotency_Key="k").status_code == 200


def test_a_stored_500_is_replayed_whether_or_not_anything_was_done(shop: Shop) -> None:
    for dial, done in (("errors_after_write", 1), ("errors_before_write", 0)):
        before = refunds(shop)
        shop.sandbox.on_loop(lambda dial=dial: setattr(shop.account.faults, dial, 1))  # type: ignore[misc]
        first = shop.post("/v1/refunds", REFUND, Idempotency_Key=dial)
        second = shop.post("/v1/refunds", REFUND, Idempotency_Key=dial)
        assert (first.status_code, second.status_code) == (500, 500)
        assert second.headers["idempotent-replayed"] == "true"
        assert refunds(shop) == before + done


def test_a_key_is_forgotten_after_a_day_and_then_does_it_again() -> None:
    with Sandbox.start(accounts=0) as sandbox:
        shop = open_shop(sandbox)
        first = shop.post("/v1/refunds", REFUND, Idempotency_Key="k")
        sandbox.advance("23h")
        assert shop.post("/v1/refunds", REFUND, Idempotency_Key="k").content == first.content
        sandbox.advance("1h")
        assert shop.post("/v1/refunds", REFUND, Idempotency_Key="k").content != first.content
        assert refunds(shop) == 2


def test_a_second_request_while_the_first_is_on_its_way_is_a_409(shop: Shop) -> None:
    shop.sandbox.on_loop(lambda: setattr(shop.account.faults, "latency_s", 0.3))
    answers = asyncio.run(_at_once(shop))
    assert sorted(each.status_code for each in answers) == [200, 409]
    refused = next(each for each in answers if each.status_code == 409)
    assert refused.json()["error"]["code"] == "idempotency_key_in_use"
    assert refunds(shop) == 1


async def _at_once(shop: Shop) -> list[httpx.Response]:
    headers = {
        "authorization": f"Bearer {shop.key}",
        "content-type": "application/x-www-form-urlencoded",
        "idempotency-key": "k",
    }
    async with httpx.AsyncClient(
        base_url=shop.sandbox.url, headers=headers, timeout=TIMEOUT_S, verify=TRUST
    ) as client:
        return list(await asyncio.gather(*(client.post("/v1/refunds", content=REFUND) for _ in range(2))))


def test_keys_belong_to_one_account(sandbox: Sandbox, shop: Shop) -> None:
    other = open_shop(sandbox)
    shop.post("/v1/refunds", REFUND, Idempotency_Key="k")
    assert "idempotent-replayed" not in other.post("/v1/refunds", REFUND, Idempotency_Key="k").headers
    assert refunds(other) == 1


def test_a_key_that_is_too_long_is_refused(shop: Shop) -> None:
    assert shop.post("/v1/refunds", REFUND, Idempotency_Key="k" * 256).status_code == 400
    assert refunds(shop) == 0


def test_the_events_of_a_write_name_its_request_and_its_key(shop: Shop) -> None:
    answered = shop.post("/v1/refunds", REFUND, Idempotency_Key="rcl:p:v1:e0")
    event = shop.get("/v1/events?type=refund.created").json()["data"][0]
    expected = {"id": answered.headers["request-id"], "idempotency_key": "rcl:p:v1:e0"}
    assert event["request"] == expected
