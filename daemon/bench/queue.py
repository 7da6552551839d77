"""How fast a page of the queue and one case are shown among many, beside bare selects that an index answers."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any, Final

import psycopg

from accounts.facts import Subject
from accounts.money import Money
from daemon import views
from daemon.bench.customers import ACME, NOW
from daemon.bench.places import Place, migrated
from daemon.bench.result import Result, percentile
from daemon.core.diff import Change, Changes, Reason, Verb
from daemon.core.model import Disagreement, Kind, Policy, Severity, Side, Source, Substate, System
from daemon.store import cases
from daemon.store.bulk import take_stock
from daemon.store.db import Store, open_store
from daemon.store.queue import Wanted
from daemon.store.tables.desk import URGENCY

PAGE: Final = 50
CASES_A_TRANSACTION: Final = 2_000
POLICY: Final = Policy(version="bench")
BARE_PAGE: Final = f"SELECT * FROM cases WHERE state = 'open' ORDER BY {', '.join(URGENCY)} LIMIT {PAGE + 1}"
BARE_CASE: Final = "SELECT * FROM cases WHERE id = "

Ask = Callable[[str], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Sizes:
    cases: int = 100_000
    rounds: int = 40


QUICK: Final = Sizes(cases=300, rounds=3)


def measure(place: Place, sizes: Sizes) -> Iterator[Result]:
    url = migrated(place)
    with open_store(url) as store, _bare(url) as ask:
        ids = fill(store, sizes.cases)

        def page() -> None:
            with store.reading() as session:
                assert len(_items(views.cases(session, Wanted(), limit=PAGE))) == min(PAGE, sizes.cases)

        def one() -> None:
            with store.reading() as session:
                assert views.case(session, ids[len(ids) // 2]) is not None

        def bare_one() -> None:
            ask(f"{BARE_CASE}'{ids[len(ids) // 2]}'")

        shown = (("the default page of the queue", page, lambda: ask(BARE_PAGE)), ("one case", one, bare_one))
        for what, ours, floor in shown:
            yield _compared(place, sizes, what, ours, floor)


def _compared(
    place: Place, sizes: Sizes, what: str, ours: Callable[[], object], floor: Callable[[], object]
) -> Result:
    for warming in (ours, floor):
        warming()
    # In turns, so that whatever else the machine does disturbs both.
    pairs = [(_timed_ms(ours), _timed_ms(floor)) for _ in range(sizes.rounds)]
    return Result(
        "queue",
        what,
        {
            "cases": sizes.cases,
            "p50_ms": median(each for each, _ in pairs),
            "p99_ms": percentile(sorted(each for each, _ in pairs), 0.99),
            "floor_p50_ms": median(each for _, each in pairs),
        },
        place.name,
        ratio=median(bare / shown for shown, bare in pairs),
        floor="the driver's own select of the same rows by the index, without a count, a timeline or JSON",
    )


def fill(store: Store, count: int) -> list[str]:
    """Opens so many cases, as looks do; their ids."""
    found: list[str] = []
    for first in range(0, count, CASES_A_TRANSACTION):
        changes = [_opened(number) for number in range(first, min(first + CASES_A_TRANSACTION, count))]
        with store.transaction() as session:
            cases.apply(session, ACME, POLICY, [Changes(tuple(changes))], NOW)
        found += [cases.case_id(each.fingerprint) for each in changes]
    with store.transaction() as session:
        take_stock(session, cases.CASES)
    return found


def _opened(number: int) -> Change:
    severities = tuple(Severity)
    subject = Subject(ACME.slug, "customer", f"cus_{number:08d}")
    found = Disagreement(
        kind=Kind.PLAN_MISMATCH,
        subject=subject,
        per=("subscription", f"sub_{number:08d}"),
        title=f"Stripe bills pro, the CRM names basic for {subject.id}",
        severity=severities[number % len(severities)],
        sides=(Side(Source.SUBSCRIPTIONS, (f"sub_{number:08d}",)), Side(Source.CRM, (f"crm_{number:08d}",))),
        facts={System.STRIPE: {"plan": "pro"}, System.CRM: {"plan": "basic"}},
        odd_one_out=System.CRM,
        amount=Money(number % 977 * 100, "eur"),
        due_at=NOW + timedelta(hours=number % 240) if number % 3 == 0 else None,
    )
    digest = found.digest(POLICY.version)
    return Change(
        Verb.OPEN,
        Reason.FIRST_SEEN,
        found.fingerprint(ACME),
        None,
        found,
        Substate.NEW,
        digest,
    )


@contextmanager
def _bare(url: str) -> Iterator[Ask]:
    if url.startswith("sqlite"):
        lite = sqlite3.connect(url.removeprefix("sqlite:///"))
        yield lambda asked: lite.execute(asked).fetchall()
        lite.close()
        return
    with psycopg.connect(url, autocommit=True) as server:
        yield lambda asked: server.execute(asked.encode()).fetchall()


def _items(shown: dict[str, Any]) -> list[Any]:
    found: list[Any] = shown["items"]
    return found


def _timed_ms(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return (time.perf_counter() - started_s) * 1_000
