"""Cursors: how far a poll, a sweep or a delivery has come, moved in the transaction of what it brought."""

from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Insert, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from daemon.store.statements import is_postgres
from daemon.store.tables import table

CURSORS = table("cursors")


def position(session: Session, account: str, name: str) -> str | None:
    """Where it stands; None where it has not begun."""
    query = select(CURSORS.c.position).where(CURSORS.c.account == account, CURSORS.c.name == name)
    found = session.scalar(query)
    return None if found is None else str(found)


def whose(session: Session, name: str) -> list[str]:
    """The accounts that have such a cursor."""
    return list(
        session.scalars(select(CURSORS.c.account).where(CURSORS.c.name == name).order_by(CURSORS.c.account))
    )


def by_account(session: Session, name: str) -> dict[str, str]:
    """Where every account's cursor of this name stands."""
    query = select(CURSORS.c.account, CURSORS.c.position).where(CURSORS.c.name == name)
    return {row.account: row.position for row in session.execute(query)}


def named(session: Session, account: str, beginning: str) -> dict[str, str]:
    """Where all of an account's cursors stand whose names begin so, by name."""
    query = select(CURSORS.c.name, CURSORS.c.position).where(*_beginning(account, beginning))
    return {row.name: row.position for row in session.execute(query)}


def move(session: Session, account: str, name: str, to: str, now: datetime) -> None:
    moved = {"account": account, "name": name, "position": to, "moved_at": now}
    session.execute(_move(is_postgres(session)), moved)


def forget(session: Session, account: str, name: str) -> None:
    """Begins anew: a pass that is over leaves no checkpoint."""
    session.execute(delete(CURSORS).where(CURSORS.c.account == account, CURSORS.c.name == name))


def forget_all(session: Session, account: str, beginning: str) -> None:
    session.execute(delete(CURSORS).where(*_beginning(account, beginning)))


@cache
def _move(on_postgres: bool) -> Insert:
    # Made once: every page of a sweep moves a cursor, and making the statement costs more than executing it.
    insert = (postgresql if on_postgres else sqlite).insert(CURSORS)
    new = {"position": insert.excluded.position, "moved_at": insert.excluded.moved_at}
    move: Insert = insert.on_conflict_do_update(index_elements=list(CURSORS.primary_key.columns), set_=new)
    return move


def _beginning(account: str, beginning: str) -> tuple[ColumnElement[bool], ...]:
    return CURSORS.c.account == account, CURSORS.c.name.startswith(beginning, autoescape=True)
