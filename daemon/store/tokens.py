"""Tokens: what programs and people's commands show to come in, by the digest of each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlmodel import Session

from daemon.store.tables import table

TOKENS = table("tokens")


@dataclass(frozen=True, slots=True)
class Token:
    """A person's, or a program's with a role of its own: never both."""

    id: str
    name: str
    role: str | None
    person_id: str | None
    accounts: frozenset[str] | None
    added_by: str
    added_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


def of_digest(session: Session, digest: str) -> Token | None:
    """Also one that is revoked: whoever shows it is told so."""
    return _token(session.execute(select(TOKENS).where(TOKENS.c.digest == digest)).first())


def named(session: Session, name: str) -> Token | None:
    """The one of this name that is not revoked."""
    query = select(TOKENS).where(TOKENS.c.name == name, TOKENS.c.revoked_at.is_(None))
    return _token(session.execute(query).first())


def ever_named(session: Session, name: str) -> bool:
    return session.execute(select(TOKENS.c.id).where(TOKENS.c.name == name)).first() is not None


def everything(session: Session) -> list[Token]:
    """All there are or were, the newest last."""
    rows = session.execute(select(TOKENS).order_by(TOKENS.c.added_at, TOKENS.c.id))
    return [token for token in map(_token, rows) if token is not None]


def add(session: Session, token: Token, digest: str) -> None:
    session.execute(
        insert(TOKENS).values(
            id=token.id,
            name=token.name,
            digest=digest,
            role=token.role,
            person_id=token.person_id,
            accounts=None if token.accounts is None else sorted(token.accounts),
            added_by=token.added_by,
            added_at=token.added_at,
            callback_epoch=1,
        )
    )


def revoke(session: Session, id: str, now: datetime) -> None:
    session.execute(
        update(TOKENS).where(TOKENS.c.id == id, TOKENS.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def touch(session: Session, id: str, now: datetime) -> None:
    session.execute(update(TOKENS).where(TOKENS.c.id == id).values(used_at=now))


def _token(row: Row[Any] | None) -> Token | None:
    if row is None:
        return None
    return Token(
        id=row.id,
        name=row.name,
        role=row.role,
        person_id=row.person_id,
        accounts=None if row.accounts is None else frozenset(row.accounts),
        added_by=row.added_by,
        added_at=row.added_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
