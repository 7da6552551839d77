"""The pace of requests, in a time that the tests make: how fast we go, and how we give way."""

import threading
from dataclasses import dataclass, field

import pytest

from accounts.errors import RateLimited
from accounts.limits import (
    ENDPOINT_PER_S,
    HEADROOM,
    IN_FLIGHT_MAX,
    LIVE_PER_S,
    LOCK_WAIT_S,
    OBJECT_WAIT_S,
    TEST_PER_S,
    Limiter,
)
from tests.accounts.building import Clock

ENDPOINTS = ("customers", "charges", "invoices", "refunds", "disputes", "payouts")


def limiter(clock: Clock, share: float = 1.0, *, livemode: bool = True) -> Limiter:
    return Limiter(livemode, share, clock=clock, wait=clock.wait)


def send(
    by: Limiter, endpoint: str = "charges", *, told: str | None = None, about: str | None = None
) -> float:
    """One request; Stripe answers it with 429 for this reason."""
    sent_at = 0.0
    try:
        with by.slot(endpoint, about) as sent_at:
            if told is not None:
                raise RateLimited(reason=told)
    except RateLimited:
        assert told is not None
    return sent_at


@pytest.mark.parametrize(
    ("livemode", "endpoints", "share", "expected_per_s"),
    [
        (True, 1, 1.0, ENDPOINT_PER_S),
        (True, 6, 1.0, LIVE_PER_S),
        (False, 6, 1.0, TEST_PER_S),
        (True, 6, 0.2, LIVE_PER_S * 0.2),
        (True, 1, 0.2, ENDPOINT_PER_S * 0.2),
    ],
)
def test_we_use_our_share_and_no_more(
    livemode: bool, endpoints: int, share: float, expected_per_s: float
) -> None:
    clock = Clock()
    by = limiter(clock, share, livemode=livemode)
    times = [send(by, ENDPOINTS[n % endpoints]) for n in range(1200)]
    per_s = (len(times) - 1) / (times[-1] - times[0])
    # One thread that visits endpoint after endpoint is as fast as the slower of both limits.
    assert 0.9 * expected_per_s <= per_s <= expected_per_s * HEADROOM * 1.01
    assert max(sum(start <= each < start + 1 for each in times) for start in times[::50]) <= expected_per_s


def test_a_rate_429_halves_the_pace_of_what_it_names_and_of_nothing_else() -> None:
    by = limiter(Clock())
    whole, charges, refunds = by.per_s(), by.per_s("charges"), by.per_s("refunds")
    send(by, told="endpoint-rate")
    assert (by.per_s(), by.per_s("refunds")) == (whole, refunds)
    assert by.per_s("charges") == pytest.approx(charges / 2, rel=0.05)
    send(by, "refunds", told="global-rate")
    assert by.per_s() == pytest.approx(whole / 2, rel=0.05)
    assert by.per_s("refunds") == refunds


def test_answers_to_what_was_already_on_its_way_slow_us_down_once() -> None:
    clock = Clock()
    by = limiter(clock)
    slots = [by.slot(ENDPOINTS[n]) for n in range(5)]
    for slot in slots:
        slot.__enter__()
    for slot in slots:
        assert not slot.__exit__(RateLimited, RateLimited(reason="global-rate"), None)
    assert by.per_s() == pytest.approx(LIVE_PER_S * HEADROOM / 2, rel=0.01)


def test_the_pace_comes_back_over_seconds() -> None:
    clock = Clock()
    by = limiter(clock)
    full = by.per_s("charges")
    send(by, told="endpoint-rate")
    clock.s += 5
    send(by)
    assert full * 0.8 < by.per_s("charges") < full
    clock.s += 60
    send(by)
    assert by.per_s("charges") == full


def test_a_concurrency_429_lowers_what_is_in_flight_and_not_the_pace() -> None:
    clock = Clock()
    by = limiter(clock)
    send(by, told="endpoint-concurrency")
    assert by.in_flight_max == IN_FLIGHT_MAX // 2
    assert by.per_s("charges") == ENDPOINT_PER_S * HEADROOM
    for _ in range(9):
        send(by, told="global-concurrency")
    assert by.in_flight_max == 1
    clock.s += 60
    assert by.in_flight_max == IN_FLIGHT_MAX


