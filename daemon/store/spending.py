"""What was approved of late: the sums that limits and caps are compared with, by currency.

Counted is what may have moved money or still may. Votes on versions that were given up in time are free again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlmodel import Session

from daemon.core.approval.matrix import AUTOMATIC
from daemon.store.decisions import DECISIONS
from daemon.store.proposals import CALLER, PROPOSALS
from daemon.store.statements import is_postgres

# A failed one is counted: a person may yet have it tried again.
MAY_MOVE: Final = ("approved", "executing", "succeeded", "failed", "unknown")

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('reconciled deciding', 0))")

Spent = Mapping[str, int]


def alone(session: Session) -> None:
    """Until the transaction ends nobody else decides anything: sums of what others decide stay true.

    People decide a few times a minute, so one at a time is no burden. SQLite has one writer anyway.
    """
    if is_postgres(session):
        session.execute(_ALONE)


def by_person(session: Session, person: str, day: tuple[datetime, datetime], but: str | None = None) -> Spent:
    """What this person has approved in this day; `but` is a proposal that is left out."""
    approved = and_(
        DECISIONS.c.proposal_id == PROPOSALS.c.id,
        DECISIONS.c.version == PROPOSALS.c.version,
        DECISIONS.c.verdict == "approve",
    )
    given = (DECISIONS.c.person == person, _within(DECISIONS.c.decided_at, day))
    counted = or_(PROPOSALS.c.state == "pending", _may_move())
    query = select(PROPOSALS.c.currency, func.sum(PROPOSALS.c.amount)).join(DECISIONS, approved)
    return _sums(session, query.where(*given, counted, *_others(but)))


def by_account(
    session: Session, account: str, day: tuple[datetime, datetime], but: str | None = None
) -> Spent:
    """What was approved for this account in this day, by whomever."""
    voted = select(DECISIONS.c.person).where(
        DECISIONS.c.proposal_id == PROPOSALS.c.id,
        DECISIONS.c.version == PROPOSALS.c.version,
        DECISIONS.c.verdict == "approve",
        _within(DECISIONS.c.decided_at, day),
    )
    query = select(PROPOSALS.c.currency, func.sum(PROPOSALS.c.amount)).where(
        PROPOSALS.c.account == account, _may_move(), or_(voted.exists(), _by_itself(day)), *_others(but)
    )
    return _sums(session, query)


def automatically(session: Session, account: str, action: str, day: tuple[datetime, datetime]) -> Spent:
    """What the policy has approved by itself in this day."""
    query = select(PROPOSALS.c.currency, func.sum(PROPOSALS.c.amount)).where(
        PROPOSALS.c.account == account, PROPOSALS.c.action == action, _may_move(), _by_itself(day)
    )
    return _sums(session, query)


def _may_move() -> ColumnElement[bool]:
    told = and_(PROPOSALS.c.execution == CALLER, PROPOSALS.c.executable_at.is_not(None))
    return or_(PROPOSALS.c.state.in_(MAY_MOVE), told)


def _by_itself(day: tuple[datetime, datetime]) -> ColumnElement[bool]:
    return and_(PROPOSALS.c.approvals_needed == AUTOMATIC, _within(PROPOSALS.c.created_at, day))


def _within(column: Any, day: tuple[datetime, datetime]) -> ColumnElement[bool]:
    return and_(column >= day[0], column < day[1])


def _others(but: str | None) -> list[ColumnElement[bool]]:
    return [] if but is None else [PROPOSALS.c.id != but]


def _sums(session: Session, query: Any) -> Spent:
    moved = query.where(PROPOSALS.c.amount.is_not(None)).group_by(PROPOSALS.c.currency)
    return {row[0]: int(row[1]) for row in session.execute(moved)}
