"""Rate limits: which limiter refuses, in which words, and that what is refused is neither done nor counted."""

from collections import Counter

import httpx
import pytest
import stripe

from accounts.sandbox.throttle import (
    CONCURRENT,
    CONCURRENT_PER_ENDPOINT,
    GLOBAL_LIVE,
    GLOBAL_TEST,
    HOUR_S,
    PER_ENDPOINT,
    Throttle,
)
from tests.sandbox.shop import TRUST, Shop

CHARGES, REFUND = "GET /v1/charges", "POST /v1/refunds"


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def admitted(throttle: Throttle, endpoint: str, times: int, share: float = 1.0) -> int:
    return sum(throttle.refusal(endpoint, "/v1/charges", share) is None for _ in range(times))


def test_one_endpoint_takes_its_25_a_second_and_not_one_more(seconds: Seconds) -> None:
    throttle = Throttle(True, seconds)
    assert admitted(throttle, CHARGES, 40) == PER_ENDPOINT
    assert throttle.refusal(CHARGES, "/v1/charges", 1.0) == "endpoint-rate"
    seconds.now += 1
    assert admitted(throttle, CHARGES, 40) == PER_ENDPOINT


def test_a_steady_client_loses_nothing_to_rounding(seconds: Seconds) -> None:
    throttle = Throttle(True, seconds)
    for _ in range(1000):
        seconds.now += 1 / PER_ENDPOINT
        assert throttle.refusal(CHARGES, "/v1/charges", 1.0) is None


def test_all_endpoints_together_take_100_live_and_25_in_test_mode(seconds: Seconds) -> None:
    for livemode, most in ((True, GLOBAL_LIVE), (False, GLOBAL_TEST)):
        throttle = Throttle(livemode, seconds)
        assert sum(admitted(throttle, f"GET /v1/{name}", 20) for name in "abcdefgh") == most
        assert throttle.refusal("GET /v1/z", "/v1/z", 1.0) == "global-rate"


def test_what_one_limiter_refuses_costs_nothing_at_the_other(seconds: Seconds) -> None:
    throttle = Throttle(True, seconds)
    admitted(throttle, CHARGES, 500)
    assert sum(admitted(throttle, f"GET /v1/{name}", 25) for name in "abc") == GLOBAL_LIVE - PER_ENDPOINT


def test_somebody_elses_traffic_leaves_only_its_share(seconds: Seconds) -> None:
    throttle = Throttle(True, seconds)
    admitted(throttle, CHARGES, 40)
    seconds.now += 10
    assert admitted(throttle, CHARGES, 40, share=0.2) == PER_ENDPOINT * 0.2


def test_requests_in_flight_have_limits_of_their_own(seconds: Seconds) -> None:
    throttle = Throttle(True, seconds)
    for _ in range(CONCURRENT_PER_ENDPOINT):
        throttle.enter(CHARGES)
    assert throttle.refusal(CHARGES, "/v1/charges", 1.0) == "endpoint-concurrency"
    for _ in range(CONCURRENT - CONCURRENT_PER_ENDPOINT):
        throttle.enter(REFUND)
    assert throttle.refusal("GET /v1/payouts", "/v1/payouts", 1.0) == "global-concurrency"
    throttle.leave(CHARGES)
    assert throttle.refusal(CHARGES, "/v1/charges", 1.0) is None


def test_one_subscription_takes_200_writes_an_hour(seconds: Seconds) -> None:
    throttle = Throttle(True, seconds)

    def write(id_: str) -> str | None:
        seconds.now += 1
        return throttle.refusal("POST /v1/subscriptions/{id}", f"/v1/subscriptions/{id_}", 1.0)

    assert [write("sub_1") for _ in range(201)].count(None) == 200
    assert write("sub_1") == "resource-specific"
    assert write("sub_2") is None
    seconds.now += HOUR_S
    assert write("sub_1") is None


def test_an_enforcing_sandbox_answers_429_with_the_reason(shop: Shop) -> None:
    shop.sandbox.on_loop(lambda: setattr(shop.sandbox.world, "enforce_limits", True))
    try:
        with httpx.Client(
            headers={"authorization": f"Bearer {shop.key}"}, verify=TRUST, timeout=20
        ) as client:
            answers = [client.get(f"{shop.sandbox.url}/v1/charges") for _ in range(60)]
    finally:
        shop.sandbox.on_loop(lambda: setattr(shop.sandbox.world, "enforce_limits", False))
    statuses = Counter(each.status_code for each in answers)
    assert set(statuses) == {200, 429}
    limited = next(each for each in answers if each.status_code == 429)
    assert limited.headers["stripe-rate-limited-reason"] == "endpoint-rate"
    assert limited.headers["request-id"]
    assert limited.json()["error"]["code"] == "rate_limit"
    assert shop.account.reads["/v1/charges"] == statuses[200]


def test_without_enforcement_nothing_is_limited_and_every_read_is_counted(shop: Shop) -> None:
    for _ in range(30):
        shop.get("/v1/charges/ch_1")
    shop.get("/v1/charges/ch_gone")
    shop.post("/v1/refunds", "charge=ch_1&amount=1")
    assert shop.account.reads == {"/v1/charges/{id}": 31}
    assert shop.account.writes == {"/v1/refunds": 1}


def test_a_storm_gives_its_reason_and_is_not_retried_by_the_library(shop: Shop) -> None:
    shop.sandbox.on_loop(lambda: setattr(shop.account.faults, "storm_reason", "global-concurrency"))
    with pytest.raises(stripe.RateLimitError) as raised:
        shop.client().v1.charges.list()
    assert raised.value.headers is not None
    assert raised.value.headers["Stripe-Rate-Limited-Reason"] == "global-concurrency"
    assert raised.value.headers["Stripe-Should-Retry"] == "false"
    assert not shop.account.reads


def test_a_lock_timeout_has_no_reason_and_no_request_id_and_does_nothing(shop: Shop) -> None:
    shop.sandbox.on_loop(lambda: setattr(shop.account.faults, "lock_timeouts", 1))
    assert shop.get("/v1/charges/ch_1").status_code == 200
    locked = shop.post("/v1/refunds", "charge=ch_1&amount=5", Idempotency_Key="k")
    assert locked.status_code == 429
    assert locked.json()["error"]["code"] == "lock_timeout"
    assert "request-id" not in locked.headers
    assert "stripe-rate-limited-reason" not in locked.headers
    assert locked.headers["stripe-should-retry"] == "true"
    assert shop.look("charge", "ch_1")["amount_refunded"] == 0
    assert shop.post("/v1/refunds", "charge=ch_1&amount=5", Idempotency_Key="k").status_code == 200
