"""Taking back and trying again: withdraw what one asked for, revoke an approval in time, retry what failed."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.core.approval.principal import Principal
from daemon.core.protocol import Step, since, to
from daemon.desk.deciding import over, version_of
from daemon.desk.ground import Ground, require, subject_of
from daemon.desk.noting import checked, keep, on_proposal
from daemon.desk.outcome import Outcome
from daemon.desk.refusals import Refusal
from daemon.desk.standing import judged
from daemon.desk.telling import tell_caller
from daemon.desk.voting import require_limits, require_right_to_vote
from daemon.logs import bound
from daemon.store import attempts, decisions, journal, proposals, spending
from metrics.catalog import approvals
from metrics.exemplars import exemplar

BEING_DONE = frozenset({"executing", "unknown", "succeeded", "failed"})


def withdraw(ground: Ground, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
    """By whoever asked for it or made it, or an admin; until it is claimed. Raises Refusal."""
    require(who, "withdraw")
    note, now = checked("note", note), ground.now()
    with ground.store.transaction() as session:
        spending.alone(session)
        case = ground.case(session, who, case_id)
        row = version_of(session, case, version)
        if not _is_theirs(who, row):
            raise Refusal(
                "role", "Only whoever asked for it, or an admin, withdraws a proposal. Reject it instead."
            )
        if row.state == "withdrawn":
            return Outcome(case.id, row.id, version, row.state, changed=False)
        if row.state in BEING_DONE:
            raise _too_late(row)
        told = row.execution == "caller" and row.executable_at is not None and row.executable_at <= now
        # What its caller was told of may still explain what happens.
        kept = row.executable_at if told else None
        if not proposals.move(
            session, row.id, version, since=since(Step.WITHDRAW), to=to(Step.WITHDRAW), now=now,
            reason=f"{who.name} withdrew it.", executable_at=kept,
        ):  # fmt: skip
            raise _lost(session, ground, row)
        digest = keep(session, ground, subject_of(case), f"note:{row.id}:v{version}:withdrawn:{who.id}", note)
        tell_caller(session, row, now)
        noted = on_proposal("proposal_withdrawn", who, row, note=digest)
        journal.append_all(session, [*judged(session, ground, subject_of(case), now), noted], now)
    ground.changes.tell()
    asked = exemplar("request_id", bound("request_id"))
    approvals.labels(case.kind, "withdrawn", "human").inc(exemplar=asked)
    return Outcome(case_id, row.id, version, to(Step.WITHDRAW))


def revoke(ground: Ground, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
    """Takes an approval back before it is used: an equal version waits for votes anew. Raises Refusal."""
    require(who, "vote")
    note, now = checked("note", note), ground.now()
    with ground.store.transaction() as session:
        spending.alone(session)
        case = ground.case(session, who, case_id)
        row = version_of(session, case, version)
        _require_may_revoke(session, ground, who, row)
        reason = f"{who.name} took the approval back."
        newest = proposals.newest(session, row.id)
        if row.state == "superseded" and row.reason == reason and newest is not None:
            return Outcome(case.id, row.id, newest.version, newest.state, changed=False)
        told = row.execution == "caller" and row.executable_at is not None and row.executable_at <= now
        if row.state in BEING_DONE or (row.state == "approved" and told):
            raise _too_late(row)
        if row.state == "pending":
            raise Refusal(
                "stale_state", f"Version {version} is not approved, so there is nothing to take back."
            )
        if not proposals.move(
            session, row.id, version, since=since(Step.REVOKE), to=to(Step.REVOKE), now=now, reason=reason,
            executable_at=None,
        ):  # fmt: skip
            raise _lost(session, ground, row)
        digest = keep(session, ground, subject_of(case), f"note:{row.id}:v{version}:revoked:{who.id}", note)
        policy = ground.policy_of(row.account)
        need = decisions.need_now(session, row, policy)
        following = proposals.again(
            session, row, now, reason=reason, policy_version=policy.version, policy_rule=need.rule,
            approvals_needed=need.approvers,
        )  # fmt: skip
        tell_caller(session, row, now)
        noted = on_proposal("approval_revoked", who, row, next=following, note=digest)
        journal.append_all(session, [*judged(session, ground, subject_of(case), now), noted], now)
    ground.changes.tell()
    return Outcome(case_id, row.id, following, "pending")


def retry(ground: Ground, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
    """A person has it done anew, under a new key: after it failed, or after it was verified that nothing happened."""
    require(who, "vote")
    note, now = checked("note", note), ground.now()
    with ground.store.transaction() as session:
        spending.alone(session)
        case = ground.case(session, who, case_id)
        row = version_of(session, case, version)
        policy = ground.policy_of(row.account)
        need = decisions.need_now(session, row, policy)
        require_right_to_vote(session, who, row, need)
        require_limits(session, ground, who, row, now)
        if ground.account(who, row.account).mode == "observe":
            raise Refusal("mode", f"Account {row.account} only observes: nothing is tried there.")
        if row.state in {"approved", "executing"} and row.epoch > 1:
            return Outcome(case.id, row.id, version, row.state, row.executable_at, changed=False)
        if row.state not in since(Step.RETRY):
            raise _not_to_be_retried(session, ground, row)
        if row.state == "unknown":
            action = ground.actions.get(row.action)
            by_look = (
                action is None or action.verifiable
            )  # of some things no look can tell: a person's word does
            if by_look and not attempts.absent(session, row.id, version):
                raise Refusal(
                    "not_verified",
                    "Nobody knows yet whether it happened. Look at the object; it can be tried again once it was "
                    "verified that nothing was done.",
                )
            attempts.give_up(session, row.id, version, now)
        proposals.move(
            session, row.id, version, since=since(Step.RETRY), to=to(Step.RETRY), now=now,
            reason=f"{who.name} has it tried again.", epoch=row.epoch + 1, executable_at=now,
            expires_at=now + timedelta(seconds=row.expires_in_s),
        )  # fmt: skip
        digest = keep(
            session, ground, subject_of(case), f"note:{row.id}:v{version}:e{row.epoch + 1}:{who.id}", note
        )
        tell_caller(session, row, now)
        noted = on_proposal(
            "proposal_retried", who, row, since=row.state, epoch=row.epoch + 1, policy=policy.version,
            rule=need.rule, note=digest,
        )  # fmt: skip
        journal.append_all(session, [*judged(session, ground, subject_of(case), now), noted], now)
    ground.changes.tell()
    ground.wake("act", row.account)
    return Outcome(case_id, row.id, version, to(Step.RETRY), now)


def _is_theirs(who: Principal, row: Row[Any]) -> bool:
    # One person may have made two agents: the person answers for both, an agent only for itself.
    made = who.person is not None and who.person in row.makers
    return row.requested_by == who.id or made or who.role in {"admin", "owner"}


def _require_may_revoke(session: Session, ground: Ground, who: Principal, row: Row[Any]) -> None:
    """Whoever could vote on it, or did. Taking back moves nothing, so makers may too."""
    need = decisions.need_now(session, row, ground.policy_of(row.account))
    voted = who.person is not None and decisions.vote_of(session, row.id, row.version, who.person) is not None
    if not voted and who.role not in {*need.roles, "admin"}:
        wanted = " or ".join(sorted(need.roles))
        raise Refusal("role", f"{who.name} has the role {who.role}; this takes the role {wanted}.")


def _too_late(row: Row[Any]) -> Refusal:
    doing = {"executing": "being executed", "unknown": "sent, and its outcome not yet known"}
    what = doing.get(row.state, "executed" if row.state == "succeeded" else row.state)
    if row.state == "approved":
        what = "approved, and its caller may be doing it"
    return Refusal("executing", f"Proposal {row.id} version {row.version} is {what}.", state=row.state)


def _lost(session: Session, ground: Ground, row: Row[Any]) -> Refusal:
    """Somebody was faster: what they have made of it."""
    found = proposals.one(session, row.case_id, row.version) or row
    return _too_late(found) if found.state in BEING_DONE else over(session, ground, found)


def _not_to_be_retried(session: Session, ground: Ground, row: Row[Any]) -> Refusal:
    match row.state:
        case "executing":
            return _too_late(row)
        case "pending" | "approved":
            return Refusal("stale_state", f"Version {row.version} has not been tried yet ({row.state}).")
        case _:
            return over(session, ground, row)
