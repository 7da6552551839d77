"""The outbox: what has to be told outside, written in the transaction of what it tells of, and sent afterwards.

A callback says what has become of a proposal, to whoever asked for it; a notification says that a case stands, to
people. Both say ids, states, amounts and times, and nothing personal. Each has one id, which is the same for every try,
and a number that grows with what it is about, so that a receiver can tell the later from the earlier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Row, delete, exists, func, insert, or_, select, update
from sqlmodel import Session

from daemon.core.approval import gate
from daemon.core.approval.answers import progress_of, status_of
from daemon.core.canonical import Json
from daemon.store import telling
from daemon.store.tables import table

CASES = table("cases")
OUTBOX = table("outbox")
PROPOSALS = table("proposals")

CALLBACK: Final = "callback"
EMAIL: Final = "email"
WEBHOOK: Final = "webhook"
PROPOSAL: Final = "proposal"
CASE: Final = "case"

LISTED_MAX: Final = 1_000  # of one listing; more is a question for the database
LEASE: Final = timedelta(minutes=2)  # a try takes at most half a minute; after a crash another begins then

# What a caller sees change. A version that another takes the place of is told as the one that waits instead.
_TOLD: Final = frozenset(
    {"approved", "rejected", "expired", "withdrawn", "moot", "executing", "succeeded", "failed", "unknown", "stale"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message on its way."""

    id: str
    account: str | None
    channel: str
    receiver: str  # whoever is slow delays only what goes there too
    address: str | None
    token_id: str | None
    topic: tuple[str, str]
    sequence: int
    body: Mapping[str, Json]
    state: str
    due: datetime
    tries: int
    created_at: datetime
    delivered_at: datetime | None
    error: str | None


def announce(session: Session, proposal: Row[Any], now: datetime) -> None:
    """Tells its caller what a version has become, if it wants to be called. `proposal` is as it is now, and held.

    An approval is told once nobody can take it back any more.
    """
    if proposal.callback_url is None or proposal.token_id is None or proposal.state not in _TOLD:
        return
    due = now
    if proposal.state == "approved" and proposal.executable_at is not None:
        due = max(now, proposal.executable_at)
    topic = (PROPOSAL, proposal.id)
    sequence = _next(session, topic)
    _put(
        session,
        account=proposal.account,
        channel=CALLBACK,
        receiver=receiver_of(proposal.callback_url),
        address=proposal.callback_url,
        token_id=proposal.token_id,
        topic=topic,
        sequence=sequence,
        body=_body(session, proposal, sequence, now),
        due=due,
        now=now,
    )


def notify(
    session: Session,
    channel: str,
    topic: tuple[str, str],
    account: str | None,
    body: Mapping[str, Json],
    now: datetime,
) -> None:
    """Tells people, or a program of theirs, over one of the channels of [notify]."""
    sequence = _next(session, topic)
    _put(
        session,
        account=account,
        channel=channel,
        receiver=channel,
        address=None,
        token_id=None,
        topic=topic,
        sequence=sequence,
        body={**body, "sequence": sequence},
        due=now,
        now=now,
    )


def last_about(session: Session, channel: str, topic: tuple[str, str]) -> Parcel | None:
    """What was last said about this."""
    about = (OUTBOX.c.topic_kind == topic[0], OUTBOX.c.topic_id == topic[1], OUTBOX.c.channel == channel)
    newest_first = select(OUTBOX).where(*about).order_by(OUTBOX.c.sequence.desc())
    row = session.execute(newest_first.limit(1)).first()
    return None if row is None else _parcel(row)


def receivers_due(session: Session, now: datetime) -> Sequence[str]:
    """To whom something is to be sent now."""
    query = select(OUTBOX.c.receiver).where(OUTBOX.c.state == "waiting", OUTBOX.c.due <= now)
    return session.scalars(query.distinct().order_by(OUTBOX.c.receiver)).all()


def take(session: Session, receiver: str, now: datetime) -> Parcel | None:
    """The next message for this receiver, for one try; nobody else takes it while the try lasts.

    What is not true any more before anybody was told is not told: an approval that was taken back, a case that is over.
    """
    _forget_taken_back(session, receiver, now)
    _forget_resolved(session, receiver, now)
    mine = (OUTBOX.c.receiver == receiver, OUTBOX.c.state == "waiting", OUTBOX.c.due <= now)
    query = select(OUTBOX).where(*mine).order_by(OUTBOX.c.due, OUTBOX.c.sequence, OUTBOX.c.id).limit(1)
    row = session.execute(query.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    tries = row.tries + 1
    session.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(tries=tries, due=now + LEASE))
    return _parcel(row, tries=tries)


def delivered(session: Session, parcel: Parcel, now: datetime) -> None:
    _conclude(session, parcel, state="delivered", delivered_at=now, error=None)


def failed(session: Session, parcel: Parcel, error: str, due: datetime | None) -> None:
    """It is tried again then; None: never, unless a person has it sent anew."""
    if due is None:
        _conclude(session, parcel, state="dead", error=error)
    else:
        _conclude(session, parcel, due=due, error=error)


