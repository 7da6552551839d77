"""Every step of the executor as it is written down: attempt, proposal, case, callback and journal, all or nothing."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, select, update
from sqlmodel import Session

from accounts.facts import Subject
from daemon.act.claim import Claim
from daemon.actions import acknowledge
from daemon.core.canonical import Json
from daemon.core.model import Substate
from daemon.core.protocol import STEPS, Step, since, to
from daemon.store import attempts, caring, decisions, journal, outbox, proposals, worklist
from daemon.store.journal import Note
from daemon.store.tables import table

CASES = table("cases")
PROPOSALS = table("proposals")

BY_EXECUTOR: Final = "executor"  # the actor of all that nobody decided anew

_NOTED: Final = {
    Step.CLAIM: "attempt_claimed",
    Step.PUT_BACK: "attempt_put_back",
    Step.SEND: "attempt_sent",
    Step.REBUFF: "attempt_put_back",
    Step.SUCCEED: "attempt_succeeded",
    Step.FAIL: "attempt_failed",
    Step.LOSE: "attempt_unknown",
    Step.OUTDATE: "proposal_stale",
    Step.REVOKE: "proposal_revoked",
    Step.EXPIRE: "proposal_expired",
}
_SUBSTATE: Final = {
    Step.CLAIM: Substate.EXECUTING,
    Step.PUT_BACK: Substate.ONGOING,
    Step.REBUFF: Substate.ONGOING,
    Step.SUCCEED: Substate.ONGOING,
    Step.FAIL: Substate.EXEC_FAILED,
    Step.LOSE: Substate.EXEC_UNKNOWN,
    Step.OUTDATE: Substate.NEEDS_REVIEW,
    Step.REVOKE: Substate.NEEDS_REVIEW,
}
_MAY_HAVE_CHANGED_THE_WORLD: Final = frozenset({Step.SUCCEED, Step.FAIL, Step.LOSE})


def take(
    session: Session,
    step: Step,
    claim: Claim,
    now: datetime,
    *,
    why: str | None = None,
    anybodys: bool = False,
    substate: Substate | None = None,
    note: Mapping[str, Json] | None = None,
    **columns: Any,
) -> bool:
    """Takes a step with a claim: whether it was still ours. `columns` are the attempt's; `why` is a sentence."""
    proposals.hold(session, claim.proposal.case_id)
    token = None if anybodys else claim.token
    if not attempts.move(session, claim.id, token, step, now, error=why, **columns):
        return False
    if STEPS[step].proposal:
        moved = _move(session, step, claim.proposal, now, why)
        assert moved, "an attempt and its proposal move together"
    if step is Step.SUCCEED and claim.action.name == acknowledge.name:
        _accept(session, claim.proposal, now)
    body = {"key": claim.key, "epoch": claim.attempt.epoch, **(note or {})}
    tell(session, step, claim.proposal, claim.subject, now, why=why, substate=substate, note=body)
    return True


def outdate(
    session: Session,
    row: Row[Any],
    subject: Subject,
    now: datetime,
    *,
    why: str,
    difference: Mapping[str, Json] | None = None,
    **columns: Any,
) -> None:
    """The version is stale, and one that says the same waits for votes anew, of the world as it is where that is given.

    The case is held.
    """
    moved = _move(session, Step.OUTDATE, row, now, why)
    assert moved, "only what may become stale is outdated"
    version = proposals.again(session, row, now, reason=why, **columns)
    note: dict[str, Json] = {"next_version": version, "difference": difference or {}}
    tell(session, Step.OUTDATE, row, subject, now, why=why, note=note)


def revoke(session: Session, row: Row[Any], subject: Subject, now: datetime, *, why: str) -> None:
    """The approval holds no longer, and an equal version waits for votes anew. The case is held."""
    moved = _move(session, Step.REVOKE, row, now, why)
    assert moved, "only an approval is revoked"
    version = proposals.again(session, row, now, reason=why)
    tell(session, Step.REVOKE, row, subject, now, why=why, note={"next_version": version})


def expire(session: Session, row: Row[Any], subject: Subject, now: datetime) -> bool:
    """Nobody decided in time, or it was not done in time; whether it was still so. The case is held."""
    why = (
        "It was approved and not done in its time."
        if row.state == "approved"
        else "Nobody decided about it in its time."
    )
    if not _move(session, Step.EXPIRE, row, now, why):
        return False
    tell(session, Step.EXPIRE, row, subject, now, why=why)
    return True