@pytest.mark.parametrize(
    ("reason", "wait_s"), [("resource-specific", OBJECT_WAIT_S), ("lock_timeout", LOCK_WAIT_S)]
)
def test_what_concerns_one_object_delays_only_that_object(reason: str, wait_s: float) -> None:
    by = limiter(Clock())
    at = send(by, about="/v1/charges/ch_1", told=reason)
    assert send(by, about="/v1/charges/ch_2") - at < 0.1
    assert send(by, about="/v1/charges/ch_1") - at == pytest.approx(wait_s)
    assert by.per_s("charges") == ENDPOINT_PER_S * HEADROOM


def test_who_says_how_long_to_wait_is_believed() -> None:
    clock = Clock()
    by = limiter(clock)
    before = clock.s
    with pytest.raises(RateLimited), by.slot("charges"):
        raise RateLimited(reason="endpoint-rate", retry_after_s=30.0)
    assert send(by) - before >= 30.0
    assert send(by, "refunds") - before < 31.0


def test_never_more_than_ten_are_in_flight() -> None:
    by = Limiter(True, 1.0, raised=1e6)
    inside, most, lock = [0], [0], threading.Lock()
    everyone = threading.Barrier(IN_FLIGHT_MAX)

    def ask() -> None:
        with by.slot("charges"):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            everyone.wait(10)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=ask) for _ in range(IN_FLIGHT_MAX * 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (most[0], inside[0]) == (IN_FLIGHT_MAX, 0)


@dataclass
class Stripe:
    """An account's global limit, used by the business too, which does not look to the right or left."""

    clock: Clock
    business_per_s: float
    per_s: float = LIVE_PER_S
    tokens: float = LIVE_PER_S
    at: float = field(init=False)
    next_business_at: float = field(init=False)
    business: int = 0
    business_refused: int = 0

    def __post_init__(self) -> None:
        self.at = self.next_business_at = self.clock.s

    def takes(self) -> bool:
        while self.business_per_s and self.next_business_at <= self.clock.s:
            self.business += 1
            self.business_refused += not self._token(self.next_business_at)
            self.next_business_at += 1 / self.business_per_s
        return self._token(self.clock.s)

    def _token(self, now: float) -> bool:
        self.tokens = min(self.per_s, self.tokens + (now - self.at) * self.per_s)
        self.at = now
        taken = self.tokens >= 1
        self.tokens -= taken
        return taken


def test_c2_when_the_business_needs_its_limit_we_shrink_to_the_remainder_within_seconds() -> None:
    clock = Clock()
    stripe = Stripe(clock, business_per_s=90.0)
    by = limiter(clock, share=0.2)  # we would like 20 a second; 10 are left
    sent: list[float] = []
    refused: list[float] = []
    while clock.s < 1_000 + 240:
        for endpoint in ENDPOINTS:
            taken = stripe.takes()
            sent.append(send(by, endpoint, told=None if taken else "global-rate"))
            if not taken:
                refused.append(sent[-1])

    settled = refused[0] + 5
    after = [at for at in sent if at > settled]
    assert len(after) / (after[-1] - settled) <= 10.5
    assert len(after) / (after[-1] - settled) >= 8.0  # giving way is not giving up
    assert len([at for at in refused if at > settled]) / len(after) < 0.01
    assert stripe.business_refused / stripe.business < 0.003

    stripe.business_per_s = 0.0
    gone_at = clock.s
    while clock.s < gone_at + 90:
        for endpoint in ENDPOINTS:
            send(by, endpoint)
    assert by.per_s() == pytest.approx(20 * HEADROOM)


def test_c3_a_storm_on_one_account_delays_no_other() -> None:
    storm, calm = Clock(), Clock()
    stormy, still = limiter(storm), limiter(calm)
    undisturbed = Clock()
    alone = limiter(undisturbed)
    for n in range(50):
        send(stormy, ENDPOINTS[n % 6], told="global-rate")
        send(still, ENDPOINTS[n % 6])
        send(alone, ENDPOINTS[n % 6])
    assert storm.s - 1_000 > 30
    assert calm.s == undisturbed.s


def test_a_slow_endpoint_takes_no_place_from_another() -> None:
    clock = Clock()
    by = limiter(clock)
    for _ in range(20):
        send(by, "charges", told="endpoint-rate")
    before = clock.s
    times = [send(by, "refunds") for _ in range(25)]
    assert times[-1] - before <= 1.2
