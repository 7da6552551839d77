"""Many new rows in one statement, as each database takes them fastest: sweeps write a hundred thousand of them.

SQLAlchemy's own way costs several times what the rows cost to read from Stripe and decode. What differs between the
databases is how rows are handed over; which rows, and what happens to those that are there already, is the same.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Table, text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlmodel import Session

from daemon.core.canonical import canonical
from daemon.store.statements import is_postgres
from daemon.store.tables.base import Document, Instant, microseconds

Given = Mapping[str, Any]


def insert_new(session: Session, table: Table, rows: Sequence[Given], *, looked: bool) -> set[str]:
    """Inserts the rows whose keys are not there yet; the last part of the key of those that were not.

    SQLite does not say which those are. If the caller has `looked`, in this transaction, all are: nobody else writes
    meanwhile. If not, and one is there, none is inserted.
    """
    if not rows:
        return set()
    identity = list(table.primary_key.columns)[-1].name
    names = tuple(rows[0])
    values = _values(names, [_plain(table.c[name]) for name in names], rows)
    cursor = session.connection().connection.cursor()
    try:
        if not is_postgres(session):
            all_new = _insert_all(cursor, _on_sqlite(table, names), values, looked)
            return {str(row[identity]) for row in rows} if all_new else set()
        given = [dict(zip(names, row, strict=True)) for row in values]
        cursor.execute(_on_postgres(table, names), (msgspec.json.encode(given, enc_hook=str).decode(),))
        return {str(id_) for (id_,) in cursor.fetchall()}
    finally:
        cursor.close()


def _insert_all(cursor: DBAPICursor, insert: str, values: Sequence[Sequence[Any]], looked: bool) -> bool:
    """Inserts all of these, or none if one of them turns out to be there; whether it did."""
    cursor.execute("SAVEPOINT page")
    try:
        cursor.executemany(insert, values)
    except sqlite3.IntegrityError:
        cursor.execute("ROLLBACK TO page")
        if looked:
            raise
        return False
    finally:
        cursor.execute("RELEASE page")
    return True


def take_stock(session: Session, table: Table) -> None:
    """Tells PostgreSQL how much there is, after it became much at once; by itself it would notice in a minute or two,
    and until then answer questions about single rows by reading all of them. SQLite does not guess."""
    if is_postgres(session):
        session.execute(text(f"ANALYZE {table.name}"))


@cache
def _on_sqlite(table: Table, names: tuple[str, ...]) -> str:
    places = ", ".join("?" * len(names))
    return f"INSERT INTO {table.name} ({_listed(names)}) VALUES ({places})"  # noqa: S608 - the columns are ours


@cache
def _on_postgres(table: Table, names: tuple[str, ...]) -> str:
    columns = [table.c[name] for name in names]
    given = ", ".join(f'"{each.name}" {_type_of(each)}' for each in columns)
    read = ", ".join(
        f"decode(\"{each.name}\", 'base64')" if isinstance(each.type, LargeBinary) else f'"{each.name}"'
        for each in columns
    )
    identity = list(table.primary_key.columns)[-1].name
    return (
        f"INSERT INTO {table.name} ({_listed(names)}) "  # noqa: S608 - the same
        f"SELECT {read} FROM json_to_recordset(%s::json) AS given ({given}) "
        f"ON CONFLICT DO NOTHING RETURNING {identity}"
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)  # one of them is called key


def _values(
    names: tuple[str, ...], plain: Sequence[Callable[[Any], Any] | None], rows: Sequence[Given]
) -> list[list[Any]]:
    """The rows as the driver is given them, in the order of these names."""
    of = itemgetter(*names)
    turned = [(place, to) for place, to in enumerate(plain) if to is not None]
    values = [list(of(row)) for row in rows]
    for row in values:
        for place, to in turned:
            row[place] = to(row[place])
    return values


def _plain(column: Column[Any]) -> Callable[[Any], Any] | None:
    """From the value in Python to what the driver is given; None where they are the same."""
    match column.type:
        case Instant():
            return _microseconds
        case Document():
            return _document
        case _:
            return None


def _type_of(column: Column[Any]) -> str:
    match column.type:
        case Instant() | BigInteger():
            return "bigint"
        case Boolean():
            return "boolean"
        case _:
            return "text"


def _microseconds(value: Any) -> int | None:
    return None if value is None else microseconds(value)


def _document(value: Any) -> str | None:
    return None if value is None else canonical(value).decode()
