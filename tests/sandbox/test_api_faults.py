"""What goes wrong on purpose goes wrong for one account, in the way that was asked for, and as often."""

import asyncio
import time

import httpx
import msgspec
import pytest
import stripe

from accounts.sandbox.server import Sandbox
from tests.sandbox.shop import TRUST, Shop, open_shop


def dial(shop: Shop, **dials: object) -> None:
    def turn() -> None:
        for name, value in dials.items():
            setattr(shop.account.faults, name, value)

    shop.sandbox.on_loop(turn)


def test_an_outage_concerns_one_account(sandbox: Sandbox, shop: Shop) -> None:
    other = open_shop(sandbox)
    dial(shop, outage="503")
    assert shop.get("/v1/charges").status_code == 503
    with pytest.raises(stripe.APIError):
        shop.client().v1.charges.list()
    assert other.get("/v1/charges").status_code == 200
    shop.sandbox.on_loop(shop.account.faults.clear)
    assert shop.get("/v1/charges").status_code == 200


def test_a_dropped_connection_carries_no_answer(shop: Shop) -> None:
    dial(shop, outage="drop")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        shop.get("/v1/charges")


def test_a_proxy_in_between_answers_html(shop: Shop) -> None:
    dial(shop, outage="html")
    answered = shop.get("/v1/charges")
    assert answered.status_code == 502
    assert answered.headers["content-type"] == "text/html"


def test_a_lost_answer_is_a_write_that_was_done(shop: Shop) -> None:
    dial(shop, answers_lost=1)
    with pytest.raises(httpx.RemoteProtocolError):
        shop.post("/v1/refunds", "charge=ch_1&amount=100", Idempotency_Key="k")
    assert shop.look("charge", "ch_1")["amount_refunded"] == 100
    again = shop.post("/v1/refunds", "charge=ch_1&amount=100", Idempotency_Key="k")
    assert again.headers["idempotent-replayed"] == "true"
    assert shop.look("charge", "ch_1")["amount_refunded"] == 100


def test_a_lost_write_is_neither_done_nor_remembered(shop: Shop) -> None:
    dial(shop, writes_lost=1)
    with pytest.raises(httpx.RemoteProtocolError):
        shop.post("/v1/refunds", "charge=ch_1&amount=100", Idempotency_Key="k")
    assert shop.look("charge", "ch_1")["amount_refunded"] == 0
    again = shop.post("/v1/refunds", "charge=ch_1&amount=100", Idempotency_Key="k")
    assert "idempotent-replayed" not in again.headers


def test_a_truncated_body_ends_in_the_middle(shop: Shop) -> None:
    dial(shop, truncated_answers=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        shop.get("/v1/charges")
    assert shop.get("/v1/charges").status_code == 200


def test_a_malformed_answer_is_no_json(shop: Shop) -> None:
    dial(shop, malformed_answers=1)
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(shop.get("/v1/charges").content)
    assert shop.get("/v1/charges").json()["object"] == "list"


def test_a_gigantic_answer_is_as_large_as_was_asked_for(shop: Shop) -> None:
    dial(shop, gigantic_answers=1, gigantic_bytes=3_000_000)
    assert len(shop.get("/v1/charges").content) == 3_000_000


def test_slow_answers_delay_one_account_and_not_the_others(sandbox: Sandbox, shop: Shop) -> None:
    other = open_shop(sandbox)
    dial(shop, latency_s=0.3)

    async def race() -> list[str]:
        finished = []

        async def ask(who: Shop, name: str) -> None:
            headers = {"authorization": f"Bearer {who.key}"}
            async with httpx.AsyncClient(headers=headers, verify=TRUST, timeout=20) as client:
                await client.get(f"{sandbox.url}/v1/charges")
            finished.append(name)

        started = time.monotonic()
        await asyncio.gather(ask(shop, "slow"), ask(other, "quick"))
        assert time.monotonic() - started >= 0.3
        return finished

    assert asyncio.run(race()) == ["quick", "slow"]


def test_a_mistake_of_our_own_rises_when_the_sandbox_is_closed() -> None:
    with pytest.raises(KeyError, match="currency"), Sandbox.start(accounts=0) as sandbox:
        _break(sandbox)


def _break(sandbox: Sandbox) -> None:
    shop = open_shop(sandbox)
    shop.put({"id": "ch_odd", "object": "charge", "created": 1})
    assert shop.post("/v1/refunds", "charge=ch_odd&currency=usd").status_code == 500


def test_hostile_requests_are_answered_with_a_refusal(shop: Shop) -> None:
    for path in (
        "/v1/charges?created[gte][lt]=5",
        "/v1/charges?limit[]=5",
        "/v1/charges?limit=99999999999999999999999999",
        "/v1/charges?customer[a]=b",
        "/v1/charges?created=&created[gte]=5",
        "/v1/charges?expand=%00",
        "/v1/invoice_payments?payment=x",
        "/v1/events?types=" + "a",
        "/v1/%2e%2e/charges",
        "/v1/charges/ch_1/refunds/extra",
    ):
        assert shop.get(path).status_code in (200, 400, 404), path
    for form in ("metadata=x", "metadata[a][b]=c", "=5", "a[b]c]=1", "charge[id]=ch_1", "\xff\xfe"):
        assert shop.post("/v1/refunds", form).status_code == 400, form
