"""Webhooks on their way: the dials that trouble them, and the log of what was tried."""

from collections import Counter, deque
from dataclasses import dataclass, field, fields

ATTEMPTS_LOGGED_MAX = 20_000  # enough for any test; a demo that runs for days must not grow


@dataclass(slots=True)
class Dials:
    """What goes wrong with one account's webhooks; all off until an incident turns them."""

    unreachable: bool = False  # every attempt fails, and is tried again later
    drop_share: float = 0.0  # this share of deliveries is lost for good, and Stripe does not know
    duplicate_share: float = 0.0  # this share is delivered twice
    twin_share: float = 0.0  # for this share of changes Stripe makes two separate events
    reorder_share: float = 0.0  # this share arrives up to `reorder_s` late, so behind newer ones
    reorder_s: int = 30
    delay_s: int = 0  # all arrive so much later

    def clear(self) -> None:
        fresh = Dials()
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver one event to one endpoint."""

    at: int
    account: str
    endpoint: str
    event: str
    type: str
    number: int  # 1 is the first try
    status: int | None  # None: no answer
    outcome: str  # delivered | refused | no_answer | dropped | given_up


@dataclass(slots=True)
class Outgoing:
    log: deque[Attempt] = field(default_factory=lambda: deque(maxlen=ATTEMPTS_LOGGED_MAX))
    outcomes: Counter[str] = field(default_factory=Counter)
    failing_since: dict[str, int] = field(default_factory=dict)  # by endpoint, while nothing gets through
    _dials: dict[str, Dials] = field(default_factory=dict)

    def dials(self, account: str) -> Dials:
        return self._dials.setdefault(account, Dials())

    def note(self, attempt: Attempt) -> None:
        self.log.append(attempt)
        self.outcomes[attempt.outcome] += 1
