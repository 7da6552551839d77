"""Cases: what stands, and how the loop writes it. One row per fingerprint: what comes back is the same case again.

The loop opens, refreshes, wakes and resolves; every one of these is noted in the journal with its reason, but for a
refresh in which nothing material changed. The columns of people are not touched, except that a snooze ends when
its time is over.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, select, update
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.canonical import Json
from daemon.core.diff import Change, Changes, Reason, Verb
from daemon.core.model import (
    SEVERITY_RANK,
    AccountFacts,
    CaseState,
    Disagreement,
    Dismissal,
    Due,
    Kind,
    Policy,
    Rates,
    Recommendation,
    Severity,
    Standing,
    Substate,
)
from daemon.core.protocol import LIVE
from daemon.store import outbox, proposals
from daemon.store.journal import Note
from daemon.store.statements import among, portions, within
from daemon.store.tables import table
from daemon.store.tables.base import microseconds
from daemon.store.tables.desk import DUE_NEVER, DUE_UNKNOWN

CASES = table("cases")
PROPOSALS = table("proposals")
ATTEMPTS = table("attempts")
DISMISSALS = table("dismissals")

REQUESTS: Final = Kind.APPROVAL_REQUEST.value
BY_LOOK: Final = "loop"  # the actor of everything that a look does
ID_DIGITS = 24  # of the fingerprint; 96 bits do not meet by chance
UNFINISHED = ("claimed", "sent", "unknown")

# A refresh in which only the wording changed is no event in the life of a case.
NOTED = {
    Verb.OPEN: "case_opened",
    Verb.REOPEN: "case_reopened",
    Verb.REFRESH: "case_changed",
    Verb.WAKE: "case_woken",
    Verb.RESOLVE: "case_resolved",
}


def standing(
    session: Session,
    account: str,
    subjects: Collection[Subject],
    fingerprints: Collection[str],
    *,
    lock: bool = True,
) -> dict[Subject, dict[str, Standing]]:
    """The unresolved cases of these subjects and every case of these fingerprints, by who has them now.

    Locked, since who asks is about to change them; `lock=False` is for a mere look ahead.
    """
    found: dict[str, Row[Any]] = {}
    names = sorted((subject.kind, subject.id) for subject in subjects)
    for some in portions(names):
        of_subjects = among(session, (CASES.c.subject_kind, CASES.c.subject_id), some)
        found |= _found(session, lock, CASES.c.account == account, CASES.c.state != "resolved", of_subjects)
    for some_more in portions(sorted(set(fingerprints) - found.keys())):
        found |= _found(
            session, lock, CASES.c.account == account, within(session, CASES.c.fingerprint, some_more)
        )
    tried = _attempts_of(session, [row.id for row in found.values()])
    asked = _with_live_proposals(session, [row.id for row in found.values() if row.kind == REQUESTS])
    cases: dict[Subject, dict[str, Standing]] = defaultdict(dict)
    for fingerprint, row in found.items():
        subject = Subject(account, row.subject_kind, row.subject_id)
        cases[subject][fingerprint] = _standing(row, tried.get(row.id, frozenset()), asked)
    return dict(cases)


def dismissals(session: Session, fingerprints: Collection[str]) -> dict[str, Dismissal]:
    """Which of these are accepted as known, and for which facts."""
    found: dict[str, Dismissal] = {}
    for some in portions(sorted(fingerprints)):
        query = select(DISMISSALS).where(
            within(session, DISMISSALS.c.fingerprint, some), DISMISSALS.c.ended_at.is_(None)
        )
        for row in session.execute(query):
            found[row.fingerprint] = Dismissal(row.fingerprint, row.facts_hash, row.until)
    return found


def apply(
    session: Session, account: AccountFacts, policy: Policy, changes: Sequence[Changes], now: datetime
) -> list[Note]:
    """Writes what a look changes, and gives the notes for the journal, which are to be appended last."""
    made = [change for each in changes for change in each.made]
    ordered = sorted(made, key=lambda change: change.fingerprint)  # in one order everywhere
    opened = [each for each in ordered if each.verb is Verb.OPEN]
    if opened:
        session.execute(insert(CASES), [_new(account, policy, each, now) for each in opened])
    for verb in (Verb.REOPEN, Verb.REFRESH, Verb.WAKE, Verb.RESOLVE):
        rows = [_moved(policy, each, now) for each in ordered if each.verb is verb]
        for alike in _by_columns(rows):
            session.execute(_update(alike[0]), alike)
    notes = [_note(account, policy, each) for each in ordered if each.reason is not Reason.WORDING_CHANGED]
    return notes + _given_up(session, [each for each in ordered if each.verb is Verb.RESOLVE], now)


def _given_up(session: Session, resolved: Sequence[Change], now: datetime) -> list[Note]:
    """What was proposed on cases that are resolved now is not done, unless that has begun: then they do not resolve."""
    reasons = {each.standing.id: each.reason for each in resolved if each.standing is not None}
    if not reasons:  # as with most
        return []
    notes = []
    for row in proposals.make_moot(session, reasons, "The case has been resolved.", now):
        reason = reasons[row.case_id]
        moved = proposals.one(session, row.case_id, row.version)
        if moved is not None and moved.callback_url is not None:
            outbox.announce(session, moved, now)
        body: dict[str, Json] = {
            "case": row.case_id,
            "proposal": row.id,
            "version": row.version,
            "since": row.state,
            "reason": reason.value,
        }
        subject = ("case", row.case_id)
        notes.append(Note("proposal_moot", BY_LOOK, body, account=row.account, subject=subject))
    return notes


def case_id(fingerprint: str) -> str:
    return f"case_{fingerprint[:ID_DIGITS]}"


def _found(session: Session, lock: bool, *conditions: Any) -> dict[str, Row[Any]]:
    query = select(CASES).where(*conditions).order_by(CASES.c.fingerprint)
    query = query.with_for_update() if lock else query
    return {row.fingerprint: row for row in session.execute(query)}


def _attempts_of(session: Session, cases: Sequence[str]) -> dict[str, frozenset[str]]:
    """The states of all attempts that were made for these cases."""
    states: dict[str, set[str]] = defaultdict(set)
    for some in portions(sorted(cases)):
        of_proposal = (PROPOSALS.c.id == ATTEMPTS.c.proposal_id) & (PROPOSALS.c.version == ATTEMPTS.c.version)
        query = select(PROPOSALS.c.case_id, ATTEMPTS.c.state).join(PROPOSALS, of_proposal)
        for row in session.execute(query.where(within(session, PROPOSALS.c.case_id, some))):
            states[row.case_id].add(row.state)
    return {case: frozenset(found) for case, found in states.items()}


def _with_live_proposals(session: Session, cases: Sequence[str]) -> set[str]:
    """Of these cases, those on which something waits for votes, or for being done."""
    found: set[str] = set()
    for some in portions(sorted(cases)):
        query = select(PROPOSALS.c.case_id).where(PROPOSALS.c.case_id.in_(some))
        found |= set(session.scalars(query.where(PROPOSALS.c.state.in_(sorted(LIVE)))))
    return found


def _standing(row: Row[Any], attempts: frozenset[str], asked: Collection[str]) -> Standing:
    return Standing(
        id=row.id,
        fingerprint=row.fingerprint,
        kind=row.kind,
        state=CaseState(row.state),
        substate=Substate(row.substate),
        severity=Severity(row.severity),
        facts_hash=row.facts_hash,
        digest=row.digest,
        due_at=row.due_at,
        due_unknown=row.due_order == DUE_UNKNOWN,
        snoozed_until=row.snoozed_until,
        claimed=bool(attempts.intersection(UNFINISHED)),
        executed="succeeded" in attempts,
        waiting=row.id in asked if row.kind == REQUESTS else None,
    )


def _new(account: AccountFacts, policy: Policy, change: Change, now: datetime) -> dict[str, Any]:
    assert change.disagreement is not None
    return {
        "id": case_id(change.fingerprint),
        "account": account.slug,
        "stripe_account": account.stripe_account,
        "livemode": account.livemode,
        "fingerprint": change.fingerprint,
        "state": CaseState.OPEN.value,
        "substate": (change.substate or Substate.NEW).value,
        "opened_at": now,
        "seen_count": 1,
        **_said(change.disagreement, policy, change.digest, now),
    }


def _moved(policy: Policy, change: Change, now: datetime) -> dict[str, Any]:
    """The columns that a change of a known case writes."""
    assert change.standing is not None
    new: dict[str, Any] = {"of_id": change.standing.id}
    if change.disagreement is not None:
        new |= _said(change.disagreement, policy, change.digest, now)
    if change.substate is not None:
        new["substate"] = change.substate.value
    match change.verb:
        case Verb.REOPEN:
            new |= {"state": CaseState.OPEN.value, "opened_at": now, "resolved_at": None, "reopened": 1}
        case Verb.WAKE:
            new |= {"state": CaseState.OPEN.value, "snoozed_until": None}
        case Verb.RESOLVE:
            new |= {"state": CaseState.RESOLVED.value, "resolved_at": now, "snoozed_until": None}
        case _:
            pass
    return new


def _said(found: Disagreement, policy: Policy, digest: str, now: datetime) -> dict[str, Any]:
    """What a rule says, as columns."""
    due_at = None if isinstance(found.due_at, Due) else found.due_at
    amount = found.amount
    return {
        "kind": found.kind.value,
        "subject_kind": found.subject.kind,
        "subject_id": found.subject.id,
        "title": found.title,
        "severity": found.severity.value,
        "severity_rank": SEVERITY_RANK[found.severity],
        "seen_at": now,
        "due_at": due_at,
        "due_order": _due_order(found.due_at),
        "amount": amount.amount_minor if amount else None,
        "currency": amount.currency if amount else None,
        "amount_order": _amount_order(found, policy.money),
        "rule": found.kind.value,
        "policy_version": policy.version,
        "facts": {system.value: said for system, said in found.facts.items()},
        "facts_hash": found.facts_hash,
        "differences": [
            {"field": each.field, "says": {system.value: said for system, said in each.says.items()}}
            for each in found.differences
        ],
        "object_ids": found.object_ids,
        "detail": _detail(found),
        "digest": digest,
    }


def _detail(found: Disagreement) -> Json:
    return {
        "per": found.per,
        "odd_one_out": found.odd_one_out.value if found.odd_one_out else None,
        "direction": found.direction.value if found.direction else None,
        "recommended": _recommendation(found.recommended) if found.recommended else None,
        "drafts": [_recommendation(each) for each in found.drafts],
        "bucket": found.bucket,
        "decided_by": found.decided_by,
        "escalated_by": found.escalated_by,
        "notes": found.notes,
    }


def _recommendation(recommended: Recommendation) -> Json:
    return {
        "action": recommended.action,
        "details": recommended.details,
        "personal": recommended.personal,
    }


def _due_order(due_at: datetime | Due | None) -> int:
    if due_at is None:
        return DUE_NEVER
    return DUE_UNKNOWN if isinstance(due_at, Due) else microseconds(due_at)


def _amount_order(found: Disagreement, rates: Rates) -> int:
    """Minus the amount in the reporting currency, so that more comes first; 0 without a rate."""
    comparable = rates.in_report(found.amount) if found.amount else None
    return -comparable.amount_minor if comparable else 0


def _by_columns(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows that write the same columns, so that one statement does for all of them."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        alike[tuple(row)].append(row)
    return [[_named(row) for row in group] for group in alike.values()]


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {name if name == "of_id" else f"new_{name}": value for name, value in row.items()}


def _update(row: dict[str, Any]) -> Any:
    names = [name.removeprefix("new_") for name in row if name not in ("of_id", "new_reopened")]
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    if "new_reopened" in row:
        new["seen_count"] = CASES.c.seen_count + bindparam("new_reopened")
    return update(CASES).where(CASES.c.id == bindparam("of_id")).values(new)


def _note(account: AccountFacts, policy: Policy, change: Change) -> Note:
    found, before = change.disagreement, change.standing
    body: dict[str, Json] = {
        "case": before.id if before else case_id(change.fingerprint),
        "reason": change.reason.value,
        "policy": policy.version,
    }
    if found is not None:
        body |= {
            "kind": found.kind.value,
            "severity": found.severity.value,
            "facts": found.facts_hash,
            "amount": [found.amount.amount_minor, found.amount.currency] if found.amount else None,
        }
    elif before is not None:
        body |= {"kind": before.kind, "facts": before.facts_hash}
    if change.substate is not None:
        body["substate"] = change.substate.value
    subject = ("case", str(body["case"]))
    return Note(NOTED[change.verb], BY_LOOK, body, account=account.slug, subject=subject)
