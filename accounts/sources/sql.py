"""Rows of a database: a server-side cursor for reading, one statement in one transaction for writing.

The only module that turns SQLAlchemy's errors for foreign databases into ours.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, CursorResult, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from accounts.configuration import SecretUnreadable
from accounts.errors import (
    ActionError,
    Forbidden,
    Malformed,
    ObservationError,
    Refused,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from accounts.secret import Secret
from accounts.sources import Page
from accounts.sources.configuration import Sql, bound_names
from accounts.sources.shape import Shape
from accounts.sources.values import shown, written

CONNECT_S = 10
STATEMENT_S = 60  # for the first row; a query that needs longer should become a table
LOCKED_S = 5  # another program's transaction in a SQLite file
ROWS_PER_PAGE = 500
THEIR_WORDS_MAX = 200

_WRONG_PASSWORD = ("28000", "28P01")
_NO_PERMISSION = "42501"
_CANCELLED = "57014"

Row = TypeVar("Row")


class SqlRows(Generic[Row]):
    """Connects for each question: asked a few times an hour, a pool would only hold connections open."""

    def __init__(
        self,
        source: str,
        sql: Sql,
        needed: tuple[str, ...],
        shape: Shape[Row],
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._sql = sql
        self._needed = needed
        self._shape = shape
        self._now = now

    @property
    def per_account(self) -> bool:
        return "stripe_account" in bound_names(self._sql.query)

    def pages(self, stripe_account: str) -> Iterator[Page[Row]]:
        """Every row there is, as of one moment: before the query was sent, whose snapshot they all are."""
        observed_at = self._now()
        bound = {"stripe_account": stripe_account} if self.per_account else {}
        with self._reading(self._sql.query, bound) as result:
            for number, partition in enumerate(result.mappings().partitions(ROWS_PER_PAGE), 1):
                place = f"page {number} (rows {(number - 1) * ROWS_PER_PAGE + 1} on)"
                rows = self._shape.page((dict(row) for row in partition), self._source, place)
                yield Page(tuple(rows), tuple(rows.values()), observed_at)

    def one(self, key: str, stripe_account: str) -> Row | None:
        """The row of this key; None where there is none."""
        if self._sql.read is None:
            raise Malformed(f"{self._source}: it cannot be asked for one {self._shape.noun}; configure read.")
        known = {"key": key, "stripe_account": stripe_account}
        bound = {name: known[name] for name in bound_names(self._sql.read)}
        with self._reading(self._sql.read, bound) as result:
            found = [dict(row) for row in result.mappings().fetchmany(2)]
        if not found:
            return None
        place = f"the answer for {shown(key)}"
        rows = self._shape.page(found, self._source, place)
        if rows.keys() != {key}:
            raise Malformed(
                f"{self._source}: asked for {self._shape.noun} {shown(key)}, it answered with other ones."
            )
        # Of lists by account, no list shows a row that has lost its account: whoever comes new would not know it.
        if self.per_account and "stripe_account" in found[0] and found[0]["stripe_account"] in {None, ""}:
            return None
        return rows[key]

    def write(self, statement: str, values: Mapping[str, object]) -> None:
        """Runs it and keeps it if it touched exactly one row. Raises Refused, or Uncertain where the answer to
        the commit was lost."""
        bound = {name: values[name] for name in bound_names(statement)}
        committing = False
        try:
            with self._engine(read_only=False).connect() as connection:
                touched = connection.execute(text(statement), bound).rowcount
                if touched != 1:
                    connection.rollback()
                    raise Refused(
                        f"{self._source}: the statement touched {touched} rows, not one, and was rolled back. Read "
                        "again: it may have changed meanwhile.",
                        code="rows",
                    )
                committing = True
                connection.commit()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._unwritten(error, committing) from None
        except ObservationError as no_connection:
            raise Refused(f"{no_connection} Nothing was written.", code="not_sent") from None

    @contextmanager
    def _reading(self, query: str, bound: Mapping[str, object]) -> Iterator[CursorResult[Any]]:
        try:
            with self._engine(read_only=True).connect() as connection:
                streamed = connection.execution_options(stream_results=True, yield_per=ROWS_PER_PAGE)
                with streamed.execute(text(query), bound) as result:
                    self._check_columns(tuple(result.keys()))
                    yield result
        except (SQLAlchemyError, sqlite3.Error, OverflowError, ValueError) as error:
            self._unread(error)

    def _engine(self, *, read_only: bool) -> Engine:
        url = make_url(self._sql.url)
        if url.get_backend_name() == "sqlite":
            return _sqlite(url, read_only=read_only)
        try:
            password: Secret | None = self._sql.password.read() if self._sql.password else None
        except SecretUnreadable as problem:
            raise Unauthorized(f"{self._source}: {problem}. Nothing was asked.") from None
        if password is not None:
            url = url.set(password=password.reveal())
        arguments: dict[str, Any] = {}
        if url.get_backend_name() == "postgresql":
            options = (
                f"-c statement_timeout={STATEMENT_S * 1000} -c default_transaction_read_only={read_only}"
            )
            arguments = {"connect_timeout": CONNECT_S, "options": options}
        return create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)

    def _check_columns(self, columns: tuple[str, ...]) -> None:
        unknown = [name for name in columns if name not in self._shape.parsers]
        missing = [name for name in self._needed if name not in columns]
        if unknown or missing or len(set(columns)) != len(columns):
            wrong = (
                f"an unknown column {shown(unknown[0])}"
                if unknown
                else f"no column {shown(missing[0])}"
                if missing
                else "a column twice"
            )
            raise Malformed(
                f"{self._source}: the query gives {wrong}. Name its columns with “as”, from: "
                f"{', '.join(self._shape.parsers)}."
            )

    def _unread(self, error: Exception) -> NoReturn:
        said, state = _their_words(error), _sqlstate(error)
        if state in _WRONG_PASSWORD or "password authentication failed" in said:
            raise Unauthorized(
                f"{self._source}: the database does not know our user or password. Renew it."
            ) from None
        if state == _NO_PERMISSION:
            raise Forbidden(
                f"{self._source}: our user may not read this ({said}). Grant select on it."
            ) from None
        if _is_passing(error):
            raise Unreachable(
                f"{self._source}: the database gave no answer ({said}). It is asked again later."
            ) from None
        raise Malformed(
            f"{self._source}: the query could not be read to its end ({said}). Correct it."
        ) from None

    def _unwritten(self, error: Exception, committing: bool) -> ActionError:
        said = _their_words(error)
        if committing and _is_passing(error):
            return Uncertain(
                f"{self._source}: the answer to the commit was lost ({said}). Read before writing again."
            )
        return Refused(
            f"{self._source}: the database refused ({said}). Nothing was written.", code=_sqlstate(error)
        )


def _sqlite(url: URL, *, read_only: bool) -> Engine:
    # mode=rw: a mistyped path must not become an empty database, in which everything is absent.
    address = f"file:{quote(str(Path(url.database or '')))}?mode=rw"
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True, timeout=LOCKED_S, check_same_thread=False),
        poolclass=NullPool,
        hide_parameters=True,
    )
    if read_only:
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
    return engine


def _is_passing(error: Exception) -> bool:
    """Whether it may be better in a minute: no connection, a lock, a timeout. (A missing table has the same class.)"""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError | InterfaceError | sqlite3.OperationalError):
        return False
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        return code in {
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
        }
    state = _sqlstate(error)
    return state is None or state == _CANCELLED or state[:2] in {"08", "53", "55", "57"}


def _sqlstate(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _their_words(error: Exception) -> str:
    """The driver's own first line: SQLAlchemy's text repeats the statement."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return "".join(letter for letter in lines[0] if letter.isprintable())[:THEIR_WORDS_MAX]


def change_parameters(
    source: str, statement: str, read: Mapping[str, object], changes: Mapping[str, object]
) -> dict[str, object]:
    """What an update binds: every field as it shall be, and as it was read under its name with `_before`.

    A change that the statement has no place for is refused; it would be reported as written and not be.
    """
    if unbound := changes.keys() - bound_names(statement):
        raise Refused(
            f"{source}: write.update has no place for {min(unbound)}. Add “:{min(unbound)}” to the statement.",
            code="unmapped",
        )
    before = {f"{name}_before": value for name, value in read.items()}
    return {name: written(value) for name, value in {**read, **changes, **before}.items()}
