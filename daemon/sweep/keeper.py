"""Keeps what one account's sweep reads: a page with its checkpoint, the end of a class, or why it was not reached."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlmodel import Session

from accounts.errors import ObservationError
from accounts.facts import Subject
from accounts.stripe.permissions import Missing
from accounts.stripe.reads import Page
from accounts.stripe.resources import Expansion
from daemon.core.model import System
from daemon.observe import keeping
from daemon.observe.asking import KEY_TROUBLE, reason_of
from daemon.observe.failures import count_failure
from daemon.observe.landscape import NO_PERMISSION, Cartographer, key_reading
from daemon.observe.owners import ALONE, OF_OTHERS
from daemon.store import passes, snapshots, worklist
from daemon.store.bulk import take_stock
from daemon.store.db import Store
from daemon.store.marks import current_mark
from daemon.store.snapshots import SNAPSHOTS
from daemon.sweep import units
from daemon.sweep.classes import Class
from daemon.sweep.slices import Slice
from daemon.sweep.units import Unit, reading

log = structlog.get_logger(__name__)

# While classes are read for the first time, only what can be judged by itself is marked: deadlines do not wait. All the
# rest cannot be judged before the pass has ended, and is judged then.
JUDGED_AT_ONCE: Final = OF_OTHERS | ALONE


@dataclass(slots=True, eq=False)
class _Waiting:
    """A page that is to be written."""

    unit: Unit
    kind: Class
    page: Page
    seen: int
    pieces: Sequence[Slice]
    over: bool = False
    following: int = 0
    fault: BaseException | None = None

    def outcome(self) -> int:
        if self.fault is not None:
            raise self.fault
        return self.following


class Keeper:
    """Safe for any number of threads."""

    def __init__(
        self,
        store: Store,
        cartographer: Cartographer,
        account: str,
        *,
        wake: Callable[[str], None],
        doubt: Callable[[ObservationError], None],
        now: Callable[[], datetime],
    ) -> None:
        self.account = account
        self._store = store
        self._cartographer = cartographer
        self._wake = wake
        self._doubt = doubt
        self._now = now
        self._turn = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._writing = False

    def mark(self) -> int:
        """The number to store with what is asked for next."""
        with self._store.reading() as session:
            return current_mark(session)

    def page(self, unit: Unit, kind: Class, page: Page, *, seen: int, pieces: Sequence[Slice]) -> int:
        """Keeps a page and how far its slices have come; the number for the next one.

        Pages that come while another is being written are written together: whoever is there first does it for all.
        """
        mine = _Waiting(unit, kind, page, seen, pieces)
        with self._turn:
            self._waiting.append(mine)
            while self._writing and not mine.over:
                self._turn.wait()
            if mine.over:
                return mine.outcome()
            together, self._waiting, self._writing = self._waiting, [], True
        following, fault = 0, None
        try:
            following = self._write(together)
        except BaseException as problem:  # the others who wait must hear of it, whatever it is
            fault = problem
        with self._turn:
            for each in together:
                each.following, each.fault, each.over = following, fault, True
            self._writing = False
            self._turn.notify_all()
        return mine.outcome()

    def end(self, unit: Unit, each: Class, missing: Sequence[Missing]) -> tuple[int, int]:
        """The class was read to its end: how many objects, and how many that we know were not among them."""
        now = self._now()
        with self._store.transaction() as session:
            objects = sum(piece.objects for piece in units.slices(session, self.account, unit))
            gone = self._mark_unlisted(session, unit, each, now)
            units.end(session, self.account, unit, objects, now)
            if each.resource.expansion is not None:
                self._note_inside(session, each.resource.expansion, missing, now)
        if unit.first and objects:
            with self._store.transaction(bulk=True) as session:
                take_stock(session, SNAPSHOTS)
        if gone:
            self._wake(self.account)
        return objects, gone

    def fail(self, unit: Unit, problem: ObservationError) -> None:
        """The class was not read to its end. What was read of it stays, and nothing counts as absent."""
        now = self._now()
        count_failure(System.STRIPE, problem)
        of_key, reason = isinstance(problem, KEY_TROUBLE), reason_of(problem)
        about = key_reading(self.account) if of_key else reading(self.account, unit.resource_name)
        with self._store.transaction() as session:
            units.fail(session, self.account, unit, now)
            if reason is not None:
                passes.fail(session, about, reason, str(problem), now)
        if of_key:
            self._doubt(problem)

    def _write(self, together: Sequence["_Waiting"]) -> int:
        now = self._now()
        concerned: set[Subject] = set()
        strange: set[Subject] = set()
        with self._store.transaction(bulk=True) as session:
            landscape = self._cartographer.landscape(session)
            for unit in {each.unit.name: each.unit for each in together}.values():
                some = [each for each in together if each.unit.name == unit.name]
                type_ = some[0].kind.resource.type
                concerned |= keeping.keep(
                    session,
                    landscape,
                    self.account,
                    type_,
                    [one for each in some for one in each.page.items],
                    # Of several pages the smallest number and the earliest moment hold for all.
                    seen=min(each.seen for each in some),
                    observed_at=min(each.page.started_at for each in some),
                    first_pass=unit.first,
                    concerning=not unit.first or type_ in JUDGED_AT_ONCE,
                )
                strange |= {
                    Subject(self.account, type_, one.id) for each in some for one in each.page.unreadable
                }
                pieces = [piece for each in some for piece in each.pieces]
                units.move(session, self.account, unit, pieces, now)
            worklist.mark(session, concerned, now, reading=False)
            worklist.mark(session, strange, now)
            following = current_mark(session)
        for each in together:
            for one in each.page.unreadable:
                log.warning("object_not_understood", account=self.account, id=one.id, because=one.reason)
        for account in sorted({subject.account for subject in concerned | strange}):
            self._wake(account)
        return following

    def _mark_unlisted(self, session: Session, unit: Unit, each: Class, now: datetime) -> int:
        """What should have been listed and was not is read by its id: only that tells whether it is gone."""
        windows = each.resource.windows
        unlisted = snapshots.unseen(
            session,
            self.account,
            each.resource.type,
            unit.mark,
            since=units.moment(unit.since) if windows and unit.since else None,
            before=units.moment(unit.before) if windows and unit.before is not None else None,
            status=each.lists_status,
        )
        count = 0
        for ids in unlisted:
            worklist.mark(session, [Subject(self.account, each.resource.type, one) for one in ids], now)
            count += len(ids)
        return count

    def _note_inside(
        self, session: Session, inside: Expansion, missing: Sequence[Missing], now: datetime
    ) -> None:
        about = reading(self.account, inside.name)
        lacking = next((one for one in missing if one.resource == inside.name), None)
        if lacking is None:
            passes.recover(session, [about], now)
        else:
            passes.fail(session, about, NO_PERMISSION, lacking.sentence, now)
