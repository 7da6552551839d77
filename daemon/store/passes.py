"""Passes and outages: which classes of which source were read completely, when, and which cannot be read now.

A class is complete for an account once a pass over it has ended, and for as long as nothing has failed since. Both
are written under the account's name also where one reading of a source serves several accounts:

    Stripe          (slug, "stripe", the resource's name)       customers, disputes …
    a CRM           (slug, "crm:NAME", "records")
    entitlements    (slug, "entitlements:NAME", "entitlements")

Whatever changes here moves one number, so that who keeps a picture of it knows when it is out of date.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Table, delete, func, select, update
from sqlmodel import Session

from accounts.facts import Subject
from daemon.store import cursors, worklist
from daemon.store.marks import next_mark
from daemon.store.statements import insert_into
from daemon.store.tables import table

PASSES = table("passes")
OUTAGES = table("outages")

STRIPE: Final = "stripe"
RECORDS: Final = "records"
ENTITLEMENTS: Final = "entitlements"
EVERYWHERE: Final = ""  # the account of what belongs to none
PICTURE: Final = "passes"  # the cursor that moves with every change
PASSES_KEPT: Final = 20  # of one class: enough to see a rhythm


@dataclass(frozen=True, slots=True)
class Reading:
    """A class of a source, as an account has it."""

    account: str
    source: str
    class_name: str


@dataclass(frozen=True, slots=True)
class Completeness:
    """How well a class is known."""

    first_ended_at: datetime
    last_began_at: datetime  # of the last pass that ended: everything was read at this moment or later


@dataclass(frozen=True, slots=True)
class Outage:
    since: datetime
    reason: str
    error: str


def crm(name: str) -> str:
    return f"crm:{name}"


def entitlements(name: str) -> str:
    return f"entitlements:{name}"


def begin(session: Session, reading: Reading, slot: str, mark: int, now: datetime) -> bool:
    """Whether this pass is ours to make: the first who comes with a slot gets it."""
    insert = insert_into(session, PASSES).values(
        account=reading.account,
        source=reading.source,
        class_name=reading.class_name,
        slot=slot,
        mark=mark,
        started_at=now,
        objects=0,
    )
    return bool(session.execute(insert.on_conflict_do_nothing().returning(PASSES.c.slot)).all())


def end(session: Session, reading: Reading, slot: str, objects: int, now: datetime) -> None:
    """Everything of this class was read; whatever failed before is over."""
    session.execute(
        update(PASSES)
        .where(*_of(PASSES, reading), PASSES.c.slot == slot)
        .values(finished_at=now, objects=objects)
    )
    _forget_old(session, reading)
    if not recover(session, [reading], now):
        _redraw(session, now)


def fail(session: Session, reading: Reading, reason: str, error: str, now: datetime) -> None:
    """It could not be read. Only the first failure is written; the others change nothing."""
    insert = insert_into(session, OUTAGES).values(
        account=reading.account,
        source=reading.source,
        class_name=reading.class_name,
        since=now,
        reason=reason,
        error=error,
    )
    if session.execute(insert.on_conflict_do_nothing().returning(OUTAGES.c.since)).all():
        _look_at_accounts(session, [reading], now)


def recover(session: Session, readings: Iterable[Reading], now: datetime) -> list[Reading]:
    """These were read again, one by one if not as a whole; answers those of them that had failed."""
    recovered = [
        each
        for each in readings
        if session.execute(delete(OUTAGES).where(*_of(OUTAGES, each)).returning(OUTAGES.c.since)).all()
    ]
    if recovered:
        _look_at_accounts(session, recovered, now)
    return recovered


def last_mark(session: Session, reading: Reading) -> int | None:
    """The number with which the last pass that ended had begun; what was seen under a smaller one, it did not see."""
    query = select(func.max(PASSES.c.mark)).where(*_of(PASSES, reading), PASSES.c.finished_at.is_not(None))
    found = session.scalar(query)
    return None if found is None else int(found)


def picture(session: Session) -> str | None:
    """A text that is another one after every change."""
    return cursors.position(session, EVERYWHERE, PICTURE)


def complete(session: Session) -> dict[Reading, Completeness]:
    """All classes of all accounts of which a pass has ended."""
    ended = select(
        PASSES.c.account,
        PASSES.c.source,
        PASSES.c.class_name,
        func.min(PASSES.c.finished_at).label("first_ended_at"),
        func.max(PASSES.c.started_at).label("last_began_at"),
    ).where(PASSES.c.finished_at.is_not(None))
    grouped = ended.group_by(PASSES.c.account, PASSES.c.source, PASSES.c.class_name)
    return {
        _reading(row): Completeness(row.first_ended_at, row.last_began_at) for row in session.execute(grouped)
    }


def ended_since(session: Session, since: datetime) -> dict[Reading, int]:
    """The classes of which a pass has ended that began at this moment or later, and how many objects it read."""
    ended = select(PASSES).where(PASSES.c.started_at >= since, PASSES.c.finished_at.is_not(None))
    rows = session.execute(ended.order_by(PASSES.c.started_at))
    return {_reading(row): int(row.objects) for row in rows}


def outages(session: Session) -> dict[Reading, Outage]:
    """Everything that cannot be read now."""
    return {
        _reading(row): Outage(row.since, row.reason, row.error) for row in session.execute(select(OUTAGES))
    }


def _forget_old(session: Session, reading: Reading) -> None:
    """Keeps the first pass that ended, which says when we adopted the account, and the newest ones."""
    newest = (
        select(PASSES.c.slot)
        .where(*_of(PASSES, reading))
        .order_by(PASSES.c.started_at.desc())
        .limit(PASSES_KEPT)
    )
    first = select(func.min(PASSES.c.finished_at)).where(*_of(PASSES, reading)).scalar_subquery()
    kept = set(session.scalars(newest))
    if len(kept) == PASSES_KEPT:
        session.execute(
            delete(PASSES)
            .where(*_of(PASSES, reading), PASSES.c.slot.not_in(kept))
            .where((PASSES.c.finished_at > first) | PASSES.c.finished_at.is_(None))
        )


def _look_at_accounts(session: Session, readings: Iterable[Reading], now: datetime) -> None:
    """How well an account is seen has changed, which is a fact about the account itself."""
    accounts = {Subject(each.account, "account", each.account) for each in readings}
    worklist.mark(session, accounts, now, reading=False)
    _redraw(session, now)


def _redraw(session: Session, now: datetime) -> None:
    cursors.move(session, EVERYWHERE, PICTURE, str(next_mark(session)), now)


def _of(of: Table, reading: Reading) -> tuple[ColumnElement[bool], ...]:
    return (
        of.c.account == reading.account,
        of.c.source == reading.source,
        of.c.class_name == reading.class_name,
    )


def _reading(row: Row[Any]) -> Reading:
    return Reading(row.account, row.source, row.class_name)