def tell(
    session: Session,
    step: Step,
    row: Row[Any],
    subject: Subject,
    now: datetime,
    *,
    why: str | None = None,
    substate: Substate | None = None,
    note: Mapping[str, Json] | None = None,
) -> None:
    """Everybody whom a step concerns: the case, the caller, the loop and, last, the journal."""
    state = substate or _SUBSTATE.get(step)
    if state is not None:
        case = update(CASES).where(CASES.c.id == row.case_id, CASES.c.state != "resolved")
        session.execute(case.values(substate=state.value))
    if STEPS[step].proposal:
        outbox.announce(session, current(session, row), now)
    worklist.mark(session, [subject], now, reading=step in _MAY_HAVE_CHANGED_THE_WORLD)
    body: dict[str, Json] = {
        "proposal": row.id,
        "version": row.version,
        "case": row.case_id,
        "action": row.action,
        "target": [row.target_type, row.target_id],
        "stripe_account": row.stripe_account,
        "livemode": row.livemode,
        "why": why,
        **(note or {}),
    }
    noted = Note(_NOTED[step], BY_EXECUTOR, body, account=row.account, subject=("case", row.case_id))
    journal.append(session, noted, now)


def authority(session: Session, row: Row[Any]) -> dict[str, Json]:
    """On whose word something is done, and what was made of what was asked for: written down before it is done."""
    votes = decisions.votes(session, row.id, row.version)
    first, *_ = proposals.versions(session, row.id)
    return {
        "votes": [
            {
                "person": vote.person,
                "verdict": vote.verdict,
                "authority": vote.authority,
                "saw": vote.state_hash,
            }
            for vote in votes
        ],
        "policy": row.policy_version,
        "policy_rule": row.policy_rule,
        "approvals_needed": row.approvals_needed,
        "draft": first.details,
        "final": row.details,
        "details_digest": row.details_digest,
        "difference": proposals.difference(first, row),
        "amount": None if row.amount is None else [row.amount, row.currency],
    }


def current(session: Session, row: Row[Any]) -> Row[Any]:
    """The version as it stands in this transaction."""
    this = (PROPOSALS.c.id == row.id, PROPOSALS.c.version == row.version)
    return session.execute(select(PROPOSALS).where(*this)).one()


def subject_of(session: Session, row: Row[Any]) -> Subject:
    """Whose the case of a version is."""
    case = session.execute(select(CASES).where(CASES.c.id == row.case_id)).one()
    return Subject(row.account, case.subject_kind, case.subject_id)


def difference_of(before: Mapping[str, Json], after: Mapping[str, Json]) -> dict[str, Json]:
    """What is otherwise than the reviewer saw it, by field: how it was, and how it is."""
    changed = sorted(field for field in {*before, *after} if before.get(field) != after.get(field))
    return {field: [before.get(field), after.get(field)] for field in changed}


def pause(tries: int, at_least_s: float | None = None) -> timedelta:
    """How long to wait before the next try: ever longer, and never shorter than they asked for."""
    return timedelta(seconds=max(PAUSES_S[min(tries, len(PAUSES_S) - 1)], at_least_s or 0.0))


# After the first, second … try. All of an approval's half hour may be needed to get through; after that it only looks.
PAUSES_S: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0)


def _accept(session: Session, row: Row[Any], now: datetime) -> None:
    """What somebody took note of is known, for as long as its facts stay as they are."""
    case = session.execute(select(CASES).where(CASES.c.id == row.case_id)).one()
    voters = [
        vote.person for vote in decisions.votes(session, row.id, row.version) if vote.verdict == "approve"
    ]
    caring.dismiss(
        session, case, voters[0] if voters else row.requested_by, row.justification_digest or "", now
    )


def _move(session: Session, step: Step, row: Row[Any], now: datetime, why: str | None) -> bool:
    columns: dict[str, Any] = {}
    if (
        step in (Step.REVOKE, Step.OUTDATE, Step.EXPIRE)
        and row.executable_at is not None
        and now < row.executable_at
    ):
        columns["executable_at"] = None  # it never became executable
    return proposals.move(
        session, row.id, row.version, since=since(step), to=to(step), now=now, reason=why, **columns
    )
