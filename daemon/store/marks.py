"""The one counter of the database that marks come from.

A mark is a number, never a time: clocks differ and step back. A read stores the number that was current before its
request was sent; if that is at least an object's mark, the read was asked for after whatever set the mark.

On SQLite the counter is a row, written by the one writer there is. On PostgreSQL it is a sequence, since a row would
hold up everybody who marks until the first of them commits. A number drawn there by a transaction that was
rolled back is lost, which does no harm; what counts is that it is drawn after what it speaks of has happened.
"""

from sqlalchemy import text
from sqlmodel import Session

from daemon.store.statements import is_postgres

_NEXT_SQLITE = text("UPDATE mark_counter SET mark = mark + 1 RETURNING mark")
_CURRENT_SQLITE = text("SELECT mark FROM mark_counter")
_NEXT_POSTGRES = text("SELECT nextval('mark_counter')")
_CURRENT_POSTGRES = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM mark_counter")


def next_mark(session: Session) -> int:
    """A number greater than every one before it."""
    return int(session.execute(_NEXT_POSTGRES if is_postgres(session) else _NEXT_SQLITE).scalar_one())


def current_mark(session: Session) -> int:
    """The number to remember before a request is sent, and to store with its answer."""
    return int(session.execute(_CURRENT_POSTGRES if is_postgres(session) else _CURRENT_SQLITE).scalar_one())
