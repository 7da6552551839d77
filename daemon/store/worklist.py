"""The worklist: which subjects have to be looked at, when, and by whom that is being done.

    mark       look at these again (events, sweeps, actions and people say so)
    take       up to a hundred that are due, with a lease; nobody else gets them meanwhile
    done       looked at; a subject leaves the list unless it was marked again in the meantime
    put_back   not looked at, or not wholly: due again later
    inherit    what a process that is gone had taken is due

It is fair (the longest due comes first, and accounts take turns), stingy (marked ten times is looked at once), never
hands out a subject twice at once, and a mark during a look causes another look. A take whose lease ran out may
be given to somebody else; from then on the first holder's `done` raises LostTake, which rolls back all that it did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, case, delete, func, or_, select, update
from sqlmodel import Session

from accounts.facts import Subject
from daemon.store.errors import LostTake
from daemon.store.marks import current_mark, next_mark
from daemon.store.statements import among, insert_into, is_postgres, portions
from daemon.store.tables import table

__all__ = [
    "NEVER_RETURNED",
    "Buried",
    "Taken",
    "buried",
    "bury_the_never_returned",
    "current_mark",
    "done",
    "inherit",
    "mark",
    "pending",
    "put_back",
    "take",
    "waiting",
    "whose_turn",
]

TAKE_MAX = 100  # one look's transaction: a hundred subjects measured 34 times faster than single ones
FAILURES_MAX = 8  # with the loop's back-off about a day of trying; after that a person should see it
INHERITED_MAX = 4  # of those failures; what a process may have died of is not tried at once at every start
NEVER_RETURNED = "every look at it ended without a word"

WORK = table("worklist")
TURNS = table("turns")
_KEY = (WORK.c.account, WORK.c.kind, WORK.c.id)


@dataclass(frozen=True, slots=True)
class Taken:
    """A subject that is ours to look at, until the lease ends."""

    subject: Subject
    mark: int  # as it was when taken
    stale: int  # what was read under a smaller number must be read again; 0: judge from what is stored
    due: datetime  # as it was when taken
    fence: int  # grows with every take: tells an old holder from a new one
    takes: int  # in a row that did not end well, this one included


@dataclass(frozen=True, slots=True)
class Buried:
    """A dead letter: a subject whose looks failed too often. A new mark digs it up."""

    subject: Subject
    buried_at: datetime
    error: str | None


def mark(session: Session, subjects: Iterable[Subject], due: datetime, *, reading: bool = True) -> None:
    """Each of these is looked at once more, from `due` on.

    `reading` says that the world may have changed, so stored facts must be read again first. Without it they
    are only judged again: after a sweep, which has just read them, or a change of policy.
    """
    ordered = sorted(set(subjects))  # in one order everywhere, or two of us wait for each other's rows
    if not ordered:
        return
    number = next_mark(session)
    insert = insert_into(session, WORK)
    new = insert.excluded
    # On PostgreSQL the number is drawn again under the row's own lock: two that mark one subject then number it
    # in the order in which they commit, and a look that knows only the first never passes for a look at both.
    later = func.nextval("mark_counter") if is_postgres(session) else new.mark
    upsert = insert.on_conflict_do_update(
        index_elements=[WORK.c.account, WORK.c.kind, WORK.c.id],
        set_={
            "mark": later,
            "stale": case((new.stale > WORK.c.stale, new.stale), else_=WORK.c.stale),
            "due": case((new.due < WORK.c.due, new.due), else_=WORK.c.due),
            "buried_at": None,
        },
    )
    same = {"mark": number, "stale": number if reading else 0, "due": due, "takes": 0, "failures": 0}
    for some in portions(ordered):
        session.execute(upsert, [{**subject._asdict(), **same} for subject in some])


def whose_turn(session: Session, now: datetime) -> list[str]:
    """The accounts with something due, the one first that waited longest for its turn."""
    waiting = select(WORK.c.account).where(_due(now)).distinct().subquery()
    turns = waiting.outerjoin(TURNS, TURNS.c.account == waiting.c.account)
    query = select(waiting.c.account).select_from(turns)
    return list(session.scalars(query.order_by(func.coalesce(TURNS.c.turn, 0), waiting.c.account)))


def take(
    session: Session, account: str, *, now: datetime, lease: timedelta, limit: int = TAKE_MAX
) -> list[Taken]:
    """The longest due subjects of an account, now ours until `now + lease`. Commit before you look."""
    due = (
        select(WORK.c.account, WORK.c.kind, WORK.c.id, WORK.c.due)
        .where(WORK.c.account == account, _due(now))
        .order_by(WORK.c.due, WORK.c.kind, WORK.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    due_of = {(row.account, row.kind, row.id): row.due for row in session.execute(due)}
    if not due_of:
        return []
    keys = list(due_of)
    fence = next_mark(session)
    until = now + lease
    taken = session.execute(
        update(WORK)
        .where(among(session, _KEY, keys))
        .values(
            fence=fence,
            taken_until=until,
            due=until,  # a mark during the look pulls it forward again, and so is not forgotten
            takes=WORK.c.takes + 1,
            failures=WORK.c.failures + 1,  # until the look says otherwise: a look that crashes says nothing
        )
        .returning(WORK.c.account, WORK.c.kind, WORK.c.id, WORK.c.mark, WORK.c.stale, WORK.c.takes)
    )
    found = {
        Subject(row.account, row.kind, row.id): Taken(
            Subject(row.account, row.kind, row.id),
            row.mark,
            row.stale,
            due_of[row.account, row.kind, row.id],
            fence,
            row.takes,
        )
        for row in taken
    }
    turn = insert_into(session, TURNS).values(account=account, turn=fence)
    session.execute(turn.on_conflict_do_update(index_elements=[TURNS.c.account], set_={"turn": fence}))
    return [found[Subject(*key)] for key in keys]


def done(
    session: Session, taken: Sequence[Taken], look_again_at: Mapping[Subject, datetime] | None = None
) -> None:
    """These were looked at. Raises LostTake if any is no longer ours; nothing of the look may then be kept."""
    again = look_again_at or {}
    rows = _ours(session, taken)
    finished, staying = [], []
    for each in taken:
        row = rows[each.subject]
        dues = [row.due] if row.mark != each.mark else []
        dues += [again[each.subject]] if each.subject in again else []
        if dues:
            staying.append(_kept(each, due=min(dues), takes=0, failures=0))
        else:
            finished.append(each.subject)
    for some in portions(finished):
        session.execute(delete(WORK).where(among(session, _KEY, some)))
    _let_go(session, staying)


def put_back(
    session: Session,
    taken: Sequence[Taken],
    due: datetime,
    error: str,
    *,
    now: datetime,
    at_fault: bool = False,
) -> list[Subject]:
    """These were not looked at, or not wholly, and are due again; answers those that were buried. Raises LostTake.

    `at_fault`: the subject itself makes looks fail, and is buried when it did so too often. A source that is
    down is no fault of a subject's: it waits for as long as that takes.
    """
    rows = _ours(session, taken)
    staying = []
    for each in taken:
        row = rows[each.subject]
        failures = row.failures if at_fault else max(row.failures - 1, 0)
        staying.append(
            _kept(
                each,
                due=min(row.due, due) if row.mark != each.mark else due,
                takes=row.takes,
                failures=failures,
                error=error,
                buried_at=now if at_fault and failures >= FAILURES_MAX else None,
            )
        )
    _let_go(session, staying)
    pairs = zip(taken, staying, strict=True)
    return [each.subject for each, kept in pairs if kept["new_buried_at"] is not None]


def bury_the_never_returned(session: Session, account: str, now: datetime) -> list[Subject]:
    """Buries who took their process down with them, again and again; to be called before each take. Answers who."""
    found = session.execute(
        update(WORK)
        .where(WORK.c.account == account, WORK.c.buried_at.is_(None), WORK.c.due <= now)
        .where(WORK.c.taken_until <= now, WORK.c.failures >= FAILURES_MAX)
        .values(buried_at=now, fence=None, taken_until=None, error=NEVER_RETURNED)
        .returning(WORK.c.kind, WORK.c.id)
    )
    return sorted(Subject(account, row.kind, row.id) for row in found)


def inherit(session: Session, now: datetime) -> None:
    """What others had taken is due now; to be called by whoever works on this database alone, before it takes any."""
    left = update(WORK).where(WORK.c.taken_until > now, WORK.c.failures <= INHERITED_MAX)
    session.execute(left.values(fence=None, taken_until=None, due=now))


def buried(session: Session, account: str) -> list[Buried]:
    """The dead letters of an account, newest first."""
    query = select(WORK).where(WORK.c.account == account, WORK.c.buried_at.is_not(None))
    return [
        Buried(Subject(row.account, row.kind, row.id), row.buried_at, row.error)
        for row in session.execute(query.order_by(WORK.c.buried_at.desc(), WORK.c.kind, WORK.c.id))
    ]


def waiting(session: Session, accounts: Sequence[str], after: datetime) -> int:
    """How many subjects are to be looked at again, but not before then."""
    later = (WORK.c.account.in_(accounts), WORK.c.due > after, WORK.c.buried_at.is_(None))
    return session.scalar(select(func.count()).select_from(WORK).where(*later)) or 0


def pending(session: Session, accounts: Sequence[str], due_by: datetime, now: datetime) -> int:
    """How many subjects were due by then, and have not been looked at to the end."""
    here = (WORK.c.account.in_(accounts), WORK.c.buried_at.is_(None))
    undone = or_(WORK.c.due <= due_by, WORK.c.taken_until > now)
    return session.scalar(select(func.count()).select_from(WORK).where(*here, undone)) or 0


def _due(now: datetime) -> ColumnElement[bool]:
    free = or_(WORK.c.taken_until.is_(None), WORK.c.taken_until <= now)
    return and_(WORK.c.buried_at.is_(None), WORK.c.due <= now, free)


def _ours(session: Session, taken: Sequence[Taken]) -> dict[Subject, Row[Any]]:
    """The rows of a take, locked; raises LostTake unless every one of them is still ours."""
    columns = (*WORK.primary_key, WORK.c.mark, WORK.c.due, WORK.c.takes, WORK.c.failures, WORK.c.fence)
    rows: dict[Subject, Row[Any]] = {}
    for some in portions(sorted(each.subject for each in taken)):
        query = (
            select(*columns).where(among(session, _KEY, some)).order_by(*WORK.primary_key).with_for_update()
        )
        rows |= {Subject(row.account, row.kind, row.id): row for row in session.execute(query)}
    for each in taken:
        row = rows.get(each.subject)
        if row is None or row.fence != each.fence:
            raise LostTake(
                f"The lease on {each.subject.kind} {each.subject.id} of account {each.subject.account} ran out, "
                "and somebody else took it; this look is thrown away."
            )
    return rows


def _kept(
    each: Taken,
    *,
    due: datetime,
    takes: int,
    failures: int,
    error: str | None = None,
    buried_at: datetime | None = None,
) -> dict[str, Any]:
    key = {"of_account": each.subject.account, "of_kind": each.subject.kind, "of_id": each.subject.id}
    new = {"due": due, "takes": takes, "failures": failures, "error": error, "buried_at": buried_at}
    return {**key, **{f"new_{name}": value for name, value in new.items()}}


_LET_GO = (
    update(WORK)
    .where(WORK.c.account == bindparam("of_account"), WORK.c.kind == bindparam("of_kind"))
    .where(WORK.c.id == bindparam("of_id"))
    .values(fence=None, taken_until=None)
    .values({name: bindparam(f"new_{name}") for name in ("due", "takes", "failures", "error", "buried_at")})
)


def _let_go(session: Session, kept: list[dict[str, Any]]) -> None:
    if kept:
        session.execute(_LET_GO, kept)
