"""Caring for a case without deciding on it: assign, snooze, comment, accept as known, show what a rule holds back."""

import json
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row
from sqlmodel import Session

from daemon.core.approval.principal import Principal
from daemon.core.diff import SNOOZE_ENDS_BEFORE, Change, Changes, Reason, Verb
from daemon.core.model import Kind, Substate
from daemon.desk.ground import Ground, require, subject_of
from daemon.desk.noting import checked, keep, on_case
from daemon.desk.outcome import Outcome
from daemon.desk.refusals import Refusal
from daemon.store import caring, cases, held, journal, people, spending, worklist
from daemon.store.tables.desk import DUE_UNKNOWN

LEASE: Final = timedelta(minutes=15)  # who took a case and went home does not keep it
SNOOZE_MAX: Final = timedelta(days=90)  # a quarter; what may wait for longer is accepted as known


def assign(ground: Ground, who: Principal, case_id: str, to: str | None) -> Outcome:
    """Whose it is for a quarter of an hour; anybody may still decide. `to` is a person's id or name."""
    require(who, "assign")
    now = ground.now()
    with ground.store.transaction() as session:
        case = ground.case(session, who, case_id)
        person = people.one(session, to) or people.named(session, to) if to and to.isprintable() else None
        if to is not None and (
            person is None or person.disabled_at is not None or not person.sees(case.account)
        ):
            raise Refusal("bad_details", f"There is nobody “{to[:60]}” who could take this case.")
        until = None if person is None else now + LEASE
        if person is None and case.assignee is None:
            return Outcome(case_id, changed=False)
        caring.assign(session, case_id, person.id if person is not None else None, until)
        note = on_case("case_assigned", who, case, to=person.id if person is not None else None)
        journal.append(session, note, now)
    return Outcome(case_id)


def snooze(ground: Ground, who: Principal, case_id: str, until: datetime | None) -> Outcome:
    """Out of the way until then, but never past its deadline; without a time it is back at once."""
    require(who, "snooze")
    now = ground.now()
    with ground.store.transaction() as session:
        case = ground.case(session, who, case_id)
        if case.state == "resolved":
            raise Refusal("moot", "The case is resolved: there is nothing to snooze.")
        if until is not None:
            until = _clamped(case, until, now)
        if until == case.snoozed_until:
            return Outcome(case_id, changed=False)
        caring.snooze(session, case_id, until)
        if until is not None:
            worklist.mark(session, [subject_of(case)], until, reading=False)
        said = until.isoformat() if until is not None else None
        journal.append(session, on_case("case_snoozed", who, case, until=said), now)
    return Outcome(case_id)


def comment(ground: Ground, who: Principal, case_id: str, text: str) -> Outcome:
    require(who, "comment")
    checked_text = checked("comment", text)
    if checked_text is None:
        raise Refusal("bad_details", "The comment is empty.")
    now = ground.now()
    with ground.store.transaction() as session:
        case = ground.case(session, who, case_id)
        name = f"comment:{case_id}:{now:%Y%m%d%H%M%S%f}:{secrets.token_hex(4)}"
        written = {"at": now.isoformat(), "by": who.name, "role": who.role, "text": checked_text}
        digest = keep(session, ground, subject_of(case), name, json.dumps(written, ensure_ascii=False))
        journal.append(session, on_case("case_commented", who, case, comment=digest), now)
    return Outcome(case_id)


def dismiss(
    ground: Ground, who: Principal, case_id: str, reason: str, until: datetime | None = None
) -> Outcome:
    """Accepts the case as known, for the facts that it has now. What was proposed on it is not done."""
    require(who, "dismiss")
    checked_reason = checked("reason", reason)
    if checked_reason is None:
        raise Refusal("bad_details", "Say why: whoever comes after you will want to know.")
    now = ground.now()
    if until is not None and until <= now:
        raise Refusal("bad_details", "until: a moment that is still to come is expected.")
    with ground.store.transaction() as session:
        spending.alone(session)
        case = ground.case(session, who, case_id)
        if case.state == "resolved" and case.substate == Substate.DISMISSED.value:
            return Outcome(case_id, changed=False)
        if case.state == "resolved":
            raise Refusal("moot", "The case is resolved already.")
        digest = keep(
            session, ground, subject_of(case), f"dismissal:{case_id}:{now:%Y%m%d%H%M%S%f}", checked_reason
        )
        resolved = _resolve(session, ground, case, now)
        caring.dismiss(session, case, who.id, digest or "", now, until)
        # When the dismissal ends, or its facts change, it comes back: by a look, as everything does.
        worklist.mark(session, [subject_of(case)], until or now, reading=False)
        said = until.isoformat() if until is not None else None
        note = on_case("case_dismissed", who, case, facts=case.facts_hash, reason=digest, until=said)
        journal.append_all(session, [*resolved, note], now)
    ground.changes.tell()
    return Outcome(case_id)


def release(ground: Ground, who: Principal, case_id: str) -> Outcome:
    """Shows the cases that a rule wants and that are held back because there are too many at once."""
    require(who, "release")
    now = ground.now()
    with ground.store.transaction() as session:
        case = ground.case(session, who, case_id)
        if case.kind != Kind.RULE_STORM.value:
            raise Refusal("bad_details", "Only what a rule_storm case holds back can be released.")
        kind = Kind(case.facts["stripe"]["rule"])
        subjects = held.release(session, case.account, kind)
        worklist.mark(session, [*subjects, subject_of(case)], now, reading=False)
        if not subjects:
            return Outcome(case_id, changed=False)
        note = on_case("rule_released", who, case, rule=kind.value, subjects=len(subjects))
        journal.append(session, note, now)
    ground.wake("look", case.account)
    return Outcome(case_id)


def _clamped(case: Row[Any], until: datetime, now: datetime) -> datetime:
    """As late as the deadline allows. Raises Refusal where that is not at all."""
    if case.due_order == DUE_UNKNOWN:
        raise Refusal("bad_details", "Nobody knows how much time is left, so this case cannot be snoozed.")
    latest = now + SNOOZE_MAX
    if case.due_at is not None:
        early = SNOOZE_ENDS_BEFORE if case.kind == Kind.DISPUTE_DEADLINE.value else timedelta(0)
        latest = min(latest, case.due_at - early)
    if latest <= now:
        raise Refusal("bad_details", f"It is due on {case.due_at:%Y-%m-%d}: too soon to be snoozed.")
    if until <= now:
        raise Refusal("bad_details", "until: a moment that is still to come is expected.")
    return min(until, latest)


def _resolve(session: Session, ground: Ground, case: Row[Any], now: datetime) -> list[journal.Note]:
    """As a look does that finds a dismissal. Raises Refusal while something is being done about the case."""
    land = ground.land(session, case.account)
    standing = cases.standing(session, case.account, [], [case.fingerprint])[subject_of(case)][
        case.fingerprint
    ]
    if standing.claimed:
        raise Refusal("executing", "Something is being done about this case. Wait until that has ended.")
    change = Change(Verb.RESOLVE, Reason.ACCEPTED, case.fingerprint, standing, substate=Substate.DISMISSED)
    policy = ground.policy_of(case.account)
    return cases.apply(session, land.facts, policy, [Changes((change,))], now)
