"""Looking again at what was looked at before: since a time, because of one event, at one object, or at dead letters.

Nothing is done twice by it: a look reads the present state, and what stands already stands once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from accounts.errors import Explained
from accounts.facts import Subject
from daemon.store import inbox, snapshots, worklist
from daemon.store.db import Store


class NothingToReplay(Explained):
    """What was named is not known here. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many were marked; who looks at them is the daemon's affair."""

    marked: int


class Replay:
    def __init__(self, store: Store, *, wake: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self._store = store
        self._wake = wake
        self._now = now

    def since(self, account: str, since: datetime, until: datetime | None = None) -> Replayed:
        """Everything that events of this time were about."""
        with self._store.transaction() as session:
            marked = 0
            for addresses in inbox.between(session, account, since, until or self._now()):
                marked += self._mark(session, (Subject(account, *each) for each in addresses))
        return self._woken(account, marked)

    def event(self, account: str, event_id: str) -> Replayed:
        """What one event was about. Raises NothingToReplay."""
        with self._store.transaction() as session:
            address = inbox.address_of(session, account, event_id)
            if address is None:
                raise NothingToReplay(
                    f"Account {account} has no event {event_id}, or it is about nothing that can be read. "
                    "Name the object itself with --object."
                )
            marked = self._mark(session, [Subject(account, *address)])
        return self._woken(account, marked)

    def object(self, account: str, id_: str) -> Replayed:
        """One object by its id. Raises NothingToReplay."""
        with self._store.transaction() as session:
            types = snapshots.types_of(session, account, id_) or inbox.types_of(session, account, id_)
            if not types:
                raise NothingToReplay(
                    f"Account {account} has never had an object {id_}. The next sweep brings what is new: "
                    "`reconciled sweep`."
                )
            marked = self._mark(session, (Subject(account, each, id_) for each in types))
        return self._woken(account, marked)

    def dead(self, account: str) -> Replayed:
        """Everything that was set aside because looks at it failed too often."""
        with self._store.transaction() as session:
            buried = worklist.buried(session, account)
            marked = self._mark(session, (each.subject for each in buried))
        return self._woken(account, marked)

    def _mark(self, session: Session, subjects: Iterable[Subject]) -> int:
        wanted = set(subjects)
        worklist.mark(session, wanted, self._now())
        return len(wanted)

    def _woken(self, account: str, marked: int) -> Replayed:
        if marked:
            self._wake(account)
        return Replayed(marked)
