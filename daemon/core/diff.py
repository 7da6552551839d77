"""From what should stand and what stands to what is to be changed: open, refresh, resolve, each with its reason.

It writes only what the loop owns. What people have said (a snooze, a dismissal) it reads, and never changes.
A dismissal is compared, not consumed: it holds exactly while the material facts are those that were accepted,
so the same world and the same people's words always give the same cases.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from daemon.core.judge import Verdict, Wanted
from daemon.core.model import (
    SEVERITY_RANK,
    CaseState,
    Disagreement,
    Dismissal,
    Due,
    Kind,
    Standing,
    Substate,
)
from daemon.core.rules import BY_KIND

SNOOZE_ENDS_BEFORE: Final = timedelta(hours=72)  # a dispute needs a working day or two to be answered


class Verb(StrEnum):
    OPEN = "open"
    REOPEN = "reopen"
    REFRESH = "refresh"
    WAKE = "wake"
    RESOLVE = "resolve"


class Reason(StrEnum):
    FIRST_SEEN = "first_seen"
    CAME_BACK = "came_back"
    NO_LONGER_ACCEPTED = "no_longer_accepted"  # its dismissal ended, or was for other facts

    FACTS_CHANGED = "facts_changed"
    URGENCY_CHANGED = "urgency_changed"
    WORDING_CHANGED = "wording_changed"  # nothing material: the policy's version, a draft, a name

    SNOOZE_OVER = "snooze_over"
    DEADLINE_NEAR = "deadline_near"

    AGREEMENT = "agreement"
    EXECUTED = "executed"
    ACCEPTED = "accepted"  # dismissed, and still for these facts
    RULE_OFF = "rule_off"

    # Why something that should stand does not get a case, or one that should not stand keeps it.
    SETTLING = "settling"
    STORM = "storm"
    BEING_EXECUTED = "being_executed"
    MEANWHILE = "meanwhile"  # since the facts were read, people have asked for something, or decided on it


class Change(Struct, frozen=True):
    verb: Verb
    reason: Reason
    fingerprint: str
    standing: Standing | None = None  # None: a case that never was before
    disagreement: Disagreement | None = None  # of all but wake and resolve
    substate: Substate | None = None  # None: it stays as it is
    digest: str = ""  # to be stored with the case


class Withheld(Struct, frozen=True):
    """What was not done, and why: to be counted and shown."""

    reason: Reason
    fingerprint: str
    kind: Kind


class Changes(Struct, frozen=True):
    made: tuple[Change, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    look_again_at: datetime | None = None  # the verdict's, or sooner: a snooze or a dismissal ends


NOTHING: Final = Changes()


def diff(
    verdict: Verdict,
    standing: Mapping[str, Standing],
    dismissals: Mapping[str, Dismissal],
    now: datetime,
    policy_version: str,
    *,
    held: frozenset[Kind] = frozenset(),
    released: frozenset[str] = frozenset(),
) -> Changes:
    """What to change about one subject's cases.

    `standing` holds the unresolved cases of the subject, and of every fingerprint that is wanted the newest
    case, resolved or not. Of a held kind nothing opens but what was released by its fingerprint.
    """
    if not verdict.wanted and not standing:
        return NOTHING if verdict.look_again_at is None else Changes(look_again_at=verdict.look_again_at)
    made: list[Change] = []
    withheld: list[Withheld] = []
    moments = [verdict.look_again_at]
    accepted: set[str] = set()
    wanted = {each.fingerprint: each for each in verdict.wanted}
    for fingerprint, each in wanted.items():
        case = standing.get(fingerprint)
        dismissal = dismissals.get(fingerprint)
        if dismissal is not None and _accepted(dismissal, each.disagreement, now):
            moments.append(dismissal.until)
            accepted.add(fingerprint)
            if case is not None and case.state is not CaseState.RESOLVED:
                made.extend(_resolved(case, Reason.ACCEPTED, Substate.DISMISSED, withheld))
            continue
        if case is not None and case.state is not CaseState.RESOLVED:
            made.extend(_refreshed(each, case, policy_version))
            continue
        reason = _not_yet(each, held, released, case)
        if reason is not None:
            withheld.append(Withheld(reason, fingerprint, each.disagreement.kind))
            continue
        made.append(_opened(each, case, policy_version))
    for fingerprint, case in standing.items():
        if case.state is CaseState.RESOLVED:
            continue
        kind = Kind(case.kind)
        if fingerprint not in wanted and kind in verdict.judged:
            reason, substate = _how_it_ended(verdict, case, kind, now)
            made.extend(_resolved(case, reason, substate, withheld))
        elif case.state is CaseState.SNOOZED and fingerprint not in accepted:
            kept = wanted.get(fingerprint)
            wakes_at, why = _wakes(case, kept.disagreement.due_at if kept else _due_of(case))
            if wakes_at is None or now >= wakes_at:
                made.append(Change(Verb.WAKE, why, fingerprint, case))
            else:
                moments.append(wakes_at)
    made.sort(key=lambda change: (change.fingerprint, change.verb))
    return Changes(tuple(made), tuple(withheld), _soonest(moments))


def _opened(each: Wanted, case: Standing | None, policy_version: str) -> Change:
    found = each.disagreement
    if case is None:
        verb, reason, substate = Verb.OPEN, Reason.FIRST_SEEN, Substate.NEW
    elif case.substate is Substate.DISMISSED:
        verb, reason, substate = Verb.REOPEN, Reason.NO_LONGER_ACCEPTED, Substate.ONGOING
    else:
        verb, reason, substate = Verb.REOPEN, Reason.CAME_BACK, Substate.ONGOING
    if found.escalated_by is not None:
        substate = Substate.ESCALATED
    return Change(verb, reason, each.fingerprint, case, found, substate, found.digest(policy_version))


def _refreshed(each: Wanted, case: Standing, policy_version: str) -> Iterable[Change]:
    found = each.disagreement
    digest = found.digest(policy_version)
    if digest == case.digest:
        return
    if found.without and not _pressing(found, case):
        return  # an outage of another system takes nothing away from what the case says
    if found.facts_hash != case.facts_hash:
        reason = Reason.FACTS_CHANGED
    elif found.severity != case.severity or found.due_at != _due_of(case):
        reason = Reason.URGENCY_CHANGED
    else:
        reason = Reason.WORDING_CHANGED
    yield Change(Verb.REFRESH, reason, each.fingerprint, case, found, digest=digest)


def _pressing(found: Disagreement, case: Standing) -> bool:
    """Whether more has changed than what could not be read beside it."""
    more_urgent = SEVERITY_RANK[found.severity] < SEVERITY_RANK[case.severity]
    return more_urgent or found.facts_hash != case.facts_hash or found.due_at != _due_of(case)


def _resolved(
    case: Standing, reason: Reason, substate: Substate, withheld: list[Withheld]
) -> Iterable[Change]:
    if case.claimed:
        withheld.append(Withheld(Reason.BEING_EXECUTED, case.fingerprint, Kind(case.kind)))
        return
    if case.kind == Kind.APPROVAL_REQUEST and case.waiting and reason in (Reason.AGREEMENT, Reason.EXECUTED):
        withheld.append(Withheld(Reason.MEANWHILE, case.fingerprint, Kind(case.kind)))
        return
    yield Change(Verb.RESOLVE, reason, case.fingerprint, case, substate=substate)


def _not_yet(
    each: Wanted, held: frozenset[Kind], released: frozenset[str], case: Standing | None
) -> Reason | None:
    if each.disagreement.kind is Kind.APPROVAL_REQUEST and case is not None and case.waiting is False:
        return Reason.MEANWHILE
    if not each.settled:
        return Reason.SETTLING
    if each.disagreement.kind in held and each.fingerprint not in released:
        return Reason.STORM
    return None


def _how_it_ended(verdict: Verdict, case: Standing, kind: Kind, now: datetime) -> tuple[Reason, Substate]:
    if case.executed:
        return Reason.EXECUTED, Substate.EXECUTED
    if kind in verdict.off:
        return Reason.RULE_OFF, Substate.DISMISSED
    return Reason.AGREEMENT, BY_KIND[kind].ended(verdict.facts, case, now)


def _accepted(dismissal: Dismissal, found: Disagreement, now: datetime) -> bool:
    return dismissal.facts_hash == found.facts_hash and (dismissal.until is None or now < dismissal.until)


def _wakes(case: Standing, due_at: datetime | Due | None) -> tuple[datetime | None, Reason]:
    """When a snoozed case wakes; None: at once, since nobody knows how much time is left."""
    until = case.snoozed_until
    if isinstance(due_at, Due):
        return None, Reason.DEADLINE_NEAR
    if due_at is not None:
        latest = due_at - SNOOZE_ENDS_BEFORE if case.kind == Kind.DISPUTE_DEADLINE else due_at
        if until is None or latest < until:
            return latest, Reason.DEADLINE_NEAR
    return until, Reason.SNOOZE_OVER


def _due_of(case: Standing) -> datetime | Due | None:
    return Due.UNKNOWN if case.due_unknown else case.due_at


def _soonest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)
