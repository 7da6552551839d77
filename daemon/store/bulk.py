"""Many new rows in one statement, as each database takes them fastest: sweeps write a hundred thousand of them.

SQLAlchemy's own way costs several times what the rows cost to read from Stripe and decode. What differs between the
databases is how rows are handed over; which rows, and what happens to those that are there already, is the same.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Table
from sqlmodel import Session

from daemon.core.canonical import canonical
from daemon.store.statements import is_postgres
from daemon.store.tables.base import Document, Instant, microseconds

Given = Mapping[str, Any]


def insert_new(session: Session, table: Table, rows: Sequence[Given]) -> set[str]:
    """Inserts the rows whose keys are not there yet; the last part of the key of those that were not.

    On SQLite the caller has looked, in this transaction, that none is there: nobody else writes meanwhile.
    """
    if not rows:
        return set()
    identity = list(table.primary_key.columns)[-1].name
    names = tuple(rows[0])
    plain = [_plain(table.c[name]) for name in names]
    cursor = session.connection().connection.cursor()
    try:
        if not is_postgres(session):
            values = [[to(row[name]) for name, to in zip(names, plain, strict=True)] for row in rows]
            cursor.executemany(_on_sqlite(table, names), values)
            return {str(row[identity]) for row in rows}
        columns = [[to(row[name]) for row in rows] for name, to in zip(names, plain, strict=True)]
        cursor.execute(_on_postgres(table, names), columns)
        return {str(id_) for (id_,) in cursor.fetchall()}
    finally:
        cursor.close()


@cache
def _on_sqlite(table: Table, names: tuple[str, ...]) -> str:
    places = ", ".join("?" * len(names))
    return f"INSERT INTO {table.name} ({_listed(names)}) VALUES ({places})"  # noqa: S608 - the columns are ours


@cache
def _on_postgres(table: Table, names: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%s::{_type_of(table.c[name])}[]" for name in names)
    identity = list(table.primary_key.columns)[-1].name
    return (
        f"INSERT INTO {table.name} ({_listed(names)}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - the same
        f"ON CONFLICT DO NOTHING RETURNING {identity}"
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)  # one of them is called key


def _plain(column: Column[Any]) -> Callable[[Any], Any]:
    """From the value in Python to what the driver is given."""
    match column.type:
        case Instant():
            return _microseconds
        case Document():
            return _document
        case _:
            return _same


def _type_of(column: Column[Any]) -> str:
    match column.type:
        case Instant() | BigInteger():
            return "bigint"
        case LargeBinary():
            return "bytea"
        case Boolean():
            return "boolean"
        case _:
            return "text"


def _microseconds(value: Any) -> int | None:
    return None if value is None else microseconds(value)


def _document(value: Any) -> str | None:
    return None if value is None else canonical(value).decode()


def _same(value: Any) -> Any:
    return value
