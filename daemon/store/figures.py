"""What the state metrics are made of: the few questions about everything at once, each answered by one statement."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import case, func, select
from sqlmodel import Session

from daemon.store.cases import CASES
from daemon.store.snapshots import SNAPSHOTS
from daemon.store.tables import table
from daemon.store.worklist import WORK

PROPOSALS = table("proposals")
OUTBOX = table("outbox")
PASSES = table("passes")
STOPS = table("stops")

LIVE_PROPOSALS: Final = ("pending", "changes_requested", "approved", "executing", "failed", "unknown")
OPEN_DISPUTES: Final = ("needs_response", "warning_needs_response", "under_review", "warning_under_review")


class _Deadline(msgspec.Struct, frozen=True):
    due_by: int | None = None
    submission_count: int = 0


class _Dispute(msgspec.Struct, frozen=True):
    evidence_details: _Deadline


@dataclass(frozen=True, slots=True)
class OpenDispute:
    account: str
    status: str
    due_by: int | None  # 0: no answer is possible
    submitted: bool


def cases(session: Session) -> Mapping[tuple[str, str], int]:
    """How many there are by kind and state."""
    counted = select(CASES.c.kind, CASES.c.state, func.count()).group_by(CASES.c.kind, CASES.c.state)
    return {(kind, state): count for kind, state, count in session.execute(counted)}


def standing_by_account(
    session: Session, kinds: Collection[str]
) -> Mapping[tuple[str, str], tuple[int, datetime]]:
    """Of unresolved cases of these kinds, by account and kind: how many, and since when the oldest stands."""
    counted = (
        select(CASES.c.account, CASES.c.kind, func.count(), func.min(CASES.c.opened_at))
        .where(CASES.c.state != "resolved", CASES.c.kind.in_(kinds))
        .group_by(CASES.c.account, CASES.c.kind)
    )
    return {(account, kind): (count, oldest) for account, kind, count, oldest in session.execute(counted)}


def proposals(session: Session) -> Mapping[str, tuple[int, datetime]]:
    """Of proposals that are not over, by state: how many, and since when the oldest is in it."""
    counted = (
        select(PROPOSALS.c.state, func.count(), func.min(PROPOSALS.c.state_since))
        .where(PROPOSALS.c.state.in_(LIVE_PROPOSALS))
        .group_by(PROPOSALS.c.state)
    )
    return {state: (count, oldest) for state, count, oldest in session.execute(counted)}


def worklist(session: Session, now: datetime) -> Mapping[str, tuple[int, datetime]]:
    """By state: how many subjects, and of the ready and the dead since when the oldest."""
    state = case(
        (WORK.c.buried_at.is_not(None), "dead"),
        (WORK.c.fence.is_not(None), "taken"),
        (WORK.c.due > now, "later"),
        else_="ready",
    ).label("state")
    since = func.min(func.coalesce(WORK.c.buried_at, WORK.c.due), type_=WORK.c.due.type)
    counted = select(state, func.count(), since).group_by(state)
    return {each: (count, oldest) for each, count, oldest in session.execute(counted)}


def deliveries(session: Session) -> Mapping[str, int]:
    """Callbacks and notifications that have not arrived, by state."""
    counted = select(OUTBOX.c.state, func.count().label("many")).where(OUTBOX.c.state != "delivered")
    return {row.state: row.many for row in session.execute(counted.group_by(OUTBOX.c.state))}


def stops(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(STOPS)) or 0


def passes_ended(session: Session, source: str) -> Mapping[str, Mapping[str, datetime]]:
    """By account and class: when a pass over it last ended."""
    ended = (
        select(PASSES.c.account, PASSES.c.class_name, func.max(PASSES.c.finished_at))
        .where(PASSES.c.source == source, PASSES.c.finished_at.is_not(None))
        .group_by(PASSES.c.account, PASSES.c.class_name)
    )
    found: dict[str, dict[str, datetime]] = {}
    for account, class_name, at in session.execute(ended):
        found.setdefault(account, {})[class_name] = at
    return found


def open_disputes(session: Session, accounts: Collection[str]) -> list[OpenDispute]:
    query = select(SNAPSHOTS.c.account, SNAPSHOTS.c.status, SNAPSHOTS.c.body).where(
        SNAPSHOTS.c.account.in_(accounts),
        SNAPSHOTS.c.class_name == "dispute",
        SNAPSHOTS.c.status.in_(OPEN_DISPUTES),
        SNAPSHOTS.c.deleted.is_(False),
    )
    return [_dispute(*row) for row in session.execute(query)]


def _dispute(account: str, status: str, body: Any) -> OpenDispute:
    details = msgspec.json.decode(bytes(body), type=_Dispute).evidence_details
    return OpenDispute(account, status, details.due_by, details.submission_count > 0)
