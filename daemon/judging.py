"""Judging a batch: what should stand, on facts that are fresh enough to move a case, and what that changes.

Before a case moves that another system has a part in, that system is asked about it again, if what is stored of it is
older than what makes the case move. So nothing opens or resolves on the word of a system that has gone silent.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.diff import Change, Changes, Reason, Verb, diff
from daemon.core.judge import Verdict, judge
from daemon.core.model import DISAGREEMENTS, Facts, Kind, Policy, Source, Standing
from daemon.core.rules import BY_KIND, RULES
from daemon.observe.landscape import OF_STRIPE, Land, sources_of
from daemon.observe.observer import Observer
from daemon.store import cases
from daemon.store.db import Store
from daemon.store.held import Brake

OTHER_SYSTEMS: Final = frozenset({Source.CRM, Source.ENTITLEMENTS})
ASK_AGAIN_AFTER: Final = timedelta(minutes=5)  # what could not be confirmed; a pass that ends comes sooner

OPEN: Final = Brake()

PolicyOf = Callable[[str], Policy]


class Judging:
    def __init__(
        self, store: Store, observer: Observer, policy_of: PolicyOf, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._observer = observer
        self.policy_of = policy_of
        self._now = now

    def verdicts(self, land: Land, facts: Sequence[Facts], policy: Policy) -> list[Verdict]:
        """What should stand about each of these. May ask the other systems, and Stripe, about what would move."""
        now = self._now()
        given = judged(land, facts, policy, now)
        unconfirmed = self._unconfirmed(land, given, policy, now)
        if not unconfirmed:
            return given
        reread = {each.subject: each for each in self._observer.read_again(land, unconfirmed)}
        now, silent = self._now(), _silent(land)
        return [
            _again(_without(judge(reread[each.facts.subject], policy, now), silent), now)
            if each.facts.subject in reread
            else each
            for each in given
        ]

    def changes(
        self,
        session: Session,
        land: Land,
        verdicts: Sequence[Verdict],
        policy: Policy,
        former: Mapping[Subject, Subject] | None = None,
        brake: Brake = OPEN,
        *,
        lock: bool = True,
    ) -> list[Changes]:
        """What these change about the standing cases, which are locked. `former` subjects have become others."""
        return changes_of(session, land, verdicts, policy, self._now(), former, brake, lock=lock)

    def _unconfirmed(
        self, land: Land, verdicts: Sequence[Verdict], policy: Policy, now: datetime
    ) -> dict[Subject, tuple[Facts, Collection[Source]]]:
        """What has to be read again before it is believed."""
        found: dict[Subject, tuple[Facts, Collection[Source]]] = {}
        with self._store.reading() as session:
            planned = self.changes(session, land, verdicts, policy, lock=False)
        for verdict, changes in zip(verdicts, planned, strict=True):
            sources = {
                source for change in changes.made for source in _older_than_the_cause(verdict.facts, change)
            }
            if verdict.read_again and verdict.look_again_at is not None and verdict.look_again_at <= now:
                sources |= verdict.read_again
            if sources:
                found[verdict.facts.subject] = (verdict.facts, sources)
        return found


def judged(land: Land, facts: Sequence[Facts], policy: Policy, now: datetime) -> list[Verdict]:
    """What should stand by what is stored alone; nobody is asked."""
    silent = _silent(land)
    return [_without(judge(each, policy, now), silent) for each in facts]


def changes_of(
    session: Session,
    land: Land,
    verdicts: Sequence[Verdict],
    policy: Policy,
    now: datetime,
    former: Mapping[Subject, Subject] | None = None,
    brake: Brake = OPEN,
    *,
    lock: bool = True,
) -> list[Changes]:
    """What these change about the standing cases, which are locked unless one only wants to know."""
    verdicts = _each_once(verdicts)
    known = _whose(session, land, verdicts, former or {}, lock=lock)
    fingerprints = {each for some in known for each in some}
    accepted = cases.dismissals(session, fingerprints | _wanted(verdicts))
    return [
        diff(verdict, own, accepted, now, policy.version, held=brake.held, released=brake.released)
        for verdict, own in zip(verdicts, known, strict=True)
    ]


def _silent(land: Land) -> frozenset[Kind]:
    """Disagreements with a class of Stripe that cannot be read now. Deadlines and risks go on from what is known."""
    failing = set(OF_STRIPE) if land.troubles else set(land.failing) - OTHER_SYSTEMS
    return frozenset(rule.kind for rule in RULES if rule.kind in DISAGREEMENTS and rule.needs & failing)


def _without(verdict: Verdict, kinds: frozenset[Kind]) -> Verdict:
    """The verdict that says nothing about these kinds."""
    if not kinds & verdict.judged:
        return verdict
    wanted = tuple(each for each in verdict.wanted if each.disagreement.kind not in kinds)
    return replace(verdict, judged=verdict.judged - kinds, wanted=wanted)


def _again(verdict: Verdict, now: datetime) -> Verdict:
    """What is still not confirmed is asked about later, not at once."""
    later = now + ASK_AGAIN_AFTER
    if verdict.look_again_at is None:
        return replace(verdict, look_again_at=later) if verdict.facts.unread else verdict
    return replace(verdict, look_again_at=later) if verdict.look_again_at <= now else verdict


def _older_than_the_cause(facts: Facts, change: Change) -> Iterable[Source]:
    """The other systems that a moving case rests on, and that were read before what moves it happened.

    A rule may need a system that this account does not have: it compares the rest, and nobody is to be asked.
    """
    if change.verb is Verb.WAKE or change.reason in (
        Reason.WORDING_CHANGED,
        Reason.RULE_OFF,
        Reason.ACCEPTED,
    ):
        return
    kind = (
        change.disagreement.kind
        if change.disagreement
        else Kind(change.standing.kind if change.standing else "")
    )
    needs = BY_KIND[kind].needs
    for source in needs & OTHER_SYSTEMS & frozenset(sources_of(facts.account)):
        causes = [at for (of, _), at in facts.changed.items() if of is not source and of in needs]
        read_at = facts.read_at.get(source)
        if causes and (read_at is None or read_at < max(causes)):
            yield source


def _each_once(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Of one fingerprint that two subjects want, the first has the case."""
    taken: set[str] = set()
    found = []
    for verdict in verdicts:
        if not verdict.wanted:  # as with most
            found.append(verdict)
            continue
        own = tuple(each for each in verdict.wanted if each.fingerprint not in taken)
        taken |= {each.fingerprint for each in own}
        found.append(verdict if len(own) == len(verdict.wanted) else replace(verdict, wanted=own))
    return found


