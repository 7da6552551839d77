"""Stripe's rate and concurrency limits, enforced on real time: which limiter, if any, refuses a request."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

GLOBAL_LIVE = 100.0  # requests a second
GLOBAL_TEST = 25.0
PER_ENDPOINT = 25.0
ENDPOINTS = {
    "POST /v1/payouts": 15.0,
    "POST /v1/files": 20.0,
    "GET /v1/files": 20.0,
    "GET /v1/files/{id}": 20.0,
}

# Stripe publishes no figures for concurrency; these are roomy, yet a client without any bound meets them.
CONCURRENT = 100
CONCURRENT_PER_ENDPOINT = 50

# Writes to one object in an hour.
HOUR_S = 3600.0
PER_OBJECT = {"/v1/payment_intents/": 1000, "/v1/subscriptions/": 200}


@dataclass(slots=True)
class Bucket:
    """Tokens that come at a rate; one second's worth can be saved up."""

    rate: float
    tokens: float
    filled_at: float

    def refill(self, now: float, share: float) -> None:
        rate = self.rate * share
        self.tokens = min(max(rate, 1.0), self.tokens + (now - self.filled_at) * rate)
        self.filled_at = now


@dataclass(slots=True)
class Throttle:
    """One account's limits."""

    livemode: bool
    real: Callable[[], float]
    _all: Bucket | None = None
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _in_flight: Counter[str] = field(default_factory=Counter)
    _writes: dict[str, deque[float]] = field(default_factory=dict)

    def refusal(self, endpoint: str, path: str, share: float) -> str | None:
        """The `Stripe-Rate-Limited-Reason`, or None and the request counts; `share` is what others leave."""
        if self._in_flight.total() >= CONCURRENT:
            return "global-concurrency"
        if self._in_flight[endpoint] >= CONCURRENT_PER_ENDPOINT:
            return "endpoint-concurrency"
        now = self.real()
        if self._all is None:
            rate = GLOBAL_LIVE if self.livemode else GLOBAL_TEST
            self._all = Bucket(rate, rate, now)
        one = self._buckets.get(endpoint)
        if one is None:
            rate = ENDPOINTS.get(endpoint, PER_ENDPOINT)
            one = self._buckets[endpoint] = Bucket(rate, rate, now)
        for bucket in (self._all, one):
            bucket.refill(now, share)
        if self._all.tokens < 1:
            return "global-rate"
        if one.tokens < 1:
            return "endpoint-rate"
        if not endpoint.startswith("GET ") and self._object_is_full(path, now):
            return "resource-specific"
        self._all.tokens -= 1
        one.tokens -= 1
        return None

    def enter(self, endpoint: str) -> None:
        self._in_flight[endpoint] += 1

    def leave(self, endpoint: str) -> None:
        self._in_flight[endpoint] -= 1

    def _object_is_full(self, path: str, now: float) -> bool:
        most = next((most for prefix, most in PER_OBJECT.items() if path.startswith(prefix)), None)
        if most is None:
            return False
        times = self._writes.setdefault("/".join(path.split("/")[:4]), deque())
        while times and times[0] <= now - HOUR_S:
            times.popleft()
        if len(times) >= most:
            return True
        times.append(now)
        return False
