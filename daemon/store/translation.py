"""Every error of a database driver becomes one of ours, with a sentence, here and nowhere else."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy.exc

from accounts.secret import redact
from daemon.store.errors import Conflict, Locked, NotOurs, StoreError, Unavailable, Unsuitable
from daemon.store.place import Place

_BUSY = frozenset(("SQLITE_BUSY", "SQLITE_LOCKED"))
_CANNOT_BE_USED = {
    "SQLITE_CANTOPEN": "cannot be opened. Does its folder exist, and may this user write there?",
    "SQLITE_READONLY": "cannot be written. May this user write to the file and its folder?",
    "SQLITE_PERM": "cannot be written. May this user write to the file and its folder?",
    "SQLITE_FULL": "cannot grow: the disk is full.",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error.",
    "SQLITE_CORRUPT": "is damaged. Restore the newest backup, and keep the damaged file for a look.",
}


@contextmanager
def translated(place: Place) -> Iterator[None]:
    """What the database refuses leaves this block as a StoreError; our own mistakes in SQL stay what they are."""
    try:
        yield
    except sqlalchemy.exc.TimeoutError:
        raise Locked(f"{place} has no free connection, and none came free in time; try again.") from None
    except (sqlalchemy.exc.DBAPIError, sqlite3.Error, psycopg.Error) as error:
        # A driver's own error comes from the few statements that are handed to it directly.
        said = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
        ours = _said_by_sqlite(place, said) or _said_by_postgres(place, said)
        if ours is None:
            raise
        raise ours from None  # the driver's error may show a whole row; what we say of it does not


def _said_by_sqlite(place: Place, error: BaseException | None) -> StoreError | None:
    if not isinstance(error, sqlite3.Error):
        return None
    name = str(getattr(error, "sqlite_errorname", ""))
    kind = "_".join(name.split("_")[:2])  # SQLITE_BUSY_SNAPSHOT is a SQLITE_BUSY
    if kind in _BUSY:
        return Locked(f"{place} is locked by another process for too long; try again.")
    if kind in _CANNOT_BE_USED:
        return Unavailable(f"{place} {_CANNOT_BE_USED[kind]}")
    if kind == "SQLITE_NOTADB":
        return NotOurs(f"{place} is not an SQLite file. Name another file; this one was left alone.")
    if kind == "SQLITE_CONSTRAINT":
        return Conflict(f"{place} refused a row: {_first_line(error)}.")
    if _first_line(error).startswith("Could not decode"):
        return Unavailable(f"{place} {_CANNOT_BE_USED['SQLITE_CORRUPT']}")
    if _first_line(error).startswith("no such table"):
        return Unsuitable(f"{place} lacks a table. Run `reconciled db check`.")
    return None


def _said_by_postgres(place: Place, error: BaseException | None) -> StoreError | None:
    match error:
        case psycopg.errors.DeadlockDetected() | psycopg.errors.LockNotAvailable():
            return Locked(f"{place} is locked by somebody else for too long; try again.")
        case psycopg.errors.SerializationFailure():
            return Locked(f"{place} was changed by somebody else at the same time; try again.")
        case psycopg.IntegrityError():
            return Conflict(f"{place} refused a row: {_first_line(error)}.")
        case psycopg.errors.UndefinedTable():
            return Unsuitable(f"{place} lacks a table. Run `reconciled db check`.")
        case psycopg.errors.ReadOnlySqlTransaction():
            return Unavailable(
                f"{place} cannot be written: this transaction, or the whole server, is read-only."
            )
        case psycopg.errors.InsufficientPrivilege():
            return Unavailable(f"{place} does not allow it to this user: {_first_line(error)}.")
        case psycopg.errors.InvalidCatalogName():
            return Unavailable(f"{place} does not exist on its server. Create it with `createdb`.")
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return Unavailable(
                f"{place} does not answer: {_first_line(error)}. Is the server up, and the address right?"
            )
    return None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return redact(text.split("\n", 1)[0].strip().rstrip(".")) if text else type(error).__name__
