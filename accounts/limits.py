"""How fast we may ask Stripe: per account and per endpoint, a polite share, and less when others need it.

Stripe's limits are the account's, shared with the business's own traffic, so we are the first to step back:
every limiter paces requests evenly, halves its pace when told so, and comes back over seconds. Near the pace
at which it was last told so, it climbs slowly. Accounts share nothing: one account's storm delays nobody else.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from accounts.errors import RateLimited
from metrics.catalog import STRIPE_ENDPOINTS

LIVE_PER_S = 100.0  # Stripe's documented limit of an account in live mode
TEST_PER_S = 25.0  # the same in test mode and sandboxes
ENDPOINT_PER_S = 25.0  # and of each endpoint, in both
HEADROOM = (
    0.95  # two clocks never agree on where a second begins; at the very limit one request in fifty is refused
)
CATCH_UP_S = (
    0.1  # how late a request may be and still count as on time, so that a slow scheduler costs no pace
)
IN_FLIGHT_MAX = 10  # what Stripe's concurrency limiter was seen to bear for a week, list requests included

BACK_OFF = 0.5  # how much of the pace is left after a rate 429
HOLD_S = 1.0  # nothing is sent for so long after a rate 429: what we drained is filled again for others
RECOVERY_S = 10.0  # from nothing to the whole share
PROBING_S = 200.0  # the same, around the pace at which Stripe last said stop
AROUND = 0.15  # how far around reaches, as a part of that pace; once past it, the limit has evidently moved
MOMENT_S = 0.0001  # too short to sleep, and too short for a clock's last digit to keep a loop going
PER_S_MIN = 0.2  # slow enough to be nothing, fast enough to notice within seconds that it got better
IN_FLIGHT_RECOVERY_S = 5.0  # until one more request may be in flight
OBJECT_WAIT_S = 1.0  # before the same object is asked for again when only it is limited
LOCK_WAIT_S = 0.3  # the same when only a lock was held; such locks last fractions of a second
OBJECTS_HELD_MAX = 1_000  # more than that at once is not resource-specific any more


@dataclass(slots=True)
class Pace:
    """Evenly spaced turns to send: additive increase, multiplicative decrease."""

    full_per_s: float
    per_s: float = field(init=False)
    slowed_at: float = float("-inf")  # turns that were given out before are void
    _told_at_per_s: float = field(init=False)
    _changed_at: float = 0.0
    _next_at: float = 0.0
    _held_until: float = 0.0

    def __post_init__(self) -> None:
        self.per_s = self._told_at_per_s = self.full_per_s

    def turn(self, now: float) -> float:
        """When the next request may be sent. The turn is taken."""
        self._recover(now)
        at = self._next_at if self._next_at > now - CATCH_UP_S else now
        at = max(at, self._held_until)
        self._next_at = at + 1 / self.per_s
        return at

    def slow_down(self, now: float, sent_at: float) -> None:
        if sent_at <= self.slowed_at:
            return  # it was on its way when we slowed down; that is no second warning
        self._recover(now)
        self._told_at_per_s = self.per_s
        self.per_s = max(self.per_s * BACK_OFF, min(PER_S_MIN, self.full_per_s))
        self.slowed_at = now
        self._next_at = 0.0
        self.hold(now + max(HOLD_S, 1 / self.per_s))

    def hold(self, until: float) -> None:
        self._held_until = max(self._held_until, until)

    def _recover(self, now: float) -> None:
        """Climbs for the time that has passed: slowly around the last known limit, fast elsewhere."""
        passed_s, self._changed_at = now - self._changed_at, now
        fast, slow = self.full_per_s / RECOVERY_S, self.full_per_s / PROBING_S
        limit = self._told_at_per_s
        for until, slope in (
            (limit * (1 - AROUND), fast),
            (limit * (1 + AROUND), slow),
            (self.full_per_s, fast),
        ):
            climb_s = min(passed_s, max(0.0, min(until, self.full_per_s) - self.per_s) / slope)
            self.per_s += climb_s * slope
            passed_s -= climb_s


class Limiter:
    """The pace of one account. Safe for any number of threads."""

    def __init__(
        self,
        livemode: bool,
        read_share: float,
        *,
        raised: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """`wait` sleeps for that many seconds; it may raise, and then the request is not sent.

        `raised` is by how much Stripe has raised the account's limits, which it does for those who ask.
        """
        share = read_share * raised * HEADROOM
        self._clock = clock
        self._wait = wait
        self._whole = Pace((LIVE_PER_S if livemode else TEST_PER_S) * share)
        self._endpoints = {name: Pace(ENDPOINT_PER_S * share) for name in STRIPE_ENDPOINTS}
        self._objects: dict[str, float] = {}  # until when an object is left alone
        self._free = threading.Condition()
        self._in_flight = 0
        self._in_flight_max = float(IN_FLIGHT_MAX)
        self._in_flight_changed_at = clock()

    @contextmanager
    def slot(self, endpoint: str, about: str | None = None) -> Iterator[float]:
        """Waits until a request may be sent, and yields the time. Learns from a RateLimited that rises inside."""
        # In this order, so that whoever waits for a slow endpoint holds up nobody who asks another one.
        if about is not None:
            self._wait_until(self._objects.get(about, 0.0))
        self._await_turn(self._endpoints[endpoint])
        self._await_turn(self._whole)
        with self._free:
            while self._in_flight >= self.in_flight_max:
                self._free.wait(IN_FLIGHT_RECOVERY_S)
            self._in_flight += 1
        sent_at = self._clock()
        try:
            yield sent_at
        except RateLimited as told:
            self._learn(told, endpoint, about, sent_at)
            raise
        finally:
            with self._free:
                self._in_flight -= 1
                self._free.notify()

    @property
    def in_flight_max(self) -> int:
        passed_s = self._clock() - self._in_flight_changed_at
        return int(min(self._in_flight_max + passed_s / IN_FLIGHT_RECOVERY_S, IN_FLIGHT_MAX))

    def per_s(self, endpoint: str | None = None) -> float:
        """The pace as it was at the last request."""
        return (self._whole if endpoint is None else self._endpoints[endpoint]).per_s

    def _await_turn(self, pace: Pace) -> None:
        while True:
            with self._free:
                asked_at = self._clock()
                at = pace.turn(asked_at)
            self._wait_until(at)
            if pace.slowed_at <= asked_at:
                return

    def _wait_until(self, at: float) -> None:
        while (left_s := at - self._clock()) > MOMENT_S:
            self._wait(left_s)

    def _learn(self, told: RateLimited, endpoint: str, about: str | None, sent_at: float) -> None:
        with self._free:
            now = self._clock()
            match told.reason:
                case "lock_timeout" | "resource-specific":
                    wait_s = LOCK_WAIT_S if told.reason == "lock_timeout" else OBJECT_WAIT_S
                    self._leave_alone(about, now + (told.retry_after_s or wait_s), now)
                case "global-concurrency" | "endpoint-concurrency":
                    self._in_flight_max = max(1.0, self.in_flight_max * BACK_OFF)
                    self._in_flight_changed_at = now
                case reason:  # a rate; where no reason is given, the endpoint's: the least that may help
                    pace = self._whole if reason == "global-rate" else self._endpoints[endpoint]
                    pace.slow_down(now, sent_at)
                    if told.retry_after_s:
                        pace.hold(now + told.retry_after_s)

    def _leave_alone(self, about: str | None, until: float, now: float) -> None:
        if about is None:
            return
        if len(self._objects) >= OBJECTS_HELD_MAX:
            self._objects = {each: at for each, at in self._objects.items() if at > now}
        if len(self._objects) < OBJECTS_HELD_MAX:
            self._objects[about] = until
