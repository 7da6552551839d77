"""How well an account's events are heard: what webhooks did not bring, gaps, and what is wrong with the endpoint.

Webhooks are heard by one process and polls made by another, so all of it is told from what is stored.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlmodel import Session

from daemon.store import cursors
from daemon.store.inbox import INBOX
from daemon.store.statements import portions

LATE: Final = timedelta(
    minutes=10
)  # one that failed is sent again within minutes; later than this it counts as missed
FRESH: Final = timedelta(hours=1)  # for so long a missed event counts, also where webhooks have come since
KEPT: Final = timedelta(days=28)  # events are there for 30 days; what is older than this may be gone
POLL: Final = "events:poll"
GAP: Final = "events:gap"
ENDPOINT: Final = "events:endpoint"


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far an account's events are known. Times are unix seconds."""

    born: int  # when we began to listen: what was before, a sweep tells
    complete: int  # everything until then was taken in
    polled_at: int = 0
    newest: int | None = None  # when the newest event that we know was created, by Stripe's clock
    interval_s: int = 0
    missed_at: int = 0  # when an event was last found that no webhook had brought
    counted_until: int = 0  # missed events that came in until then are counted
    missed: int = 0  # how many we had to find ourselves, of late or since a webhook came last


@dataclass(frozen=True, slots=True)
class Gap:
    """Events between these are beyond what Stripe keeps; a full sweep that begins after its end covers it."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is wrong with the webhook endpoint, in closed words, when somebody last looked."""

    trouble: tuple[str, ...]  # disabled, missing_types, other_version
    looked_at: datetime


def position(session: Session, account: str) -> Position | None:
    """None where nobody listens to the account's events yet."""
    found = cursors.position(session, account, POLL)
    return None if found is None else msgspec.json.decode(found, type=Position)


def positions(session: Session) -> dict[str, Position]:
    """Of every account that is listened to."""
    found = cursors.by_account(session, POLL)
    return {account: msgspec.json.decode(text, type=Position) for account, text in found.items()}


def move(session: Session, account: str, to: Position, now: datetime) -> None:
    cursors.move(session, account, POLL, msgspec.json.encode(to).decode(), now)


def missed(session: Session, account: str, types: Collection[str], born: datetime, now: datetime) -> int:
    """How many events of these types polling found and no webhook brought, of late or since the last one came.

    Those from before we were born, which nobody can have sent us, are none of them.
    """
    last = last_webhook_at(session, account, now - KEPT) or now - KEPT
    return len(found_without(session, account, types, born, min(last, now - FRESH), now - LATE))


def found_without(
    session: Session, account: str, types: Collection[str], born: datetime, since: datetime, until: datetime
) -> Sequence[str]:
    """The events that polling found in this time and that no webhook has brought yet, under any id."""
    query = select(INBOX.c.event_id).where(
        INBOX.c.account == account,
        INBOX.c.webhook_at.is_(None),
        INBOX.c.source == "poll",
        INBOX.c.is_foreign.is_(False),
        INBOX.c.type.in_(sorted(types)),
        INBOX.c.created >= born,
        INBOX.c.received_at > since,
        INBOX.c.received_at <= until,
    )
    ids = session.scalars(query).all()
    brought = twins(session, account, ids, since - KEPT)
    return [each for each in ids if each not in brought]


def twins(session: Session, account: str, ids: Collection[str], since: datetime) -> set[str]:
    """Those of these events that came as thin events too, which have an id of their own."""
    found: set[str] = set()
    for some in portions(sorted(ids)):
        query = select(INBOX.c.twin_id).where(_since(account, since), INBOX.c.twin_id.in_(some))
        found |= {str(each) for each in session.scalars(query)}
    return found


def last_webhook_at(session: Session, account: str, since: datetime) -> datetime | None:
    """When a webhook came last, as far as events go that are known since then."""
    found: datetime | None = session.scalar(
        select(func.max(INBOX.c.webhook_at)).where(_since(account, since))
    )
    return found


def gap(session: Session, account: str) -> Gap | None:
    found = cursors.position(session, account, GAP)
    if found is None:
        return None
    said = json.loads(found)
    return Gap(datetime.fromisoformat(said["since"]), datetime.fromisoformat(said["until"]))


def note_gap(session: Session, account: str, found: Gap, now: datetime) -> None:
    """Two gaps that nothing has covered are one, from the beginning of the first to the end of the second."""
    before = gap(session, account)
    since = found.since if before is None else min(before.since, found.since)
    position = json.dumps({"since": since.isoformat(), "until": found.until.isoformat()})
    cursors.move(session, account, GAP, position, now)


def close_gap(session: Session, account: str) -> None:
    cursors.forget(session, account, GAP)


def endpoint(session: Session, account: str) -> Endpoint | None:
    found = cursors.position(session, account, ENDPOINT)
    if found is None:
        return None
    said = json.loads(found)
    return Endpoint(tuple(said["trouble"]), datetime.fromisoformat(said["looked_at"]))


def note_endpoint(session: Session, account: str, found: Endpoint, now: datetime) -> None:
    position = json.dumps(asdict(found) | {"looked_at": found.looked_at.isoformat()})
    cursors.move(session, account, ENDPOINT, position, now)


def _since(account: str, since: datetime) -> ColumnElement[bool]:
    return (INBOX.c.account == account) & (INBOX.c.received_at >= since)
