"""What people and agents asked for about the subjects of a look: staged proposals, attempts, callers' approvals."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, exists, or_, select, tuple_
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.canonical import Json
from daemon.core.model import CallerApproval, LiveProposal, Tried
from daemon.core.protocol import OVER
from daemon.store.statements import among, portions
from daemon.store.tables import table

CASES = table("cases")
PROPOSALS = table("proposals")
ATTEMPTS = table("attempts")

BY_CALLER: Final = "caller"
REQUESTS: Final = "approval_request"


@dataclass(slots=True)
class Asked:
    proposals: list[LiveProposal] = field(default_factory=list)
    attempts: list[Tried] = field(default_factory=list)
    approvals: list[CallerApproval] = field(default_factory=list)


def asked_of(
    session: Session,
    account: str,
    subjects: Collection[Subject],
    former: Mapping[Subject, Subject] | None = None,
) -> Mapping[Subject, Asked]:
    """By subject, as far as there is anything.

    What is over is nothing that anybody asks for any more, unless Stripe had not settled it when it was done. But it
    may explain what happened: where it was attempted,
    or where its caller was told that it may. What was asked about `former` subjects is asked about those that they have
    become.
    """
    now_of = former or {}
    found: dict[Subject, Asked] = defaultdict(Asked)
    whose: dict[tuple[str, int], Subject] = {}
    proposals: dict[tuple[str, int], Row[Any]] = {}
    for some in portions(sorted({(subject.kind, subject.id) for subject in (*subjects, *now_of)})):
        query = (
            select(PROPOSALS, CASES.c.subject_kind, CASES.c.subject_id, CASES.c.kind.label("case_kind"))
            .join(CASES, CASES.c.id == PROPOSALS.c.case_id)
            .where(
                CASES.c.account == account, among(session, (CASES.c.subject_kind, CASES.c.subject_id), some)
            )
            .where(or_(PROPOSALS.c.state.not_in(sorted(OVER)), _may_explain()))
            .order_by(PROPOSALS.c.id, PROPOSALS.c.version)
        )
        for row in session.execute(query):
            named = Subject(account, row.subject_kind, row.subject_id)
            subject = now_of.get(named, named)
            whose[row.id, row.version] = subject
            proposals[row.id, row.version] = row
            if row.state not in OVER:
                found[subject].proposals.append(_proposal(row))
            if row.execution == BY_CALLER and row.executable_at is not None:
                found[subject].approvals.append(_approval(row))
    for keys in portions(sorted(whose)):
        attempts = select(ATTEMPTS).where(tuple_(ATTEMPTS.c.proposal_id, ATTEMPTS.c.version).in_(keys))
        for row in session.execute(attempts.order_by(ATTEMPTS.c.id)):
            key = (row.proposal_id, row.version)
            tried = _tried(row, proposals[key])
            found[whose[key]].attempts.append(tried)
            if tried.unsettled():
                found[whose[key]].proposals.append(_proposal(proposals[key]))
    return found


def _may_explain() -> ColumnElement[bool]:
    of_version = (ATTEMPTS.c.proposal_id == PROPOSALS.c.id) & (ATTEMPTS.c.version == PROPOSALS.c.version)
    told = and_(PROPOSALS.c.execution == BY_CALLER, PROPOSALS.c.executable_at.is_not(None))
    return or_(told, exists().where(of_version))


def _proposal(row: Row[Any]) -> LiveProposal:
    return LiveProposal(
        id=row.id,
        version=row.version,
        action=row.action,
        target_type=row.target_type,
        target_id=row.target_id,
        requested_by=row.requested_by,
        execution=row.execution,
        state=row.state,
        created_at=row.created_at,
        details=row.details,
        expires_at=row.expires_at,
        case_kind=None if row.case_kind == REQUESTS else row.case_kind,
        **_money(row.details),
    )


def _approval(row: Row[Any]) -> CallerApproval:
    return CallerApproval(
        proposal_id=row.id,
        version=row.version,
        action=row.action,
        target_type=row.target_type,
        target_id=row.target_id,
        approved_at=row.executable_at,
        expires_at=row.expires_at or row.executable_at + timedelta(seconds=row.expires_in_s),
        details=row.details,
        **_money(row.details),
    )


def _tried(row: Row[Any], proposal: Row[Any]) -> Tried:
    return Tried(
        proposal_id=row.proposal_id,
        version=row.version,
        action=proposal.action,
        target_type=row.target_type,
        target_id=row.target_id,
        state=row.state,
        sent_at=row.sent_at,
        object_id=row.object_id,
        object_status=row.object_status,
        **_money(row.request),
    )


def _money(details: Mapping[str, Json]) -> dict[str, Any]:
    amount, currency = details.get("amount"), details.get("currency")
    return {
        "amount_minor": amount if isinstance(amount, int) else None,
        "currency": currency if isinstance(currency, str) else None,
    }
