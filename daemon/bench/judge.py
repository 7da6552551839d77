"""How many subjects a second are judged and compared with what stands, on one core.

It judges customers of whom most agree, and whose cases stand already; only judging and comparing is timed.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from daemon.bench.customers import NOW, customers
from daemon.bench.result import Result
from daemon.core.diff import diff
from daemon.core.judge import judge
from daemon.core.model import CaseState, Facts, Policy, Severity, Standing, Substate

SUBJECTS_PER_LOOK: Final = 100
SUBJECTS_PER_S_MIN: Final = 50_000
POLICY: Final = Policy(version="bench")

Cases = dict[str, dict[str, Standing]]


@dataclass(frozen=True, slots=True)
class Sizes:
    subjects: int = 10_000
    rounds: int = 5


QUICK: Final = Sizes(subjects=400, rounds=1)


def measure(sizes: Sizes) -> Iterator[Result]:
    cases = standing(customers(0, sizes.subjects))
    rates = [_pass(cases, sizes.subjects) for _ in range(sizes.rounds)]
    yield Result(
        "judge",
        "subjects judged and compared, by second of processor time",
        {
            "subjects": sizes.subjects,
            "standing_cases": sum(len(each) for each in cases.values()),
            "per_s": round(median(rates)),
            "per_s_min": round(min(rates)),
            "per_s_max": round(max(rates)),
        },
        mark=f"per_s >= {SUBJECTS_PER_S_MIN}",
        met=median(rates) >= SUBJECTS_PER_S_MIN,
    )


def standing(known: Iterable[Facts]) -> Cases:
    """The cases of a pass that came before, by subject and fingerprint."""
    found: Cases = {}
    for facts in known:
        for each in judge(facts, POLICY, NOW).wanted:
            case = Standing(
                f"case_{each.fingerprint[:24]}",
                each.fingerprint,
                each.disagreement.kind.value,
                CaseState.OPEN,
                Substate.ONGOING,
                Severity(each.disagreement.severity),
                each.disagreement.facts_hash,
                each.disagreement.digest(POLICY.version),
            )
            found.setdefault(facts.subject.id, {})[each.fingerprint] = case
    return found


def _pass(cases: Cases, subjects: int) -> float:
    """Subjects by second, a look at a time."""
    none: dict[str, Standing] = {}
    changed, took_s = 0, 0.0
    for first in range(0, subjects, SUBJECTS_PER_LOOK):
        known = customers(first, SUBJECTS_PER_LOOK)
        began_s = time.process_time()
        for facts in known:
            verdict = judge(facts, POLICY, NOW)
            changed += len(diff(verdict, cases.get(facts.subject.id, none), {}, NOW, POLICY.version).made)
        took_s += time.process_time() - began_s
    assert not changed, "a second pass over an unchanged world changes nothing"
    return subjects / took_s
