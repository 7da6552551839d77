"""Voting: a person approves, rejects or asks for changes; one version, as the world was when they looked.

Before an approval is written the target is read live once more. If it is not as the reviewer saw it, the vote is not
taken: a version of the world as it is now waits for votes in the old one's place. If it cannot be read, the vote
counts, since nothing is done without reading it again anyway.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.actions.shape import Seen
from daemon.core.approval import limits, roles
from daemon.core.approval.matrix import Need
from daemon.core.approval.objection import Objection
from daemon.core.approval.principal import Principal
from daemon.core.approval.separation import Apart, apart
from daemon.core.canonical import Json, digest
from daemon.core.protocol import OVER, Step, since, to
from daemon.desk import drafting
from daemon.desk.authority import authority
from daemon.desk.deciding import difference, over, require_pending, version_of
from daemon.desk.drafting import Drawn
from daemon.desk.ground import Ground, require, subject_of
from daemon.desk.noting import checked, keep, on_proposal
from daemon.desk.outcome import Outcome
from daemon.desk.proposing import edited
from daemon.desk.refusals import Refusal, refused
from daemon.desk.standing import judged
from daemon.desk.telling import tell_caller
from daemon.logs import bound
from daemon.store import decisions, journal, people, proposals, spending
from daemon.store.decisions import Verdict, money_of
from daemon.store.journal import Note
from daemon.store.proposals import Erased
from metrics.catalog import approval_wait, approvals
from metrics.exemplars import exemplar

DECIDED = {"reject": "rejected", "request_changes": "changes_requested"}


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote as it was asked for."""

    case_id: str
    version: int
    verdict: Verdict
    state_hash: str | None = None
    note: str | None = None
    details: Mapping[str, Json] | None = None  # approve this instead, in one step


@dataclass(frozen=True, slots=True)
class Fresh:
    """What was read for a vote: the world as it is now, and the version that the reviewer wants instead."""

    seen: Seen | None = None  # None: it could not be read
    edit: Drawn | None = None


def approve(ground: Ground, who: Principal, ballot: Ballot) -> Outcome:
    """Raises Refusal."""
    ballot = replace(ballot, note=checked("note", ballot.note))
    with ground.store.reading() as session:
        case = ground.case(session, who, ballot.case_id, held=False)
        row = version_of(session, case, ballot.version)
        before = _voted(session, ground, who, case, row, ballot)
        if before is not None:
            return before
        _require_open(session, ground, who, case, row, ballot)
    fresh = _fresh(ground, who, case, row, ballot)
    now = ground.now()
    with ground.store.transaction() as session:
        spending.alone(session)
        case = ground.case(session, who, ballot.case_id)
        row = version_of(session, case, ballot.version)
        before = _voted(session, ground, who, case, row, ballot)
        if before is not None:
            return before
        _require_open(session, ground, who, case, row, ballot)
        outcome, refusal = _approve(session, ground, who, case, row, ballot, fresh, now)
    ground.changes.tell()
    if refusal is not None:
        raise refusal
    if outcome.state == "approved":
        ground.wake("act", case.account)
        _count(case, row, "approved", now)
    return outcome


def turn_down(ground: Ground, who: Principal, ballot: Ballot) -> Outcome:
    """Rejects a version, or asks for changes: one such vote is enough. Raises Refusal."""
    ballot = replace(ballot, note=checked("note", ballot.note))
    step = Step.REJECT if ballot.verdict == "reject" else Step.ASK_FOR_CHANGES
    now = ground.now()
    with ground.store.transaction() as session:
        spending.alone(session)
        case = ground.case(session, who, ballot.case_id)
        row = version_of(session, case, ballot.version)
        before = _voted(session, ground, who, case, row, ballot)
        if before is not None:
            return before
        need = decisions.need_now(session, row, ground.policy_of(row.account))
        require_right_to_vote(session, who, row, need)
        require_pending(session, ground, case, row, now)
        said = _cast(session, ground, who, case, row, ballot, need, Apart(), now)
        _move(
            session,
            ground,
            row,
            step,
            now,
            reason=f"{who.name}: {DECIDED[ballot.verdict].replace('_', ' ')}.",
        )
        note = on_proposal(f"proposal_{DECIDED[ballot.verdict]}", who, row, seen=ballot.state_hash or row.state_hash,
                           policy=ground.policy_of(row.account).version, rule=need.rule, note=said)  # fmt: skip
        journal.append_all(session, [*judged(session, ground, subject_of(case), now), note], now)
    ground.changes.tell()
    _count(case, row, DECIDED[ballot.verdict], now)
    return Outcome(case.id, row.id, row.version, to(step))


