"""The few statements that SQLAlchemy spells differently for the two databases, and lists cut to a size they take."""

from collections.abc import Iterable, Iterator, Sequence
from operator import eq
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Table, and_, false, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

ROWS_A_STATEMENT = 500  # SQLite takes 32,766 values in one, and 1,000 alternatives

T = TypeVar("T")


def is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def insert_into(session: Session, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that knows ON CONFLICT."""
    return postgresql.insert(table) if is_postgres(session) else sqlite.insert(table)


def among(columns: Sequence[Column[Any]], keys: Iterable[Sequence[Any]]) -> ColumnElement[bool]:
    """Rows whose columns hold one of these keys, spelled so that an index over the columns is used.

    `(a, b, c) IN (VALUES …)` would read the whole table on SQLite. Pass keys in portions, with few distinct beginnings.
    """
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for *beginning, last in keys:
        groups.setdefault(tuple(beginning), []).append(last)
    return or_(
        false(),
        *(and_(*map(eq, columns, beginning), columns[-1].in_(ends)) for beginning, ends in groups.items()),
    )


def portions(rows: Sequence[T], size: int = ROWS_A_STATEMENT) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
