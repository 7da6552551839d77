"""Proposals, votes and attempts as people and programs read them: on a case, and as the caller of one sees it.

What people and agents have written stands apart, under `untrusted`: it is shown, and never taken for ours.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.approval.answers import progress_of, status_of
from daemon.core.approval.editing import patch
from daemon.core.approval.matrix import AUTOMATIC
from daemon.core.canonical import Json
from daemon.core.protocol import LIVE
from daemon.store import decisions, personal, proposals
from daemon.store.people import PEOPLE, TOKENS
from daemon.store.personal import Seal
from daemon.store.proposals import Erased
from daemon.store.tables import table

ATTEMPTS = table("attempts")

Names = Mapping[str, str]
Idle = Callable[[Session, str], str | None]  # why nothing is done in an account, as a sentence


def of_case(session: Session, case: Row[Any], seal: Seal | None, idle: Idle | None = None) -> dict[str, Json]:
    """What was proposed on a case, decided about it, and done. Without the seal, nothing personal.

    `proposal` is the newest that waits for somebody or something; where none does, the newest of all.
    """
    rows = proposals.of_case(session, case.id)
    live = [row for row in rows if row.state in LIVE]
    votes = [vote for one in dict.fromkeys(row.id for row in rows) for vote in decisions.votes(session, one)]
    names = names_of(session, [*_principals(rows), *(vote.person for vote in votes)])
    shown = {row.version: _proposal(session, seal, row, names, idle) for row in rows}
    return {
        "proposal": shown[(live or rows)[-1].version] if rows else None,
        "proposals": list(shown.values()),
        "decisions": [_decision(vote, names) for vote in votes],
        "attempts": [_attempt(row) for row in _attempts(session, rows)],
        "untrusted": _untrusted(session, seal, case, rows) if seal is not None else {},
    }


def approval(session: Session, seal: Seal, row: Row[Any], public_url: str) -> dict[str, Json]:
    """A proposal as its caller sees it; `row` is its newest version."""
    first, *_ = rows = proposals.versions(session, row.id)
    asked, effective = _details(session, seal, first), _details(session, seal, row)
    quorum = decisions.quorum(session, row, decisions.policy_in_force(session, row))
    return {
        "id": row.id,
        "case_id": row.case_id,
        "account": row.account,
        "action": row.action,
        "version": row.version,
        "state_hash": row.state_hash,
        "status": status_of(row.state),
        "reason": row.reason,
        "details": asked,
        "effective_details": effective,
        "diff": patch(asked, effective),
        "approvals": {"have": quorum.have, "need": quorum.need.approvers},
        "auto_approved": row.policy_rule if row.approvals_needed == AUTOMATIC else None,
        "execution": _execution(session, rows, row),
        "executable_at": text(row.executable_at),
        "review_url": f"{public_url.rstrip('/')}/cases/{row.case_id}",
        "expires_at": text(row.expires_at),
        "deduplicated": False,
    }


def waits_because(session: Session, row: Row[Any], idle: Idle | None) -> str | None:
    """Why what is approved and ours to do is not done, where something keeps us from it."""
    if idle is None or row.state != "approved" or row.execution != "daemon":
        return None
    return idle(session, row.account)


def idempotency_key(row: Row[Any]) -> str:
    """The key under which this version is done, by whomever: a second try of the same is not a second effect."""
    return f"rcl:{row.id}:v{row.version}:e{row.epoch}"


def names_of(session: Session, ids: Iterable[str]) -> Names:
    """The names of people and tokens, as far as these are some."""
    wanted = sorted(set(ids))
    found: dict[str, str] = {}
    for of in (PEOPLE, TOKENS):
        found |= {
            row.id: row.name for row in session.execute(select(of.c.id, of.c.name).where(of.c.id.in_(wanted)))
        }
    return found


def text(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at is not None else None


def _principals(rows: Sequence[Row[Any]]) -> Iterable[str]:
    for row in rows:
        yield from (row.requested_by, row.drafted_by, *row.makers)


def _proposal(session: Session, seal: Seal | None, row: Row[Any], names: Names, idle: Idle | None) -> Json:
    quorum = decisions.quorum(session, row, decisions.policy_in_force(session, row))
    return {
        "id": row.id,
        "version": row.version,
        "action": row.action,
        "details": row.details if seal is None else _details(session, seal, row),
        "effect": row.effect,
        "execution": row.execution,
        "state": row.state,
        "state_since": text(row.state_since),
        "state_hash": row.state_hash,
        "snapshot": row.snapshot,
        "amount": row.amount,
        "currency": row.currency,
        "requested_by": names.get(row.requested_by, row.requested_by),
        "drafted_by": names.get(row.drafted_by, row.drafted_by),
        "makers": [names.get(each, each) for each in row.makers],
        "need": quorum.need.approvers,
        "have": quorum.have,
        "roles": list(quorum.need.roles),
        "rule": quorum.need.rule,
        "policy_version": row.policy_version,
        "epoch": row.epoch,
        "created_at": text(row.created_at),
        "executable_at": text(row.executable_at),
        "expires_at": text(row.expires_at),
        "waits_because": waits_because(session, row, idle),
        "reason": row.reason,
    }


def _decision(vote: Row[Any], names: Names) -> Json:
    return {
        "proposal": vote.proposal_id,
        "version": vote.version,
        "person": names.get(vote.person, vote.person),
        "role": vote.authority.get("role"),
        "verdict": vote.verdict,
        "state_hash": vote.state_hash,
        "rule": vote.policy_rule,
        "at": text(vote.decided_at),
    }


def _attempts(session: Session, rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    ids = sorted({row.id for row in rows})
    query = select(ATTEMPTS).where(ATTEMPTS.c.proposal_id.in_(ids))
    return session.execute(query.order_by(ATTEMPTS.c.claimed_at, ATTEMPTS.c.id)).all() if ids else []


def _attempt(row: Row[Any]) -> Json:
    return {
        "id": row.id,
        "proposal": row.proposal_id,
        "version": row.version,
        "epoch": row.epoch,
        "state": row.state,
        "idempotency_key": row.idempotency_key,
        "claimed_at": text(row.claimed_at),
        "sent_at": text(row.sent_at),
        "finished_at": text(row.finished_at),
        "object_id": row.object_id,
        "object_status": row.object_status,
        "replayed": row.replayed,
        "request_id": row.request_id,
        "absent_at": text(row.absent_at),
        "error": row.error,
    }


def _execution(session: Session, rows: Sequence[Row[Any]], row: Row[Any]) -> Json:
    tried = _attempts(session, rows)
    last = tried[-1] if tried else None
    status = progress_of(row.state)
    before = rows[-2] if len(rows) > 1 else None
    if row.state == "pending" and before is not None and before.state == "stale" and before.executable_at:
        status = "stale"  # it was approved, and the world had changed before it was done
    return {
        "mode": row.execution,
        "status": status,
        "stripe_object_id": last.object_id if last is not None else None,
        "error": (last.error if last is not None else None) if status in {"failed", "unknown"} else None,
        "idempotency_key": idempotency_key(row),
    }


def _details(session: Session, seal: Seal, row: Row[Any]) -> dict[str, Json]:
    try:
        return proposals.details_of(session, seal, row)
    except Erased:
        return dict(row.details)


def _untrusted(session: Session, seal: Seal, case: Row[Any], rows: Sequence[Row[Any]]) -> dict[str, Json]:
    """What was written about it, by whomever. Under whom it was kept may have changed with whose case it is."""
    subjects = {Subject(case.account, case.subject_kind, case.subject_id)}
    subjects |= {Subject(row.account, row.target_type, row.target_id) for row in rows}

    def written(name: str) -> list[tuple[str, str]]:
        found = [each for one in sorted(subjects) for each in personal.beginning(session, seal, one, name)]
        return sorted(found)

    def of_versions(what: str) -> list[Json]:
        ids = dict.fromkeys(row.id for row in rows)
        pieces = [each for one in ids for each in written(f"{what}:{one}:")]
        return [{"proposal": name.split(":")[1], "version": name.split(":")[2][1:], "text": said}
                for name, said in pieces]  # fmt: skip

    newest = rows[-1] if rows else None
    seen = written(f"proposal:{newest.id}:v{newest.version}:seen") if newest is not None else []
    return {
        "summaries": of_versions("summary"),
        "justifications": of_versions("justification"),
        "notes": of_versions("note"),
        "dismissals": [said for _, said in written(f"dismissal:{case.id}:")],
        "comments": [json.loads(said) for _, said in written(f"comment:{case.id}:")],
        "seen": json.loads(seen[0][1]) if seen else None,
    }
