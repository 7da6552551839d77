"""Policies: every version under the hash of its content, of each name at most one in force."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlmodel import Session

from daemon.store.statements import insert_into
from daemon.store.tables import table

POLICIES = table("policies")


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    name: str
    hash: str
    text: str
    activated_by: str | None = None  # None: it was the configured file when nothing was in force
    confirmed_by: str | None = None  # a second admin


def hash_of(text: str) -> str:
    """The version of a policy: the same text is the same version, wherever it lies."""
    return hashlib.sha256(text.encode()).hexdigest()


def active(session: Session, name: str) -> PolicyVersion | None:
    """The version in force; None where none was ever taken."""
    query = select(POLICIES).where(POLICIES.c.name == name, POLICIES.c.active.is_(True))
    return _version(session.execute(query).first())


def version(session: Session, name: str, hash: str) -> PolicyVersion | None:
    query = select(POLICIES).where(POLICIES.c.name == name, POLICIES.c.hash == hash)
    return _version(session.execute(query).first())


def add(session: Session, name: str, text: str, now: datetime) -> PolicyVersion:
    """Keeps a version without putting it in force."""
    added = PolicyVersion(name, hash_of(text), text)
    insert = insert_into(session, POLICIES).values(
        name=name, hash=added.hash, text=text, active=False, added_at=now
    )
    session.execute(insert.on_conflict_do_nothing())
    return added


def activate(session: Session, name: str, hash: str, now: datetime) -> None:
    """Puts a version in force that was added before. The journal's note is the caller's."""
    of_name = update(POLICIES).where(POLICIES.c.name == name)
    session.execute(of_name.where(POLICIES.c.active.is_(True), POLICIES.c.hash != hash).values(active=False))
    session.execute(of_name.where(POLICIES.c.hash == hash).values(active=True, activated_at=now))


def sign(session: Session, name: str, hash: str, *, by: str, confirmed_by: str | None) -> None:
    """Notes who stands for a version, and which second person does."""
    signed = update(POLICIES).where(POLICIES.c.name == name, POLICIES.c.hash == hash)
    session.execute(signed.values(activated_by=by, confirmed_by=confirmed_by))


def unconfirmed(session: Session, beginning: str) -> PolicyVersion | None:
    """The version in force whose hash begins so, and for which no second person stands yet."""
    query = select(POLICIES).where(
        POLICIES.c.active.is_(True),
        POLICIES.c.confirmed_by.is_(None),
        POLICIES.c.hash.startswith(beginning, autoescape=True),
    )
    return _version(session.execute(query.order_by(POLICIES.c.name)).first())


def _version(row: Row[Any] | None) -> PolicyVersion | None:
    if row is None:
        return None
    return PolicyVersion(row.name, row.hash, row.text, row.activated_by, row.confirmed_by)
