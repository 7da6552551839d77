"""The worklist against a model of it: two workers, crashes, leases that run out, in any order.

The model says exactly what each take brings. Two promises are kept apart from it, in their own words: no two looks
at one subject under a running lease, and no mark without a look that began after it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from accounts.facts import Subject
from daemon.store import worklist
from daemon.store.db import Store
from daemon.store.errors import LostTake
from daemon.store.worklist import FAILURES_MAX, WORK, Taken

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
NUMBERS = st.sets(st.integers(1, 4), min_size=1)
WORKERS = st.sampled_from(("ana's", "ben's"))
_accounts = count()


@dataclass
class Wanted:
    """What the model knows of a subject that waits for a look."""

    due: datetime
    marks: int = 1
    holder: int | None = None
    until: datetime = START
    failures: int = 0
    buried: bool = False


@dataclass
class Look:
    """A look that is under way."""

    fence: int
    taken: list[Taken]
    marks: dict[Subject, int]
    until: datetime

    def holds(self, subject: Subject) -> bool:
        return any(each.subject == subject for each in self.taken)


class WorklistMachine(RuleBasedStateMachine):
    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.account = f"account-{next(_accounts)}"
        self.now = START
        self.wanted: dict[Subject, Wanted] = {}
        self.looks: dict[str, Look] = {}
        self.unseen: dict[Subject, int] = {}  # marks that no look has answered yet

    def subject(self, number: int) -> Subject:
        return Subject(self.account, "customer", f"cus_{number}")

    @rule(numbers=NUMBERS, in_s=st.integers(0, 30), reading=st.booleans())
    def mark(self, numbers: Collection[int], in_s: int, reading: bool) -> None:
        due = self.now + timedelta(seconds=in_s)
        with self.store.transaction() as session:
            worklist.mark(session, map(self.subject, numbers), due, reading=reading)
        for subject in map(self.subject, numbers):
            known = self.wanted.get(subject)
            if known is None:
                self.wanted[subject] = Wanted(due)
            else:
                known.due, known.marks, known.buried = min(known.due, due), known.marks + 1, False
            self.unseen[subject] = self.unseen.get(subject, 0) + 1

    @rule(seconds=st.integers(1, 90))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: len(self.looks) < 2)
    @rule(worker=WORKERS, limit=st.integers(1, 5))
    def take(self, worker: str, limit: int) -> None:
        if worker in self.looks:
            return
        with self.store.transaction() as session:
            worklist.bury_the_never_returned(session, self.account, self.now)
            taken = worklist.take(session, self.account, now=self.now, lease=LEASE, limit=limit)
        for other in self.looks.values():
            assert other.until <= self.now or not any(other.holds(each.subject) for each in taken)
        assert [each.subject for each in taken] == self.expected(limit)
        if not taken:
            return
        fence, until = taken[0].fence, self.now + LEASE
        for each in taken:
            known = self.wanted[each.subject]
            known.holder, known.until, known.due, known.failures = fence, until, until, known.failures + 1
        marks = {each.subject: self.wanted[each.subject].marks for each in taken}
        self.looks[worker] = Look(fence, taken, marks, until)

    def expected(self, limit: int) -> list[Subject]:
        for known in self.wanted.values():
            if known.holder and known.until <= self.now and known.failures >= FAILURES_MAX:
                known.buried, known.holder = True, None
        free = [
            (known.due, subject)
            for subject, known in self.wanted.items()
            if not known.buried and known.due <= self.now and (not known.holder or known.until <= self.now)
        ]
        return [subject for _, subject in sorted(free)[:limit]]

    @rule(worker=WORKERS)
    def crash(self, worker: str) -> None:
        self.looks.pop(worker, None)

    @rule(worker=WORKERS, again=st.sets(st.integers(1, 4)), in_s=st.integers(1, 90))
    def done(self, worker: str, again: Collection[int], in_s: int) -> None:
        look = self.looks.pop(worker, None)
        if look is None:
            return
        at = self.now + timedelta(seconds=in_s)
        look_again = {subject: at for subject in map(self.subject, again) if look.holds(subject)}
        try:
            with self.store.transaction() as session:
                worklist.done(session, look.taken, look_again)
        except LostTake:
            assert not self.still_ours(look)
            return
        assert self.still_ours(look)
        for subject, marks in look.marks.items():
            known = self.wanted[subject]
            self.unseen[subject] = known.marks - marks
            dues = [known.due] if known.marks != marks else []
            dues += [at] if subject in look_again else []
            if dues:
                self.wanted[subject] = Wanted(min(dues), marks=known.marks)
            else:
                del self.wanted[subject]

    @rule(worker=WORKERS, in_s=st.integers(0, 90), at_fault=st.booleans())
    def put_back(self, worker: str, in_s: int, at_fault: bool) -> None:
        look = self.looks.pop(worker, None)
        if look is None:
            return
        due = self.now + timedelta(seconds=in_s)
        try:
            with self.store.transaction() as session:
                worklist.put_back(session, look.taken, due, "no answer", now=self.now, at_fault=at_fault)
        except LostTake:
            assert not self.still_ours(look)
            return
        assert self.still_ours(look)
        for subject, marks in look.marks.items():
            known = self.wanted[subject]
            known.due = min(known.due, due) if known.marks != marks else due
            known.holder = None
            known.failures -= 0 if at_fault else 1
            known.buried = at_fault and known.failures >= FAILURES_MAX

    def still_ours(self, look: Look) -> bool:
        return all(
            subject in self.wanted and self.wanted[subject].holder == look.fence for subject in look.marks
        )

    @invariant()
    def the_store_agrees(self) -> None:
        with self.store.reading() as session:
            rows = session.execute(select(WORK).where(WORK.c.account == self.account)).all()
        found = {
            Subject(row.account, row.kind, row.id): (
                row.due,
                row.fence,
                row.failures,
                row.buried_at is not None,
            )
            for row in rows
        }
        assert found == {
            subject: (known.due, known.holder, known.failures, known.buried)
            for subject, known in self.wanted.items()
        }

    def teardown(self) -> None:
        """In the end everything is looked at that was marked, but for what was buried."""
        self.looks.clear()
        for _ in range(3):
            self.time_passes(120)
            self.take("ana's", 100)
            self.done("ana's", (), 1)
        forgotten = {subject for subject, marks in self.unseen.items() if marks}
        assert forgotten <= {subject for subject, known in self.wanted.items() if known.buried}


def test_the_worklist_behaves_as_its_model(store: Store) -> None:
    machine = type("OnThisDatabase", (WorklistMachine,), {"store": store})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
