"""Shadow: everybody judged by a policy beside the one in force, now, and the cases that would differ.

Both are asked about the same stored facts at the same moment, and both answers are compared with what stands. So what
is about to change anyway is no difference, and neither is what people have dismissed or the storm brake holds back.

What the daemon does besides: before it opens, changes or resolves a case that the CRM or the product has a part in, it
asks that system once more where what is stored is older than what makes the case move.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from daemon.core.diff import Changes, Reason, Verb
from daemon.core.judge import Verdict
from daemon.core.model import CaseState, Disagreement, Facts, Kind, Policy, Standing
from daemon.core.rules import RULES
from daemon.core.storm import storm
from daemon.judging import changes_of, judged
from daemon.observe.landscape import Land
from daemon.store import cases, held
from daemon.trial.ground import Trial


class Effect(StrEnum):
    OPEN = "open"
    RESOLVE = "resolve"
    CHANGE = "change"


class When(StrEnum):
    NOW = "now"  # at the next look
    SETTLED = "once settled"
    RELEASED = "held by the storm brake"


@dataclass(frozen=True, slots=True)
class Difference:
    """One case that stands by one of the two policies only, or says something else."""

    effect: Effect
    account: str
    kind: Kind
    fingerprint: str
    found: (
        Disagreement | None
    )  # as the tried policy words it, or the one in force where that has the case alone
    standing: Standing | None  # None: it never was
    when: When = When.NOW
    differs: tuple[str, ...] = ()  # of a changed one
    before: Disagreement | None = None  # of a changed one: as the policy in force words it


@dataclass(slots=True)
class Shadow:
    """What a trial came to."""

    at: datetime
    subjects: int = 0
    stands: dict[str, Counter[Kind]] = field(
        default_factory=lambda: {"in_force": Counter(), "tried": Counter()}
    )
    not_judged: Counter[Kind] = field(
        default_factory=Counter
    )  # subjects of which the rule's sources are not read
    differences: list[Difference] = field(default_factory=list)

    def count(self, kind: Kind, effect: Effect) -> int:
        return sum(each.kind is kind and each.effect is effect for each in self.differences)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What would stand in a batch by one policy."""

    stands: Mapping[str, Kind]
    found: Mapping[str, Disagreement]  # whatever it wants, settled or not
    later: Mapping[str, Reason]  # what it wants and does not open yet


def shadow(trial: Trial, now: datetime) -> Shadow:
    result = Shadow(now)
    for account in trial.accounts:
        pair = trial.in_force.for_account(account), trial.tried.for_account(account)
        differences: list[Difference] = []
        judged_before = result.subjects
        for session, land, facts in trial.facts(account):
            result.subjects += len(facts)
            differences += _batch(session, land, facts, *pair, result)
        result.differences += _braked(differences, result.subjects - judged_before)
    rank = {effect: number for number, effect in enumerate(Effect)}
    result.differences.sort(key=lambda each: (rank[each.effect], each.account, each.kind, each.fingerprint))
    return result


def _batch(
    session: Session, land: Land, facts: Sequence[Facts], in_force: Policy, tried: Policy, result: Shadow
) -> Iterator[Difference]:
    now, brake = result.at, held.brake(session, land.facts.slug)
    verdicts = judged(land, facts, in_force, now), judged(land, facts, tried, now)
    wanted = {each.fingerprint for some in verdicts for verdict in some for each in verdict.wanted}
    known = cases.standing(session, land.facts.slug, {each.subject for each in facts}, wanted, lock=False)
    standing = {fingerprint: case for some in known.values() for fingerprint, case in some.items()}
    old, new = (
        _outcome(standing, some, changes_of(session, land, some, policy, now, brake=brake, lock=False))
        for some, policy in zip(verdicts, (in_force, tried), strict=True)
    )
    result.stands["in_force"].update(old.stands.values())
    result.stands["tried"].update(new.stands.values())
    result.not_judged.update(_not_judged(verdicts[1]))
    yield from _differences(land.facts.slug, standing, old, new)


def _outcome(
    standing: Mapping[str, Standing], verdicts: Sequence[Verdict], changes: Sequence[Changes]
) -> _Outcome:
    stands = {
        name: Kind(case.kind) for name, case in standing.items() if case.state is not CaseState.RESOLVED
    }
    later: dict[str, Reason] = {}
    for each in changes:
        for change in each.made:
            if change.verb is Verb.RESOLVE:
                stands.pop(change.fingerprint, None)
            elif change.disagreement is not None:
                stands[change.fingerprint] = change.disagreement.kind
        later |= {one.fingerprint: one.reason for one in each.withheld if one.fingerprint not in stands}
    found = {each.fingerprint: each.disagreement for verdict in verdicts for each in verdict.wanted}
    return _Outcome(stands, found, later)


def _differences(
    account: str, standing: Mapping[str, Standing], old: _Outcome, new: _Outcome
) -> Iterator[Difference]:
    for name in sorted(old.stands.keys() | new.stands.keys() | new.later.keys()):
        case, before, after = standing.get(name), old.found.get(name), new.found.get(name)
        if name in old.stands and name in new.stands:
            differs = _differs(before, after)
            if differs:
                yield Difference(
                    Effect.CHANGE,
                    account,
                    new.stands[name],
                    name,
                    after,
                    case,
                    differs=differs,
                    before=before,
                )
        elif name in new.stands:
            yield Difference(Effect.OPEN, account, new.stands[name], name, after, case)
        elif name in old.stands:
            yield Difference(Effect.RESOLVE, account, old.stands[name], name, before, case)
        elif name not in old.later and after is not None:
            when = When.SETTLED if new.later[name] is Reason.SETTLING else When.RELEASED
            yield Difference(Effect.OPEN, account, after.kind, name, after, case, when)


def _differs(before: Disagreement | None, after: Disagreement | None) -> tuple[str, ...]:
    """What a case says otherwise, in the words of a case."""
    if before is None or after is None or before.digest("") == after.digest(""):
        return ()
    names = {
        "severity": "severity", "due_at": "due", "amount": "amount", "bucket": "bucket", "decided_by": "decided by",
        "escalated_by": "escalation", "title": "title", "facts_hash": "facts", "recommended": "recommendation",
        "drafts": "drafts",
    }  # fmt: skip
    differing = tuple(word for name, word in names.items() if getattr(before, name) != getattr(after, name))
    return differing or ("wording",)


def _braked(differences: Sequence[Difference], subjects: int) -> Iterator[Difference]:
    """The same, and which of them the storm brake would hold back, if the next pass were to open all of them."""
    opening: dict[Kind, set[str]] = defaultdict(set)
    for each in differences:
        if each.effect is Effect.OPEN and each.when is When.NOW:
            opening[each.kind].add(each.fingerprint)
    too_many = storm(opening, subjects, first_pass=False, held_before={})
    braked = {name for some in too_many.values() for name in some}
    for each in differences:
        yield replace(each, when=When.RELEASED) if each.fingerprint in braked else each


def _not_judged(verdicts: Iterable[Verdict]) -> Iterator[Kind]:
    for verdict in verdicts:
        for rule in RULES:
            is_asked = verdict.facts.subject.kind in rule.about and rule.kind not in verdict.off
            if is_asked and rule.kind not in verdict.judged:
                yield rule.kind