def require_right_to_vote(session: Session, who: Principal, row: Row[Any], need: Need) -> Apart:
    """Whether they may decide on this version at all. Raises Refusal."""
    objection = roles.objection_to_vote(who, need.roles)
    if objection is not None:
        raise refused(objection)
    could_vote = len(people.eligible(session, need.roles, row.account))
    found = apart(who, row.makers, approvers=need.approvers, could_vote=could_vote)
    if isinstance(found, Objection):
        raise refused(found)
    return found


def _require_open(
    session: Session, ground: Ground, who: Principal, case: Row[Any], row: Row[Any], ballot: Ballot
) -> None:
    """Whether they may vote at all, and whether there is still something to vote on."""
    need = decisions.need_now(session, row, ground.policy_of(row.account))
    objection = roles.objection_to_vote(who, need.roles)
    if objection is not None:
        raise refused(objection)
    if ground.account(who, row.account).mode == "observe":
        raise Refusal("mode", f"Account {row.account} only observes: nothing is approved there.")
    if ballot.details is None:
        require_right_to_vote(session, who, row, need)
    require_pending(session, ground, case, row, ground.now())
    if ballot.state_hash != row.state_hash:
        raise Refusal(
            "stale_state",
            "What you looked at is not what this version was made for. Look at it again, and send its state_hash.",
            version=row.version,
            state_hash=row.state_hash,
        )


def _fresh(ground: Ground, who: Principal, case: Row[Any], row: Row[Any], ballot: Ballot) -> Fresh:
    account = ground.account(who, row.account)
    place = ground.place(account, subject_of(case))
    action = drafting.action_of(ground, row)
    try:
        with ground.store.reading() as session:
            details = proposals.details_of(session, ground.seal, row)
    except Erased as erased:
        raise Refusal("moot", str(erased)) from None
    try:
        asked = drafting.understood(action, details, place)
        seen = drafting.look(ground, account, action, asked)
    except Refusal as refusal:
        if refusal.code != "unreadable" or ballot.details is not None:
            raise
        return Fresh()  # the claim reads again; here nobody need wait for Stripe
    same = digest(seen.material).hex() == row.state_hash
    problem = action.preflight(seen.completed or asked, seen, ground.now()) if same else None
    if problem is not None:
        raise Refusal("moot", problem)
    if ballot.details is None or not same:
        return Fresh(seen)
    return Fresh(seen, drafting.draw(
        ground, account, row.action, ballot.details, row.execution, subject=subject_of(case),
        instead_of=row,
    ))  # fmt: skip


def _approve(
    session: Session,
    ground: Ground,
    who: Principal,
    case: Row[Any],
    row: Row[Any],
    ballot: Ballot,
    fresh: Fresh,
    now: datetime,
) -> tuple[Outcome, Refusal | None]:
    if fresh.seen is not None and digest(fresh.seen.material).hex() != row.state_hash:
        return _outdate(session, ground, who, case, row, fresh.seen, now)
    notes: list[Note] = []
    if fresh.edit is not None:
        outcome, notes = edited(session, ground, who, case, row, fresh.edit, None, now)
        row = version_of(session, case, outcome.version or row.version)
    policy = ground.policy_of(row.account)
    need = decisions.need_now(session, row, policy)
    right = require_right_to_vote(session, who, row, need)
    require_limits(session, ground, who, row, now)
    note = _cast(session, ground, who, case, row, ballot, need, right, now)
    quorum = decisions.quorum(session, row, policy)
    votes = {"have": quorum.have, "need": quorum.need.approvers}
    said = {
        "seen": row.state_hash,
        "policy": policy.version,
        "rule": need.rule,
        "note": note,
        "votes": votes,
    }
    notes.append(on_proposal("proposal_voted_for", who, row, **said, solo=right.solo))
    executable_at = None
    if quorum.reached:
        executable_at = now + (ground.approvals.cool_down if right.solo else ground.approvals.undo)
        _move(
            session, ground, row, Step.REACH_QUORUM, now, executable_at=executable_at,
            expires_at=executable_at + timedelta(seconds=row.expires_in_s),
        )  # fmt: skip
        notes.append(on_proposal(
            "proposal_approved", who, row, effect=row.effect, by=list(quorum.voters), **_draft_and_final(session, row),
            details_digest=row.details_digest, **said,
        ))  # fmt: skip
    opened = judged(session, ground, subject_of(case), now)
    journal.append_all(session, [*opened, *notes], now)
    state = "approved" if quorum.reached else "pending"
    return Outcome(case.id, row.id, row.version, state, executable_at), None


