"""Rows of which somebody said that they have changed: each is read again by its key, soon after, and kept.

What was said waits in the table of cursors, so that a restart forgets nothing and the same said ten times is read once.
A row that cannot be read now is left to the next pass, which reads everything anyway.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog
from sqlmodel import Session

from accounts.errors import ObservationError
from accounts.facts import Subject
from daemon.observe.landscape import Cartographer
from daemon.store import cursors, records, worklist
from daemon.store.db import Store
from daemon.store.marks import current_mark
from daemon.store.passes import EVERYWHERE
from daemon.sweep.sources import Connected, Sources, connected, users_of

log = structlog.get_logger(__name__)

PUSHED: Final = "records:pushed/"
AT_ONCE_MAX: Final = 200  # a source that says more at once is read as a whole, which costs it less


class Pushed:
    def __init__(
        self,
        store: Store,
        cartographer: Cartographer,
        sources: Sources,
        *,
        demand: Callable[[str], None],
        wake: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        """`demand` makes a source due as a whole; `wake` says that there is something to look at in an account."""
        self._store = store
        self._cartographer = cartographer
        self._sources = sources
        self._demand = demand
        self._wake = wake
        self._now = now

    def note(self, session: Session, key: str, row: str) -> None:
        """A row of this source, `crm:NAME` or `entitlements:NAME`, is to be read again."""
        cursors.move(session, EVERYWHERE, f"{PUSHED}{key}/{row}", self._now().isoformat(), self._now())

    def due(self, session: Session) -> list[str]:
        """The sources of which some row is to be read."""
        waiting = cursors.named(session, EVERYWHERE, PUSHED)
        return sorted({name.removeprefix(PUSHED).partition("/")[0] for name in waiting})

    def read(self, key: str) -> None:
        """Reads what was pushed of a source."""
        prefix = f"{PUSHED}{key}/"
        with self._store.reading() as session:
            names = sorted(cursors.named(session, EVERYWHERE, prefix))
            users = users_of(self._cartographer.landscape(session), key)
        if users:
            source = connected(key, self._sources)
            if len(names) > AT_ONCE_MAX or not source.reads_one:
                self._demand(key)
            else:
                self._read_each(source, [name.removeprefix(prefix) for name in names])
        with self._store.transaction() as session:
            for name in names:
                cursors.forget(session, EVERYWHERE, name)

    def _read_each(self, source: Connected, rows: list[str]) -> None:
        concerned: set[Subject] = set()
        for row in rows:
            with self._store.reading() as session:
                seen = current_mark(session)
            try:
                found, observed_at = self._row(source, row), self._now()
            except ObservationError as problem:
                log.warning("pushed_row_unread", source=source.key, because=str(problem))
                break
            with self._store.transaction(bulk=True) as session:
                landscape = self._cartographer.landscape(session)
                if found is not None:
                    new = source.keep(session, landscape, [found], seen, observed_at, first_pass=False)
                else:
                    new = source.bury(session, landscape, row, seen, observed_at)
                worklist.mark(session, new, self._now(), reading=False)
            concerned |= new
        for account in sorted({subject.account for subject in concerned}):
            self._wake(account)

    def _row(self, source: Connected, row: str) -> Any:
        """As the source has it now, wherever that is; None where it has none. Raises ObservationError."""
        with self._store.reading() as session:
            known = [each.stripe_account for each in records.of_key(session, source.name, row)]
            users = users_of(self._cartographer.landscape(session), source.key)
        own = [each.stripe_account for each in users]
        asked = [each for each in known if each is not None] or (own if source.per_account else own[:1])
        for account in asked:
            found = source.one(row, account)
            if found is not None:
                return found
        return None
