"""Backtest: what two policies call for over a time that has passed, as far as what is stored can tell.

We keep the present state of every object and when it last changed, and no states before that. So a customer's time is
known from the last change of anything of theirs on, and no earlier than the account's first complete pass. Over that
time nothing but the clock moved, and both policies are asked at every moment at which time alone could change what they
say: this is exact. Of the time before it only the journal tells: which cases stood, of which rule, and until when.

Not judged again are rules that concern several subjects or what people decided, and the state of accounts: whether
those others were as they are now is not known. Configuration, adoption and the other systems' words are today's.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, json
from msgspec.structs import replace

from accounts.facts import Subject
from daemon.core.judge import judge
from daemon.core.model import Disagreement, Facts, Kind, Policy, Severity
from daemon.core.rules import RULES
from daemon.store import journal, passes
from daemon.store.cases import case_id
from daemon.trial.ground import Trial

DECIDED: Final = frozenset(
    {
        Kind.APPROVAL_REQUEST, Kind.UNAPPROVED_MONEY_MOVE, Kind.APPROVED_NOT_EXECUTED, Kind.EXECUTED_DIFFERENTLY,
    }
)  # fmt: skip
JUDGED_AGAIN: Final = frozenset(
    rule.kind
    for rule in RULES
    if not rule.needs_whole and rule.about != ("account",) and rule.kind not in DECIDED
)
STANDS_AFTER: Final = {"case_opened": True, "case_reopened": True, "case_resolved": False}
MOMENTS_MAX: Final = 1_000  # of one subject: each is one at which time alone changed something
STEP_MIN: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A time over which a case would have stood with one urgency."""

    since: datetime
    until: datetime | None  # None: to the end of the period
    severity: Severity


@dataclass(frozen=True, slots=True)
class Difference:
    """One case that only one of the policies calls for, or that they call for at other times or as more urgent."""

    account: str
    kind: Kind
    fingerprint: str
    subject: Subject
    title: str
    known_since: datetime  # before that, nobody can tell
    in_force: tuple[Span, ...]
    tried: tuple[Span, ...]


@dataclass(slots=True)
class Backtest:
    """What a trial came to."""

    since: datetime
    until: datetime
    subjects: int = 0
    known_s: float = 0.0  # of all subjects together
    in_force: Counter[Kind] = field(default_factory=Counter)  # cases that would have stood at some time
    tried: Counter[Kind] = field(default_factory=Counter)
    recorded: Counter[Kind] = field(default_factory=Counter)  # cases that did stand, as the journal has it
    beyond: Counter[Kind] = field(default_factory=Counter)  # of those, the ones that cannot be judged again
    off: Counter[Kind] = field(
        default_factory=Counter
    )  # and of these, the ones that the tried policy switches off
    differences: list[Difference] = field(default_factory=list)

    @property
    def known_share(self) -> float:
        whole_s = self.subjects * (self.until - self.since).total_seconds()
        return self.known_s / whole_s if whole_s else 0.0


def backtest(trial: Trial, since: datetime, until: datetime) -> Backtest:
    result = Backtest(since, until)
    judged: set[str] = set()
    for account in trial.accounts:
        pair = trial.in_force.for_account(account), trial.tried.for_account(account)
        known_since = _adopted(trial, account)
        for _, _, batch in trial.facts(account):
            for facts in batch:
                if facts.subject.kind != "account":
                    judged |= _judge_again(facts, *pair, known_since, result)
    for case, (account, kind) in _recorded(trial, since, until).items():
        result.recorded[kind] += 1
        if case not in judged:
            result.beyond[kind] += 1
            result.off[kind] += kind in trial.tried.for_account(account).off
    result.differences.sort(key=lambda each: (each.account, each.kind, each.fingerprint))
    return result


def spans_of(
    facts: Facts, policy: Policy, since: datetime, until: datetime
) -> dict[str, tuple[Disagreement, list[Span]]]:
    """The cases that this policy calls for between these moments, if these were the facts all the while."""
    found: dict[str, tuple[Disagreement, list[Span]]] = {}
    at = since
    for _ in range(MOMENTS_MAX):
        # As if everything had just been read: whoever looked then would have done so.
        verdict = judge(replace(facts, read_at=dict.fromkeys(facts.read_at, at)), policy, at)
        wanted = {
            each.fingerprint: each.disagreement
            for each in verdict.wanted
            if each.settled and each.disagreement.kind in JUDGED_AGAIN
        }
        for name, (_, spans) in found.items():
            if spans[-1].until is None and (
                name not in wanted or wanted[name].severity != spans[-1].severity
            ):
                spans[-1] = Span(spans[-1].since, at, spans[-1].severity)
        for name, disagreement in wanted.items():
            _, spans = found.setdefault(name, (disagreement, []))
            if not spans or spans[-1].until is not None:
                spans.append(Span(at, None, disagreement.severity))
        if verdict.look_again_at is None or verdict.look_again_at > until:
            break
        at = max(verdict.look_again_at, at + STEP_MIN)
    return found


def known_from(facts: Facts) -> datetime | None:
    """When anything of this subject changed last, as far as anybody told; None: long ago."""
    return max((*facts.changed.values(), *facts.reached.values()), default=None)


def _judge_again(
    facts: Facts, in_force: Policy, tried: Policy, adopted: datetime | None, result: Backtest
) -> set[str]:
    """The ids of the cases that either of them calls for in the time that is known."""
    result.subjects += 1
    if adopted is None:
        return set()
    since = max(result.since, adopted, known_from(facts) or adopted)
    if since > result.until:
        return set()
    result.known_s += (result.until - since).total_seconds()
    old, new = (spans_of(facts, policy, since, result.until) for policy in (in_force, tried))
    result.in_force.update(found.kind for found, _ in old.values())
    result.tried.update(found.kind for found, _ in new.values())
    for name in sorted(old.keys() | new.keys()):
        found = (old.get(name) or new[name])[0]
        before, after = (tuple(some[name][1]) if name in some else () for some in (old, new))
        if before != after:
            difference = Difference(
                facts.account.slug, found.kind, name, found.subject, found.title, since, before, after
            )
            result.differences.append(difference)
    return {case_id(name) for name in old.keys() | new.keys()}


def _adopted(trial: Trial, account: str) -> datetime | None:
    """When every class and source of this account had been read completely once."""
    with trial.store.reading() as session:
        land = trial.cartographer.landscape(session).lands[account]
        known = passes.complete(session)
    if land.facts.adopted is None:
        return None
    own = [each.first_ended_at for reading, each in known.items() if reading.account == account]
    return max((land.facts.adopted, *own))


class _Said(Struct):
    """What the journal says of a case."""

    case: str
    kind: str


def _recorded(trial: Trial, since: datetime, until: datetime) -> Mapping[str, tuple[str, Kind]]:
    """The cases that stood at some time between, by id, as the journal has it."""
    stood: dict[str, tuple[str, Kind]] = {}
    with trial.store.reading() as session:
        for entry in journal.export(session, until=until):
            if entry.kind not in STANDS_AFTER or entry.account is None or entry.account not in trial.accounts:
                continue
            said = json.decode(entry.body, type=_Said)
            if STANDS_AFTER[entry.kind]:
                stood[said.case] = (entry.account, Kind(said.kind))
            elif entry.at < since:
                stood.pop(said.case, None)
    return stood
