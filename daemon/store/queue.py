"""The queue: cases as people read them, most urgent first, page by page.

A page begins after the last row of the one before it, by the columns of its order. None of them is ever empty and all
ascend, so nothing is shown twice or left out because the queue moved meanwhile.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Row, Select, Text, cast, func, literal, or_, select, tuple_, union_all
from sqlmodel import Session

from daemon.store.cases import CASES
from daemon.store.tables.base import microseconds, moment
from daemon.store.tables.desk import URGENCY

Sort = Literal["urgency", "due", "opened", "amount"]

ORDERS: Final[dict[Sort, tuple[str, ...]]] = {
    "urgency": URGENCY,
    "due": ("due_order", "severity_rank", "opened_at", "id"),
    "opened": ("opened_at", "id"),
    "amount": ("amount_order", "severity_rank", "opened_at", "id"),
}
STANDING: Final = ("open", "snoozed")


class BadCursor(ValueError):
    """The cursor is not one that a page of this order gave."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases, and in which order."""

    accounts: Sequence[str] = ()  # none: all
    kinds: Sequence[str] = ()
    states: Sequence[str] = STANDING
    severities: Sequence[str] = ()
    assignee: str | None = None
    due_before: datetime | None = None
    amount_min: int | None = None  # in minor units of whatever currency the case has
    text: str | None = None  # in the title, or an id that the case is about
    sort: Sort = "urgency"
    now: datetime | None = None  # whose lease is over by then has no case any more; None: leases have no end


@dataclass(frozen=True, slots=True)
class Listed:
    rows: Sequence[Row[Any]]
    total: int
    next: str | None


def page(session: Session, wanted: Wanted, *, limit: int | None = None, cursor: str | None = None) -> Listed:
    """Cases in order, at most `limit`; raises BadCursor."""
    conditions = list(_conditions(wanted))
    total = session.scalar(select(func.count()).select_from(CASES).where(*conditions)) or 0
    if cursor is not None:
        order = [CASES.c[name] for name in ORDERS[wanted.sort]]
        after = zip(_position(cursor, wanted.sort), order, strict=True)
        # Each value in its column's own type: a moment that is not one compares as text.
        conditions.append(tuple_(*order) > tuple_(*(literal(value, column.type) for value, column in after)))
    rows = session.execute(_query(wanted, conditions, None if limit is None else limit + 1)).all()
    if limit is None or len(rows) <= limit:
        return Listed(rows, total, None)
    return Listed(rows[:limit], total, _cursor(rows[limit - 1], wanted.sort))


def one(session: Session, id: str) -> Row[Any] | None:
    """The case of this id."""
    return session.execute(select(CASES).where(CASES.c.id == id)).first()


def _query(wanted: Wanted, conditions: Sequence[ColumnElement[bool]], limit: int | None) -> Select[Any]:
    """These rows in order.

    The index is in order within one state. PostgreSQL would sort all that stand for the first fifty of several states,
    so each state gives its first ones, and of those the first are taken.
    """
    names = ORDERS[wanted.sort]
    query = select(CASES).where(*conditions)
    states = tuple(dict.fromkeys(wanted.states))
    if limit is None or len(states) < 2:
        return query.order_by(*(CASES.c[name] for name in names)).limit(limit)
    order = [CASES.c[name] for name in names]
    firsts = [
        select(query.where(CASES.c.state == state).order_by(*order).limit(limit).subquery())
        for state in states
    ]
    found = union_all(*firsts).subquery()
    return select(found).order_by(*(found.c[name] for name in names)).limit(limit)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        CASES.c[column].in_(list(values))
        for column, values in (
            ("account", wanted.accounts),
            ("kind", wanted.kinds),
            ("state", wanted.states),
            ("severity", wanted.severities),
        )
        if values
    ]
    if wanted.assignee is not None:
        found.append(CASES.c.assignee == wanted.assignee)
        if wanted.now is not None:
            found.append(CASES.c.assigned_until > wanted.now)
    if wanted.due_before is not None:
        found.append(CASES.c.due_order < microseconds(wanted.due_before))
    if wanted.amount_min is not None:
        found.append(CASES.c.amount >= wanted.amount_min)
    if wanted.text:
        found.append(
            or_(
                CASES.c.title.icontains(wanted.text, autoescape=True),
                cast(CASES.c.object_ids, Text).contains(f'"{wanted.text}"', autoescape=True),
                CASES.c.id == wanted.text,
            )
        )
    return found


def _cursor(row: Row[Any], sort: Sort) -> str:
    values = [
        microseconds(value) if isinstance(value, datetime) else value
        for value in (getattr(row, name) for name in ORDERS[sort])
    ]
    return base64.urlsafe_b64encode(json.dumps([sort, *values]).encode()).decode()


def _position(cursor: str, sort: Sort) -> list[Any]:
    names = ORDERS[sort]
    try:
        of, *values = json.loads(base64.urlsafe_b64decode(cursor))
        if of != sort or len(values) != len(names):
            raise ValueError("of another order")
        return [
            moment(value) if name == "opened_at" else _type_of(name)(value)
            for name, value in zip(names, values, strict=True)
        ]
    except (binascii.Error, ValueError, TypeError, OverflowError):
        raise BadCursor("The cursor is not one that a page of this order gave; begin without one.") from None


def _type_of(name: str) -> type[str] | type[int]:
    return str if name == "id" else int