def _wanted(verdicts: Sequence[Verdict]) -> set[str]:
    return {each.fingerprint for verdict in verdicts for each in verdict.wanted}


def _whose(
    session: Session,
    land: Land,
    verdicts: Sequence[Verdict],
    former: Mapping[Subject, Subject],
    *,
    lock: bool,
) -> list[dict[str, Standing]]:
    """For each verdict the cases that it speaks of: those it wants, and its subject's that no other here wants."""
    wanted = _wanted(verdicts)
    subjects = {verdict.facts.subject for verdict in verdicts}
    standing = cases.standing(session, land.facts.slug, subjects | former.keys(), wanted, lock=lock)
    if not standing:
        return [{}] * len(verdicts)
    everything = {fingerprint: case for some in standing.values() for fingerprint, case in some.items()}
    had = {subject: dict(standing.get(subject, {})) for subject in subjects}
    for old, new in former.items():
        if new in had:
            had[new] |= standing.get(old, {})
    found = []
    for verdict in verdicts:
        own = {each.fingerprint for each in verdict.wanted}
        cases_of = {
            fingerprint: case
            for fingerprint, case in had[verdict.facts.subject].items()
            if fingerprint in own or fingerprint not in wanted
        }
        found.append(cases_of | {each: everything[each] for each in own if each in everything})
    return found
