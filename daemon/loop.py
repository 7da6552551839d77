"""The loop: looks at what was marked, asks what should be true now, and writes down what that changes.

    look_at   takes up to a hundred due rows of an account, and looks at them
    look      observe → judge → diff → apply, done, note: one transaction at the end

It is level-triggered: why something was marked does not matter. What could not be read is due again later; what makes
looks fail by itself is set aside for a person after a while; and neither holds up the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlmodel import Session
from structlog.contextvars import bound_contextvars

from accounts.errors import Malformed, ObservationError, RateLimited
from accounts.facts import Subject
from daemon import witness
from daemon.core.diff import Changes
from daemon.engine import Engine
from daemon.judging import Judging
from daemon.observe.observer import Observed, Observer
from daemon.store import cases, held, journal, worklist
from daemon.store.db import Store
from daemon.store.errors import LostTake, StoreError
from daemon.store.worklist import TAKE_MAX, Taken
from daemon.witness import NOTHING_HEARD, Heard

log = structlog.get_logger(__name__)

LOOK: Final = "look"  # the kind of wake
AGAIN_MIN: Final = timedelta(seconds=1)
LEASE: Final = timedelta(minutes=10)  # a hundred reads at the slowest pace of the limiter take less
BACK_OFF_S: Final = (2.0, 5.0, 15.0, 60.0, 300.0, 900.0)  # after the first, second … look that could not read


class Loop:
    def __init__(
        self, store: Store, observer: Observer, judging: Judging, engine: Engine, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._observer = observer
        self._judging = judging
        self._engine = engine
        self._now = now

    def look_at(self, account: str) -> bool:
        """Looks at a batch of what is due of an account; whether more may be due."""
        now = self._now()
        with self._store.transaction() as session:
            for subject in worklist.bury_the_never_returned(session, account, now):
                witness.set_aside(session, subject, worklist.NEVER_RETURNED, now)
            taken = worklist.take(session, account, now=now, lease=LEASE)
            heard = witness.heard(session, taken)
        witness.began(taken, heard, now)
        try:
            with bound_contextvars(account=account):
                self.look(account, taken, heard)
        except LostTake as lost:
            log.warning("look_thrown_away", account=account, because=str(lost))
        except StoreError as trouble:
            self._put_back(taken, trouble, at_fault=False)
        except Exception:
            log.exception("look_failed", account=account, rows=len(taken))
            for one in taken:  # one of them is the reason, and the others shall not wait for it
                self._look_alone(account, one)
        return len(taken) == TAKE_MAX

    def look(self, account: str, taken: Sequence[Taken], heard: Heard = NOTHING_HEARD) -> None:
        """Raises LostTake if the lease ran out meanwhile; then nothing of it was kept."""
        if not taken:
            return
        seen = self._observer.observe(account, taken)
        policy = self._judging.policy_of(account)
        verdicts = self._judging.verdicts(seen.land, seen.facts, policy)
        now = self._now()
        with self._store.transaction() as session:
            brake = held.brake(session, account)
            changes = self._judging.changes(session, seen.land, verdicts, policy, seen.moved, brake)
            notes = cases.apply(session, seen.land.facts, policy, changes, now)
            self._done(session, seen, taken, changes, now)
            journal.append_all(session, notes, now)  # last: it holds the journal's head
        for other in seen.others:
            self._engine.wake(LOOK, other)
        witness.judged(verdicts, changes, "mark")
        for each in _ended(seen, taken):
            if each.stale:
                witness.ended(each.subject, _waited(each, self._now()), heard)

    def _done(
        self,
        session: Session,
        seen: Observed,
        taken: Sequence[Taken],
        changes: Sequence[Changes],
        now: datetime,
    ) -> None:
        """Takes the rows off the list, or says when they, or those whom they led to, are due again."""
        again = again_at([facts.subject for facts in seen.facts], changes, now)
        over = _ended(seen, taken)
        rows = {each.subject for each in over}
        worklist.done(session, over, {subject: at for subject, at in again.items() if subject in rows})
        look_again(session, {subject: at for subject, at in again.items() if subject not in rows})
        for each in taken:
            problem = seen.failed.get(each.subject)
            if problem is not None:
                due, at_fault = now + back_off(each, problem), isinstance(problem, Malformed)
                _bury_if_hopeless(session, each, due, str(problem), now, at_fault=at_fault)

    def _look_alone(self, account: str, one: Taken) -> None:
        try:
            with bound_contextvars(subject=f"{one.subject.kind} {one.subject.id}"):
                self.look(account, [one])
        except LostTake as lost:
            log.warning("look_thrown_away", account=account, because=str(lost))
        except Exception as fault:
            log.exception("subject_failed", account=account, kind=one.subject.kind, id=one.subject.id)
            self._put_back([one], fault, at_fault=not isinstance(fault, StoreError))

    def _put_back(self, taken: Sequence[Taken], fault: Exception, *, at_fault: bool) -> None:
        """Raises StoreError where not even that works; then the rows are due when their lease is over."""
        # Of a fault of our own only the name is kept: its text may repeat what it stumbled over.
        error = str(fault) if isinstance(fault, StoreError) else f"a look failed with {type(fault).__name__}"
        with self._store.transaction() as session:
            now = self._now()
            for each in taken:
                _bury_if_hopeless(session, each, now + back_off(each), error, now, at_fault=at_fault)


def again_at(
    subjects: Sequence[Subject], changes: Sequence[Changes], now: datetime
) -> dict[Subject, datetime]:
    """When time alone may change what should stand about whom. Never at once: a look that asks for itself spins."""
    pairs = zip(subjects, changes, strict=True)
    return {one: max(each.look_again_at, now + AGAIN_MIN) for one, each in pairs if each.look_again_at}


def look_again(session: Session, at: Mapping[Subject, datetime]) -> None:
    """Marks subjects for these moments, to be judged then."""
    for moment in sorted(set(at.values())):
        worklist.mark(session, [one for one, due in at.items() if due == moment], moment, reading=False)


def back_off(taken: Taken, problem: ObservationError | None = None) -> timedelta:
    """How long to wait before the next look: ever longer, and never shorter than they asked for."""
    wait_s = BACK_OFF_S[min(taken.takes, len(BACK_OFF_S)) - 1]
    if isinstance(problem, RateLimited) and problem.retry_after_s is not None:
        wait_s = max(wait_s, problem.retry_after_s)
    return timedelta(seconds=wait_s)


def _ended(seen: Observed, taken: Sequence[Taken]) -> list[Taken]:
    """The rows that were read, and so looked at to the end."""
    return [each for each in taken if each.subject not in seen.failed]


def _waited(taken: Taken, now: datetime) -> timedelta:
    """Since it was marked: since it was last due, and all the times that it had waited before."""
    return now - taken.due + timedelta(seconds=sum(BACK_OFF_S[: taken.takes - 1]))


def _bury_if_hopeless(
    session: Session, taken: Taken, due: datetime, error: str, now: datetime, *, at_fault: bool
) -> None:
    for subject in worklist.put_back(session, [taken], due, error, now=now, at_fault=at_fault):
        witness.set_aside(session, subject, error, now)
