"""People: who may come in and decide, with which role, where and up to how much; and the links that let them in."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, insert, or_, select, update
from sqlmodel import Session

from accounts.money import Money
from daemon.store.tables import table

PEOPLE = table("people")
INVITATIONS = table("invitations")
TOKENS = table("tokens")


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str
    role: str
    accounts: frozenset[str] | None  # slugs; None: all
    limits: tuple[Money, ...]
    added_by: str
    added_at: datetime
    signed_in_at: datetime | None = None
    disabled_at: datetime | None = None

    def sees(self, account: str) -> bool:
        return self.accounts is None or account in self.accounts


def one(session: Session, id: str) -> Person | None:
    return _person(session.execute(select(PEOPLE).where(PEOPLE.c.id == id)).first())


def hold(session: Session, id: str) -> Person | None:
    """The same, and nobody else changes it until the transaction ends."""
    return _person(session.execute(select(PEOPLE).where(PEOPLE.c.id == id).with_for_update()).first())


def named(session: Session, name: str) -> Person | None:
    return _person(session.execute(select(PEOPLE).where(PEOPLE.c.name == name)).first())


def everybody(session: Session) -> list[Person]:
    """All there are or were, by name."""
    rows = session.execute(select(PEOPLE).order_by(PEOPLE.c.name))
    return [person for person in map(_person, rows) if person is not None]


def add(session: Session, person: Person) -> None:
    session.execute(
        insert(PEOPLE).values(
            id=person.id,
            name=person.name,
            added_by=person.added_by,
            added_at=person.added_at,
            **_rights(person.role, person.accounts, person.limits),
        )
    )


def change(
    session: Session, id: str, role: str, accounts: frozenset[str] | None, limits: Sequence[Money]
) -> None:
    session.execute(update(PEOPLE).where(PEOPLE.c.id == id).values(**_rights(role, accounts, limits)))


def disable(session: Session, id: str, now: datetime) -> None:
    session.execute(update(PEOPLE).where(PEOPLE.c.id == id).values(disabled_at=now))


def enable(session: Session, id: str) -> None:
    session.execute(update(PEOPLE).where(PEOPLE.c.id == id).values(disabled_at=None))


def sign_in(session: Session, id: str, now: datetime) -> None:
    """Notes that this person was here; only the first time counts."""
    first = update(PEOPLE).where(PEOPLE.c.id == id, PEOPLE.c.signed_in_at.is_(None))
    session.execute(first.values(signed_in_at=now))


def admins(session: Session) -> list[Person]:
    """The admins who have signed in and are not disabled. One who never came cannot confirm anything."""
    return [
        each
        for each in everybody(session)
        if each.role == "admin" and each.signed_in_at is not None and each.disabled_at is None
    ]


def eligible(session: Session, roles: Collection[str], account: str) -> list[Person]:
    """Who could vote on something of this account: with one of these roles, and with a way to come in.

    Somebody who was added and never came does not count, or a name alone would end the rules for lone reviewers.
    """
    holds_a_token = exists().where(TOKENS.c.person_id == PEOPLE.c.id, TOKENS.c.revoked_at.is_(None))
    query = select(PEOPLE).where(
        PEOPLE.c.role.in_(list(roles)),
        PEOPLE.c.disabled_at.is_(None),
        or_(PEOPLE.c.signed_in_at.is_not(None), holds_a_token),
    )
    found = (_person(row) for row in session.execute(query.order_by(PEOPLE.c.name)))
    return [person for person in found if person is not None and person.sees(account)]


def invite(session: Session, digest: str, person_id: str, now: datetime, until: datetime) -> None:
    """Makes a link good for signing in as this person, once. Links that were made before end with it."""
    unused = update(INVITATIONS).where(
        INVITATIONS.c.person_id == person_id, INVITATIONS.c.used_at.is_(None), INVITATIONS.c.expires_at > now
    )
    session.execute(unused.values(expires_at=now))
    session.execute(
        insert(INVITATIONS).values(digest=digest, person_id=person_id, made_at=now, expires_at=until)
    )


def redeem(session: Session, digest: str, now: datetime) -> str | None:
    """The person whose link this is, who is the first to come with it and in time; else None."""
    used = (
        update(INVITATIONS)
        .where(
            INVITATIONS.c.digest == digest, INVITATIONS.c.used_at.is_(None), INVITATIONS.c.expires_at > now
        )
        .values(used_at=now)
        .returning(INVITATIONS.c.person_id)
    )
    found = session.execute(used).first()
    return None if found is None else str(found.person_id)


def _rights(role: str, accounts: frozenset[str] | None, limits: Sequence[Money]) -> dict[str, Any]:
    return {
        "role": role,
        "accounts": None if accounts is None else sorted(accounts),
        "limits": [[each.amount_minor, each.currency] for each in limits],
    }


def _person(row: Row[Any] | None) -> Person | None:
    if row is None:
        return None
    return Person(
        id=row.id,
        name=row.name,
        role=row.role,
        accounts=None if row.accounts is None else frozenset(row.accounts),
        limits=tuple(Money(amount, currency) for amount, currency in row.limits),
        added_by=row.added_by,
        added_at=row.added_at,
        signed_in_at=row.signed_in_at,
        disabled_at=row.disabled_at,
    )
