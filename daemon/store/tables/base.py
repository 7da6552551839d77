"""What all tables share: one metadata with named constraints, and the types of columns that need care."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from sqlalchemy import BigInteger, CheckConstraint, Dialect, Integer, MetaData, Text, TypeDecorator, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from daemon.core.canonical import Json, canonical

# Names that both databases and every migration agree on; without them a later migration cannot drop one.
NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
METADATA = MetaData(naming_convention=NAMES)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def microseconds(at: datetime) -> int:
    """A moment as the database holds it."""
    return (at - _EPOCH) // _MICROSECOND


class Row(SQLModel, registry=registry(metadata=METADATA)):
    """The base of every table."""


class Instant(TypeDecorator[datetime]):
    """A moment: an aware datetime in Python, whole microseconds since 1970 (UTC) in the database.

    SQLite has no type for time and loses zones; a whole number compares, sorts and indexes the same on both
    databases, and cannot be misread as local time.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone is not stored")
        return microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return _moment_or_none(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        return _moment_or_none  # without a detour for every value: rows are read by the hundred thousand


def _moment_or_none(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


class Document(TypeDecorator[Any]):
    """A nested value as its canonical JSON text: no floats, and the same text for the same value."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Json, dialect: Dialect) -> str | None:
        return None if value is None else canonical(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


# Two spellings each, since SQLModel does not look into `Moment | None`.
Moment = Annotated[datetime, Field(sa_type=Instant)]
MaybeMoment = Annotated[datetime | None, Field(sa_type=Instant)]
Whole = Annotated[int, Field(sa_type=BigInteger)]  # amounts, counters and marks outgrow 32 bits
MaybeWhole = Annotated[int | None, Field(sa_type=BigInteger)]
Tree = Annotated[Any, Field(sa_type=Document)]
MaybeTree = Annotated[Any, Field(sa_type=Document, nullable=True)]

SEQUENCE = BigInteger().with_variant(Integer, "sqlite")  # there, only INTEGER is the row's own place


def one_of(column: str, allowed: Iterable[str], name: str | None = None) -> CheckConstraint:
    """A closed set of words, kept by the database too: a typo must not make a row that nobody looks for."""
    words = ", ".join(f"'{word}'" for word in allowed)
    return CheckConstraint(f"{column} IN ({words})", name=name or f"{column}_known")


def only(condition: str) -> dict[str, Any]:
    """What makes an index partial, on either database."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def at_first(value: str) -> dict[str, Any]:
    """What rows get that were there before the column was, as SQL."""
    return {"server_default": text(value)}
