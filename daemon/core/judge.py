"""What should stand about one subject, by every rule whose needs were read: the question that a look asks."""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache

from msgspec import Struct

from daemon.core.model import (
    GONE,
    Disagreement,
    Facts,
    Kind,
    LookAgain,
    Policy,
    Source,
)
from daemon.core.rule import Judge, Rule
from daemon.core.rules import RULES

ASKED_REMEMBERED = 1024  # combinations of subject kind, unread sources and switches: a few dozen are usual


class Wanted(Struct, frozen=True):
    """A disagreement that should stand. Until it is settled it keeps its case, but does not open one."""

    fingerprint: str
    disagreement: Disagreement
    settled: bool = True


class Verdict(Struct, frozen=True):
    facts: Facts
    judged: frozenset[Kind]  # nothing is said about any other kind: their cases stay as they are
    wanted: tuple[Wanted, ...] = ()
    off: frozenset[Kind] = frozenset()  # switched off by the policy: judged, and never wanted
    look_again_at: datetime | None = None  # when time alone could change the verdict
    read_again: frozenset[Source] = (
        frozenset()
    )  # to be read then, before it is judged: both sides are to be fresh


def judge(facts: Facts, policy: Policy, now: datetime) -> Verdict:
    """Asks the rules. The policy is the account's own: `policy.for_account(slug)`."""
    off = policy.off
    asked, judged = _asked(facts.subject.kind, _unread(facts), facts.estate.complete, off)
    found: list[tuple[Rule, Disagreement]] = []
    look_again_at = _next_expiry(facts, now)
    for rule, ask, part in asked:
        if part is not None and not getattr(facts, part):
            continue
        for said in ask(facts, policy, now):
            if isinstance(said, Disagreement):
                found.append((rule, said))
            elif isinstance(said, LookAgain):
                look_again_at = _sooner(look_again_at, said.at)
            else:
                judged -= {rule.kind}
    if not found:
        return Verdict(facts, judged, off=off, look_again_at=look_again_at)
    wanted: dict[str, Wanted] = {}
    read_again: set[Source] = set()
    for rule, disagreement in found:
        if rule.kind not in judged:
            continue
        fingerprint = disagreement.fingerprint(facts.account)
        ends = _settles_at(facts, disagreement) if rule.settles else None
        stale = _read_before(facts, disagreement, ends) if ends is not None else ()
        settled = ends is None or (now >= ends and not stale)
        if ends is not None and not settled:
            look_again_at = _sooner(look_again_at, ends)
            read_again.update(stale)
        wanted.setdefault(fingerprint, Wanted(fingerprint, disagreement, settled))
    return Verdict(facts, judged, tuple(wanted.values()), off, look_again_at, frozenset(read_again))


@lru_cache(ASKED_REMEMBERED)
def _asked(
    about: str,
    unread: frozenset[Source],
    complete: frozenset[Source],
    off: frozenset[Kind],
) -> tuple[tuple[tuple[Rule, Judge, str | None], ...], frozenset[Kind]]:
    """The rules to ask about such a subject, and the kinds that can be judged at all."""
    able = [rule for rule in RULES if not rule.needs & unread and rule.needs_whole <= complete]
    asked = tuple(
        (rule, rule.judge, rule.only_with) for rule in able if about in rule.about and rule.kind not in off
    )
    return asked, frozenset(rule.kind for rule in able)


def _unread(facts: Facts) -> frozenset[Source]:
    """Products matter only where plans are named by them."""
    unread = facts.unread
    if unread and not facts.account.plans.by_product:
        return unread - {Source.PRODUCTS}
    return unread


def _next_expiry(facts: Facts, now: datetime) -> datetime | None:
    soonest: datetime | None = None
    for each in facts.access_names:
        if each.expires_at is not None and each.expires_at > now:
            soonest = _sooner(soonest, each.expires_at)
    return soonest


def _settles_at(facts: Facts, disagreement: Disagreement) -> datetime | None:
    """When the systems have had time to agree by themselves; None where nothing changed of late."""
    newest = disagreement.settled_from
    for side in disagreement.sides:
        for one in (*side.ids, GONE):
            changed = facts.changed.get((side.source, one))
            if changed is not None and (newest is None or changed > newest):
                newest = changed
    return None if newest is None else newest + facts.account.settle


def _read_before(facts: Facts, disagreement: Disagreement, ends: datetime) -> Collection[Source]:
    """The sides that were last read before this moment."""
    read_at = facts.read_at
    return [
        side.source
        for side in disagreement.sides
        if (read := read_at.get(side.source)) is None or read < ends
    ]


def _sooner(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other < one else one
