"""How many subjects a second are judged and compared with what stands, on one core.

`python -m tests.bench.judge` judges customers of whom most agree, as they do: of 100, two are on trial, one is past due
with a failed payment, and one is at odds with another system; their cases stand already. It prints one line of JSON.
"""

import json
import time
from collections.abc import Iterable
from datetime import timedelta
from statistics import median

from accounts.money import Money
from daemon.core.diff import diff
from daemon.core.judge import judge
from daemon.core.model import CaseState, Facts, Policy, Severity, Source, Standing, Substate
from tests.builders import NOW, Scene, customer

SUBJECTS = 20_000
SUBJECTS_PER_LOOK = 100
ROUNDS = 5
POLICY = Policy(version="bench")


def scene(number: int) -> Scene:
    """A customer with a few payments, a record and an entitlement."""
    kind, turn = number % 100, number // 100 % 4
    odd = turn if kind == 99 else None
    status = "trialing" if kind < 2 else "past_due" if kind == 2 else "active"
    made = customer(f"cus_{number}").paying("pro", id=f"sub_{number}", status=status)
    owed = Money(2000, "eur")
    for month in range(3):
        made.paid(f"ch_{number}_{month}", owed, NOW - timedelta(days=30 * month + 5))
        made.invoiced(
            f"in_{number}_{month}", f"sub_{number}", owed, NOW - timedelta(days=30 * month + 5), "paid"
        )
    if status == "past_due":
        made.invoiced(f"in_{number}_open", f"sub_{number}", owed, NOW - timedelta(days=2))
    made.given("team" if odd == 0 else "pro", f"ent_{number}", quantity=5 if odd == 1 else 1)
    mrr = "0" if status == "trialing" else "90.00" if odd == 2 else "20.00"
    word = "churned" if odd == 3 else "active"
    return made.filed(f"crm_{number}", plan="pro", status=word, mrr=mrr)


def subjects(first: int, count: int) -> list[Facts]:
    """Facts as an observer makes them, with nothing derived yet."""
    read_at = dict.fromkeys(Source, NOW)
    made = []
    for number in range(first, first + count):
        facts = scene(number).facts()
        fields = {name: getattr(facts, name) for name in facts.__struct_fields__}
        made.append(Facts(**fields | {"read_at": read_at}))
    return made


def standing(known: Iterable[Facts]) -> dict[str, dict[str, Standing]]:
    """The cases of a pass that came before."""
    found: dict[str, dict[str, Standing]] = {}
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


def once(cases: dict[str, dict[str, Standing]]) -> float:
    """One pass, a look at a time. Only judging and comparing is timed."""
    none: dict[str, Standing] = {}
    changed, took = 0, 0.0
    for first in range(0, SUBJECTS, SUBJECTS_PER_LOOK):
        known = subjects(first, SUBJECTS_PER_LOOK)
        began = time.process_time()
        for facts in known:
            verdict = judge(facts, POLICY, NOW)
            changed += len(diff(verdict, cases.get(facts.subject.id, none), {}, NOW, POLICY.version).made)
        took += time.process_time() - began
    assert not changed, "a second pass over an unchanged world changes nothing"
    return SUBJECTS / took


def main() -> None:
    cases = standing(subjects(0, SUBJECTS))
    rates = [once(cases) for _ in range(ROUNDS)]
    result = {
        "bench": "judge",
        "subjects": SUBJECTS,
        "standing_cases": sum(len(each) for each in cases.values()),
        "subjects_per_cpu_s": round(median(rates)),
        "subjects_per_cpu_s_min": round(min(rates)),
        "subjects_per_cpu_s_max": round(max(rates)),
    }
    print(json.dumps(result))  # noqa: T201 - the line is what it is for


if __name__ == "__main__":
    main()