def redeliver(session: Session, id: str, now: datetime) -> Parcel | None:
    """Has a message sent anew, under the same id, with all its tries; None where there is none of this id."""
    values = {"state": "waiting", "due": now, "tries": 0, "delivered_at": None}
    row = session.execute(update(OUTBOX).where(OUTBOX.c.id == id).values(values).returning(OUTBOX)).first()
    return None if row is None else _parcel(row)


def listed(
    session: Session, *, state: str | None = None, account: str | None = None, limit: int = 100
) -> list[Parcel]:
    """The newest first."""
    query = select(OUTBOX)
    for column, value in ((OUTBOX.c.state, state), (OUTBOX.c.account, account)):
        query = query if value is None else query.where(column == value)
    query = query.order_by(OUTBOX.c.created_at.desc(), OUTBOX.c.sequence.desc()).limit(min(limit, LISTED_MAX))
    return [_parcel(row) for row in session.execute(query)]


def dead(session: Session) -> Sequence[str]:
    """The ids of what nobody tries to send any more, the oldest first."""
    query = select(OUTBOX.c.id).where(OUTBOX.c.state == "dead")
    return session.scalars(query.order_by(OUTBOX.c.created_at, OUTBOX.c.id)).all()


def receiver_of(url: str) -> str:
    """The host and port of an address."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _body(session: Session, row: Row[Any], sequence: int, now: datetime) -> dict[str, Json]:
    if row.asked_as is not None:
        return gate.callback(telling.told(session, row), sequence)
    return {
        "type": f"approval.{row.state}",
        "id": row.id,
        "case_id": row.case_id,
        "account": row.account,
        "action": row.action,
        "status": status_of(row.state),
        "version": row.version,
        "sequence": sequence,
        "effective_details": row.details,
        "execution": {
            "mode": row.execution,
            "status": progress_of(row.state),
            "stripe_object_id": telling.object_of(session, row),
        },
        "expires_at": _spelled(row.expires_at) if row.state == "approved" else None,
        "at": _spelled(now),
    }


def _spelled(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _next(session: Session, topic: tuple[str, str]) -> int:
    about = (OUTBOX.c.topic_kind == topic[0], OUTBOX.c.topic_id == topic[1])
    return int(session.scalar(select(func.max(OUTBOX.c.sequence)).where(*about)) or 0) + 1


def _put(session: Session, *, topic: tuple[str, str], now: datetime, **columns: Any) -> None:
    new = {
        "id": f"msg_{uuid4().hex}",
        "topic_kind": topic[0],
        "topic_id": topic[1],
        "state": "waiting",
        "tries": 0,
        "created_at": now,
    }
    session.execute(insert(OUTBOX).values(**new, **columns))


def _forget_taken_back(session: Session, receiver: str, now: datetime) -> None:
    untold = select(OUTBOX.c.id, OUTBOX.c.topic_id, OUTBOX.c.body).where(
        OUTBOX.c.receiver == receiver,
        OUTBOX.c.state == "waiting",
        OUTBOX.c.due <= now,
        OUTBOX.c.tries == 0,
        OUTBOX.c.topic_kind == PROPOSAL,
    )
    for row in session.execute(untold).all():
        if str(row.body.get("status")).lower() == "approved" and _is_taken_back(
            session, row.topic_id, row.body["version"]
        ):
            session.execute(delete(OUTBOX).where(OUTBOX.c.id == row.id))


def _forget_resolved(session: Session, receiver: str, now: datetime) -> None:
    """Whoever is told of a deadline late must not find that somebody has met it long ago."""
    over = exists().where(CASES.c.id == OUTBOX.c.topic_id, CASES.c.state == "resolved")
    session.execute(
        delete(OUTBOX).where(
            OUTBOX.c.receiver == receiver,
            OUTBOX.c.state == "waiting",
            OUTBOX.c.due <= now,
            OUTBOX.c.topic_kind == CASE,
            over,
            # What a person has sent anew is sent.
            or_(OUTBOX.c.tries > 0, OUTBOX.c.error.is_(None)),
        )
    )


def _is_taken_back(session: Session, proposal_id: str, version: int) -> bool:
    this = (PROPOSALS.c.id == proposal_id, PROPOSALS.c.version == version)
    # Whoever takes an approval back before it may be used clears the moment from which it could have been.
    return session.scalar(select(PROPOSALS.c.executable_at).where(*this)) is None


def _conclude(session: Session, parcel: Parcel, **columns: Any) -> None:
    """Only where no other try was begun meanwhile, and nobody has had it sent anew."""
    this = (OUTBOX.c.id == parcel.id, OUTBOX.c.state == "waiting", OUTBOX.c.tries == parcel.tries)
    session.execute(update(OUTBOX).where(*this).values(**columns))


def _parcel(row: Row[Any], *, tries: int | None = None) -> Parcel:
    return Parcel(
        id=row.id,
        account=row.account,
        channel=row.channel,
        receiver=row.receiver,
        address=row.address,
        token_id=row.token_id,
        topic=(row.topic_kind, row.topic_id),
        sequence=row.sequence,
        body=row.body,
        state=row.state,
        due=row.due,
        tries=row.tries if tries is None else tries,
        created_at=row.created_at,
        delivered_at=row.delivered_at,
        error=row.error,
    )
