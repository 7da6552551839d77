"""The few statements that SQLAlchemy spells differently for the two databases, and lists cut to a size they take."""

from collections.abc import Iterable, Iterator, Sequence
from operator import eq
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Table,
    Text,
    and_,
    any_,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

ROWS_A_STATEMENT = 500  # SQLite takes 32,766 values in one, and 1,000 alternatives

T = TypeVar("T")


def is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def insert_into(session: Session, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that knows ON CONFLICT."""
    return postgresql.insert(table) if is_postgres(session) else sqlite.insert(table)


def among(
    session: Session, columns: Sequence[Column[Any]], keys: Iterable[Sequence[str]]
) -> ColumnElement[bool]:
    """Rows whose columns hold one of these keys, spelled so that an index over the columns is used.

    `(a, b, c) IN (VALUES …)` would read the whole table on SQLite. Pass keys in portions, with few distinct beginnings.
    """
    groups: dict[Sequence[str], list[str]] = {}
    for key in keys:
        groups.setdefault(key[:-1], []).append(key[-1])
    return or_(
        false(),
        *(
            and_(*map(eq, columns, beginning), within(session, columns[-1], ends))
            for beginning, ends in groups.items()
        ),
    )


def portions(rows: Sequence[T], size: int = ROWS_A_STATEMENT) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def within(session: Session, column: ColumnElement[Any], texts: Iterable[str]) -> ColumnElement[bool]:
    """Rows whose column holds one of these texts. They go over as one value: each as its own would cost more than
    the rows that it finds, where there are hundreds."""
    if is_postgres(session):
        # An array and no subquery: for that, a table without statistics is walked through from end to end.
        return column == any_(cast(literal(_array(texts), Text), ARRAY(Text)))
    given = msgspec.json.encode(list(texts), enc_hook=str).decode()
    return column.in_(select(func.json_each(given).table_valued("value").c.value))


def _array(texts: Iterable[str]) -> str:
    """As PostgreSQL writes an array of texts."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{each}"' for each in quoted) + "}"
