"""Attempts: each one execution of one approved version, claimed by one executor at a time, kept for good.

    claim       ours alone, where nothing else is unfinished on the same object
    take_over   an unfinished one whose lease or pause is over becomes ours
    inherit     the leases of processes that are gone are over
    move        by a step of the protocol; whoever lost the claim moves nothing
    absent      whether it was verified that an unknown one did nothing, so that a person may have it done anew
    give_up     what such a person's retry does to it

The claim is a fencing token: it changes whenever somebody takes an attempt, and every later write compares it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, exists, insert, or_, select, update
from sqlmodel import Session

from daemon.core.protocol import ATTEMPT_MOVES, UNFINISHED, Step, attempt_since, attempt_to, since
from daemon.store.tables import table

ATTEMPTS = table("attempts")
PROPOSALS = table("proposals")

OURS: Final = "daemon"  # who executes; what the caller executes is never claimed


def due(session: Session, now: datetime) -> list[str]:
    """The accounts in which something is to be done, or to be found out."""
    ready_in = select(PROPOSALS.c.account).where(*_ready(now))
    left_in = select(ATTEMPTS.c.account).where(*_left(now))
    return sorted(session.scalars(ready_in.union(left_in)))


def ready(session: Session, account: str, now: datetime) -> Sequence[Row[Any]]:
    """What is approved, ours to do, and may be begun now; the longest waiting first."""
    query = select(PROPOSALS).where(PROPOSALS.c.account == account, *_ready(now))
    return session.execute(query.order_by(PROPOSALS.c.executable_at, PROPOSALS.c.id)).all()


def left(session: Session, account: str, now: datetime) -> Sequence[str]:
    """The unfinished attempts that nobody works on, the oldest first."""
    query = select(ATTEMPTS.c.id).where(ATTEMPTS.c.account == account, *_left(now))
    return session.scalars(query.order_by(ATTEMPTS.c.claimed_at, ATTEMPTS.c.id)).all()


def claim(
    session: Session, proposal: Row[Any], *, id_: str, key: str, token: str, now: datetime, until: datetime
) -> Row[Any] | None:
    """An attempt at this version, ours until then; None where another one is unfinished on the same object.

    The version is held. Raises Conflict where somebody claims the same object at this very moment.
    """
    busy = select(ATTEMPTS.c.id).where(_same_object(proposal), ATTEMPTS.c.state.in_(sorted(UNFINISHED)))
    if session.execute(busy).first() is not None:
        return None
    state = attempt_to(Step.CLAIM)
    ours = {"state": state, "claim": token, "claimed_at": now, "claimed_until": until, "finished_at": None}
    this = (
        ATTEMPTS.c.proposal_id == proposal.id,
        ATTEMPTS.c.version == proposal.version,
        ATTEMPTS.c.epoch == proposal.epoch,
    )
    again = update(ATTEMPTS).where(*this, ATTEMPTS.c.state.in_(sorted(attempt_since(Step.CLAIM))))
    claimed = session.execute(again.values(**ours, error=None).returning(ATTEMPTS)).first()
    if claimed is not None:
        return claimed
    if session.execute(select(ATTEMPTS.c.id).where(*this)).first() is not None:
        return None  # of this epoch there was one already, and it is over
    new = insert(ATTEMPTS).values(
        id=id_,
        proposal_id=proposal.id,
        version=proposal.version,
        epoch=proposal.epoch,
        account=proposal.account,
        target_type=proposal.target_type,
        target_id=proposal.target_id,
        idempotency_key=key,
        request={},
        request_digest="",
        **ours,
    )
    return session.execute(new.returning(ATTEMPTS)).one()


def take_over(session: Session, id_: str, *, token: str, now: datetime, until: datetime) -> Row[Any] | None:
    """This unfinished attempt is ours until then; None where somebody has it, or it is over."""
    query = update(ATTEMPTS).where(ATTEMPTS.c.id == id_, *_left(now))
    return session.execute(query.values(claim=token, claimed_until=until).returning(ATTEMPTS)).first()


def inherit(session: Session, now: datetime) -> None:
    """What others had claimed is anybody's; to be called by whoever works on this database alone, before it acts.

    Should another process be there all the same, its token is old from then on, and what it sends bears the same key.
    """
    left = update(ATTEMPTS).where(ATTEMPTS.c.state.in_(("claimed", "sent")), ATTEMPTS.c.claimed_until > now)
    session.execute(left.values(claimed_until=ATTEMPTS.c.claimed_at))


def one(session: Session, id_: str) -> Row[Any] | None:
    return session.execute(select(ATTEMPTS).where(ATTEMPTS.c.id == id_)).first()


def of(session: Session, proposal_id: str, version: int, epoch: int) -> Row[Any] | None:
    """The attempt at this version in this epoch."""
    this = (ATTEMPTS.c.proposal_id == proposal_id, ATTEMPTS.c.version == version, ATTEMPTS.c.epoch == epoch)
    return session.execute(select(ATTEMPTS).where(*this)).first()


def move(session: Session, id_: str, token: str | None, step: Step, now: datetime, **columns: Any) -> bool:
    """Takes a step of the protocol: whether the attempt was still ours, and in a state that it is taken from.

    Without a token: whoever's it is. What was seen to have happened is true for everybody.
    """
    to = attempt_to(step)
    illegal = [each for each in attempt_since(step) if (each, to) not in ATTEMPT_MOVES]
    assert not illegal, f"the protocol knows no such move: {illegal}"
    query = update(ATTEMPTS).where(ATTEMPTS.c.id == id_, ATTEMPTS.c.state.in_(sorted(attempt_since(step))))
    if token is not None:
        query = query.where(ATTEMPTS.c.claim == token)
    finished_at = None if to in UNFINISHED else now
    new = query.values(state=to, finished_at=finished_at, **columns)
    return session.execute(new.returning(ATTEMPTS.c.id)).first() is not None


def note(session: Session, id_: str, token: str, **columns: Any) -> bool:
    """Writes beside the state of an attempt; whether it was still ours."""
    query = update(ATTEMPTS).where(ATTEMPTS.c.id == id_, ATTEMPTS.c.claim == token)
    return session.execute(query.values(**columns).returning(ATTEMPTS.c.id)).first() is not None


def absent(session: Session, proposal_id: str, version: int) -> bool:
    """Whether it was verified that what is unknown of this version did nothing."""
    return _unknown(session, proposal_id, version, ATTEMPTS.c.absent_at.is_not(None)) is not None


def give_up(session: Session, proposal_id: str, version: int, now: datetime) -> bool:
    """A person has it done anew, so the unknown attempt is over: by a look or by their word it did nothing."""
    unknown = _unknown(session, proposal_id, version)
    return unknown is not None and move(session, unknown.id, None, Step.RETRY, now)


def doubt_all(session: Session) -> None:
    """What was verified of unknown ones counts no more; they are looked at again, at once."""
    unknown = update(ATTEMPTS).where(ATTEMPTS.c.state == "unknown")
    session.execute(unknown.values(absent_at=None, claimed_until=ATTEMPTS.c.claimed_at))


def unfinished(session: Session, *states: str) -> Sequence[Row[Any]]:
    """All attempts in these states, whoever has them."""
    return session.execute(select(ATTEMPTS).where(ATTEMPTS.c.state.in_(states)).order_by(ATTEMPTS.c.id)).all()


def _unknown(
    session: Session, proposal_id: str, version: int, *conditions: ColumnElement[bool]
) -> Row[Any] | None:
    this = (ATTEMPTS.c.proposal_id == proposal_id, ATTEMPTS.c.version == version)
    return session.execute(select(ATTEMPTS).where(*this, ATTEMPTS.c.state == "unknown", *conditions)).first()


def _same_object(proposal: Row[Any]) -> ColumnElement[bool]:
    return and_(
        ATTEMPTS.c.account == proposal.account,
        ATTEMPTS.c.target_type == proposal.target_type,
        ATTEMPTS.c.target_id == proposal.target_id,
    )


def _ready(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Approved, ours, in its time; its object free, and no pause after an earlier try."""
    other = ATTEMPTS.alias("other")
    here = (
        (other.c.account == PROPOSALS.c.account)
        & (other.c.target_type == PROPOSALS.c.target_type)
        & (other.c.target_id == PROPOSALS.c.target_id)
    )
    own = (
        (other.c.proposal_id == PROPOSALS.c.id)
        & (other.c.version == PROPOSALS.c.version)
        & (other.c.epoch == PROPOSALS.c.epoch)
    )
    busy = here & other.c.state.in_(sorted(UNFINISHED))
    pausing = own & (other.c.claimed_until > now)
    return (
        PROPOSALS.c.state.in_(sorted(since(Step.CLAIM))),
        PROPOSALS.c.execution == OURS,
        PROPOSALS.c.executable_at <= now,
        PROPOSALS.c.expires_at > now,
        ~exists().where(or_(busy, pausing)),
    )


def _left(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (ATTEMPTS.c.state.in_(sorted(UNFINISHED)), ATTEMPTS.c.claimed_until <= now)
