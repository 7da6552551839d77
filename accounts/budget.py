"""Stripe's read allocation: how many GETs a key's owner has in 30 days, who may still use them, and how many are left.

500 reads for every transaction of the last 30 days, and never fewer than 10,000. It is a total, not a pace:
nothing slows before half is used. Then polls and repeated sweeps stretch; the last tenth is kept for re-reads
before an action and for deadlines. A Connect platform's accounts share their platform's allocation.
"""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Protocol

from accounts.errors import BudgetSpent
from accounts.registry import KeyOwner

READS_PER_TRANSACTION = 500
READS_MIN = 10_000
WINDOW_DAYS = 30
STRETCH_FROM = 0.5  # the share used from which polls and sweeps come more rarely
RESERVE_FROM = 0.9  # the share used from which only re-reads and deadlines are served
STRETCH_MAX = (
    30.0  # a poll a minute becomes one in half an hour; slower than that, sweeps find more than polls
)
FLUSH_READS = 25  # at most so many reads are forgotten when the process is killed
SECONDS_PER_DAY = 86_400


class Purpose(Enum):
    """What a read is for. It decides who is served when little is left."""

    LIVE_REREAD = "a re-read before an action"
    DEADLINE = "a deadline"
    LOOK = "a look at a changed object"
    POLL = "polling events"
    SWEEP = "a sweep"
    HISTORY = "history"


RESERVED_FOR = frozenset({Purpose.LIVE_REREAD, Purpose.DEADLINE})


class Ledger(Protocol):
    """Where reads are counted for longer than a process lives. Days are numbered from 1970-01-01."""

    def reads(self, owner: KeyOwner, since_day: int) -> int: ...

    def add(self, owner: KeyOwner, day: int, reads: int) -> None: ...

    def transactions(self, owner: KeyOwner) -> int:
        """How many there were in the last 30 days, as far as is known."""
        ...


class MemoryLedger:
    """A ledger that forgets everything with the process: for `check`, and for tests."""

    def __init__(self, transactions: int = 0) -> None:
        self.days: Counter[tuple[KeyOwner, int]] = Counter()
        self.known_transactions = transactions

    def reads(self, owner: KeyOwner, since_day: int) -> int:
        return sum(n for (whose, day), n in self.days.items() if whose == owner and day >= since_day)

    def add(self, owner: KeyOwner, day: int, reads: int) -> None:
        self.days[owner, day] += reads

    def transactions(self, owner: KeyOwner) -> int:
        return self.known_transactions


class ReadBudget:
    """The allocation of one key owner. Safe for any number of threads, and shared through the ledger."""

    def __init__(self, owner: KeyOwner, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self.owner = owner
        self._ledger = ledger
        self._now = now
        self._lock = threading.Lock()
        self._pending = 0
        with self._lock:
            self._day = self._today()
            self._look_up()

    def spend(self, purpose: Purpose) -> float:
        """Counts one read and gives the share used; raises BudgetSpent if nothing is left for this purpose."""
        with self._lock:
            if self._pending >= FLUSH_READS or self._day != self._today():
                self._flush()
            used = self._used + self._pending
            limit = self._allowed if purpose in RESERVED_FOR else self._allowed * RESERVE_FROM
            if used >= limit:
                raise BudgetSpent(
                    f"{used:,} of the {self._allowed:,} reads that Stripe grants {self.owner} in 30 days are used, "
                    f"and nothing is left for {purpose.value}. It goes on as older days drop out; webhooks need "
                    "no reads, so keep them healthy.",
                )
            self._pending += 1
            return (used + 1) / self._allowed

    def stretch(self) -> float:
        """By how much the intervals of polls and repeated sweeps grow: 1 until half is used, then ever more."""
        left_before_reserve = RESERVE_FROM - self.used_ratio
        if left_before_reserve <= 0:
            return STRETCH_MAX
        return min(max((RESERVE_FROM - STRETCH_FROM) / left_before_reserve, 1.0), STRETCH_MAX)

    @property
    def used_ratio(self) -> float:
        with self._lock:
            return (self._used + self._pending) / self._allowed

    @property
    def used(self) -> int:
        with self._lock:
            return self._used + self._pending

    @property
    def allowed(self) -> int:
        with self._lock:
            return self._allowed

    def flush(self) -> None:
        """Writes the reads counted so far to the ledger. Called when the process ends, too."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._ledger.add(self.owner, self._day, self._pending)
            self._pending = 0
        self._day = self._today()
        self._look_up()

    def _look_up(self) -> None:
        # Others may draw on the same allocation, and old days drop out of it.
        self._used = self._ledger.reads(self.owner, self._day - WINDOW_DAYS + 1)
        self._allowed = max(READS_MIN, READS_PER_TRANSACTION * self._ledger.transactions(self.owner))

    def _today(self) -> int:
        return int(self._now().timestamp()) // SECONDS_PER_DAY
