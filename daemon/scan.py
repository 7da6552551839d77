"""The deadline scan: turns what is due in the tables into wakes. It heals every wake that was lost, too.

Each flow has a question that it asks of the database: which of my keys are due now? The scan asks them all, every
second or so, and nothing else in the program keeps time.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlmodel import Session

from daemon.engine import Engine
from daemon.loop import LOOK
from daemon.rejudge import Rejudging
from daemon.store import worklist
from daemon.store.db import Store

DEADLINE_SCAN: Final = "deadline_scan"  # the kind of wake
EVERYTHING: Final = "all"  # its one key
EVERY_S: Final = 1.0  # how late a deadline may be noticed

Due = Callable[[Session, datetime], Iterable[tuple[str, str]]]  # kinds and keys


class Scan:
    def __init__(self, store: Store, engine: Engine, due: Sequence[Due], now: Callable[[], datetime]) -> None:
        self._store = store
        self._engine = engine
        self._due = due
        self._now = now

    def run(self, key: str = EVERYTHING) -> None:
        with self._store.reading() as session:
            now = self._now()
            found = [each for due in self._due for each in due(session, now)]
        for kind, each in dict.fromkeys(found):
            self._engine.wake(kind, each)


def looks(accounts: Collection[str]) -> Due:
    """Those of these accounts with something to look at, the one first that waited longest for its turn.

    What is on the list of an account that is no longer configured waits there, should it come back.
    """
    return lambda session, now: [
        (LOOK, account) for account in worklist.whose_turn(session, now) if account in accounts
    ]


def walks(rejudging: Rejudging) -> Due:
    """The accounts in which everything is being judged again."""
    return lambda session, now: [(LOOK, account) for account in rejudging.under_way(session)]