def _outdate(
    session: Session,
    ground: Ground,
    who: Principal,
    case: Row[Any],
    row: Row[Any],
    seen: Seen,
    now: datetime,
) -> tuple[Outcome, Refusal]:
    """The world has moved on: the version is over, and one of the world as it is waits in its place."""
    state_hash = digest(seen.material).hex()
    changed = difference(row.snapshot, seen.material)
    fields = ", ".join(str(each["field"]) for each in changed if isinstance(each, Mapping))
    reason = f"The world has changed since it was looked at: {fields}."
    _move(session, ground, row, Step.OUTDATE, now, reason=reason)
    version = proposals.again(
        session, row, now, reason=reason, snapshot=seen.material, state_hash=state_hash,
        target_type=seen.target.type, target_id=seen.target.id,
    )  # fmt: skip
    drafting.keep_seen(session, ground, subject_of(case), row.id, version, seen)
    note = on_proposal("proposal_outdated", who, row, next=version, difference=changed, now=state_hash)
    journal.append_all(session, [*judged(session, ground, subject_of(case), now), note], now)
    refusal = Refusal(
        "stale_state",
        f"{reason} Version {version} is of the world as it is now; look at it.",
        version=version,
        state_hash=state_hash,
        difference=changed,
    )
    return Outcome(case.id, row.id, version, "pending"), refusal


def require_limits(session: Session, ground: Ground, who: Principal, row: Row[Any], now: datetime) -> None:
    money = money_of(row)
    assert who.person is not None, "a program has no vote"
    day = limits.day_of(now, ground.timezone)
    objection = limits.of_vote(who, money) or limits.of_day(
        decisions.limits_now(session, row, ground.policy_of(row.account)),
        money,
        person=(who.name, spending.by_person(session, who.person, day, but=row.id)),
        account=(f"Account {row.account}", spending.by_account(session, row.account, day, but=row.id)),
    )
    if objection is not None:
        raise refused(objection)


def _voted(
    session: Session, ground: Ground, who: Principal, case: Row[Any], row: Row[Any], ballot: Ballot
) -> Outcome | None:
    """What this very vote has come to, where they gave it before: clicking twice is voting once."""
    require(who, "read")
    if who.person is None:
        return None
    if ballot.details is not None and row.state == "superseded":
        row = proposals.newest(session, row.id) or row
        if not _same_details(ground, case, row, ballot.details):
            return None
    vote = decisions.vote_of(session, row.id, row.version, who.person)
    if vote is None:
        return None
    if vote.verdict != ballot.verdict:
        raise Refusal(
            "already_decided",
            f"{who.name} has voted on version {row.version} already ({vote.verdict.replace('_', ' ')}). A vote is "
            "given once; withdraw, revoke or edit the proposal instead.",
            state=row.state,
            by=[who.name],
        )
    if row.state in OVER - {"succeeded"} and row.state != DECIDED.get(ballot.verdict):
        raise over(session, ground, row)  # others have decided since, or it was taken back
    return Outcome(row.case_id, row.id, row.version, row.state, row.executable_at, changed=False)


def _same_details(ground: Ground, case: Row[Any], row: Row[Any], details: Mapping[str, Json]) -> bool:
    place = ground.place(ground.accounts[row.account], subject_of(case))
    try:
        asked = drafting.understood(drafting.action_of(ground, row), details, place)
    except Refusal:
        return False
    whole = {**asked.details, **asked.personal}
    return proposals.digest_of(ground.seal, whole) == str(row.details_digest)


def _cast(
    session: Session,
    ground: Ground,
    who: Principal,
    case: Row[Any],
    row: Row[Any],
    ballot: Ballot,
    need: Need,
    right: Apart,
    now: datetime,
) -> str | None:
    """Writes the vote, and answers the digest of what was said with it."""
    assert who.person is not None, "a program has no vote"
    name = f"note:{row.id}:v{row.version}:{who.person}"
    note_digest = keep(session, ground, subject_of(case), name, ballot.note)
    decisions.cast(
        session,
        row,
        person=who.person,
        verdict=ballot.verdict,
        state_hash=row.state_hash,
        authority={**authority(who), decisions.SOLO: right.solo},
        policy=ground.policy_of(row.account),
        rule=need.rule,
        note_digest=note_digest,
        now=now,
    )
    return note_digest


def _move(session: Session, ground: Ground, row: Row[Any], step: Step, now: datetime, **columns: Any) -> None:
    moved = proposals.move(
        session, row.id, row.version, since=since(step) & {"pending"}, to=to(step), now=now, **columns
    )
    if not moved:
        found = proposals.one(session, row.case_id, row.version)
        raise over(session, ground, found if found is not None else row)
    tell_caller(session, row, now)


def _draft_and_final(session: Session, row: Row[Any]) -> dict[str, Json]:
    """What was asked for, what is approved, and the difference; what is personal shows by its digest."""
    first, *_ = proposals.versions(session, row.id)
    return {"draft": first.details, "details": row.details, "difference": proposals.difference(first, row)}


def _count(case: Row[Any], row: Row[Any], decision: str, now: datetime) -> None:
    asked = exemplar("request_id", bound("request_id"))
    approvals.labels(case.kind, decision, "human").inc(exemplar=asked)
    approval_wait.observe(max((now - row.created_at).total_seconds(), 0), asked)
