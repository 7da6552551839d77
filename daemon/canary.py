"""The canary: an item that travels the way of every change, so that a standstill is seen, and where.

It is marked in the worklist, found by the scan, taken by a look in a lane of its own, and done. Each stage keeps the
time at which it was last there; whichever stands still tells what does.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from accounts.facts import Subject
from daemon.store import worklist
from daemon.store.db import Store
from metrics.catalog import CANARY_STAGES, canary

CANARY: Final = "canary"  # the kind of wake
LANE: Final = "-"  # no account can be called so
EVERY_S: Final = 30.0
MISSED_AFTER: Final = timedelta(minutes=3)  # several flights in a row
LEASE: Final = timedelta(minutes=1)

BIRD: Final = Subject(LANE, CANARY, CANARY)


class Canary:
    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._landed_at = now()

    def hatch(self) -> None:
        """To be called at the start: what has not flown yet is as old as that, and not as 1970."""
        for stage in CANARY_STAGES:
            canary.labels(stage).set(self._landed_at.timestamp())

    def fly(self, _: str = "") -> None:
        """Sets out. Nobody is woken: the scan is to find it."""
        with self._store.transaction() as session:
            worklist.mark(session, [BIRD], self._now())
        canary.labels("marked").set(self._now().timestamp())

    def land(self) -> None:
        """What a look does with it."""
        with self._store.transaction() as session:
            taken = worklist.take(session, LANE, now=self._now(), lease=LEASE)
        if not taken:
            return
        canary.labels("taken").set(self._now().timestamp())
        with self._store.transaction() as session:
            worklist.done(session, taken)
        self._landed_at = self._now()
        canary.labels("done").set(self._landed_at.timestamp())

    def missing(self) -> str | None:
        """A sentence if it has not come through for too long."""
        away = self._now() - self._landed_at
        if away <= MISSED_AFTER:
            return None
        away_s = round(away.total_seconds())
        return f"Nothing has come through the worklist for {away_s} s: the clock or the engine stands still."
