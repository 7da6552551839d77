"""The inbox: every event that was acknowledged, once, however often and on whichever way it came.

`intake` fills it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from sqlalchemy import literal, or_, select, tuple_
from sqlmodel import Session

from accounts.facts import Address, Subject
from daemon.store.statements import ROWS_A_STATEMENT
from daemon.store.tables import table

INBOX = table("inbox")


class Received(Struct, frozen=True, gc=False):
    """An event's envelope and address. What it says about the object is not kept: the object is read instead."""

    account: str
    event_id: str
    type: str
    object_type: str
    object_id: str
    created: datetime
    livemode: bool
    source: Literal["webhook", "poll", "replay"]
    customer: str | None = None
    is_foreign: bool = False
    api_version: str | None = None
    idempotency_key: str | None = None
    twin_id: str | None = None


def between(session: Session, account: str, since: datetime, until: datetime) -> Iterator[Sequence[Address]]:
    """What the events of this time were about, some at a time; what cannot be read is left out."""
    query = (
        select(INBOX.c.object_type, INBOX.c.object_id)
        .where(INBOX.c.account == account, INBOX.c.created >= since, INBOX.c.created <= until)
        .where(INBOX.c.object_id != "", INBOX.c.is_foreign.is_(False))
        .distinct()
        .order_by(INBOX.c.object_type, INBOX.c.object_id)
        .limit(ROWS_A_STATEMENT)
    )
    rows = session.execute(query).all()
    while rows:
        yield [Address(*row) for row in rows]
        last = tuple_(INBOX.c.object_type, INBOX.c.object_id) > tuple_(*map(literal, rows[-1]))
        rows = session.execute(query.where(last)).all()


def address_of(session: Session, account: str, event_id: str) -> Address | None:
    """What an event was about; None where we do not have it, or it was about nothing that can be read."""
    query = select(INBOX.c.object_type, INBOX.c.object_id).where(
        INBOX.c.account == account, INBOX.c.event_id == event_id, INBOX.c.object_id != ""
    )
    row = session.execute(query.where(INBOX.c.is_foreign.is_(False))).first()
    return None if row is None else Address(*row)


def event_about(session: Session, subject: Subject, since: datetime, until: datetime) -> str | None:
    """The first event about a subject that came in this time; what it marked has been due since it came."""
    query = select(INBOX.c.event_id).where(
        INBOX.c.account == subject.account, INBOX.c.received_at >= since, INBOX.c.received_at <= until
    )
    about = or_(INBOX.c.customer == subject.id, INBOX.c.object_id == subject.id)
    found: str | None = session.scalar(query.where(about).order_by(INBOX.c.received_at).limit(1))
    return found


def types_of(session: Session, account: str, object_id: str) -> list[str]:
    """The types of objects with this id that events were about."""
    query = select(INBOX.c.object_type).where(INBOX.c.account == account, INBOX.c.object_id == object_id)
    return list(session.scalars(query.where(INBOX.c.is_foreign.is_(False)).distinct()))
