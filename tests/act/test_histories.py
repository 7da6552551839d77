"""Random histories of requests, votes, edits, expiry, the switch, retries, crashes and a world that moves on.

Whatever happens, in any order: nothing is done without an approval of exactly that version, nothing twice, nothing
early, nothing after the switch; everything comes to an end, and all of it is in a journal that is whole.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Row, select

from accounts.sandbox.server import Sandbox
from accounts.sandbox.stripe.refusals import Refusal as SandboxRefusal
from accounts.stripe.connection import open_client
from accounts.stripe.writes import WriteClient
from daemon.desk.refusals import Refusal
from daemon.desk.request import Staged
from daemon.store import stops
from daemon.store.db import open_store
from tests.act.office import Office
from tests.act.world import Crash, Plan, ours
from tests.databases import Server
from tests.desk.rig import ATTEMPTS, DECISIONS, PROPOSALS, Rig

HISTORIES = int(os.environ.get("HISTORIES", "12"))
STEPS_MAX = 25
DIALS = (
    "answers_lost",
    "writes_lost",
    "errors_before_write",
    "errors_after_write",
    "lock_timeouts",
    "outage",
)

numbers = st.integers(0, 5)


class History(RuleBasedStateMachine):
    """One office with three charges. A step that the desk refuses is a step, too."""

    sandbox: ClassVar[Sandbox]
    new_database: ClassVar[Callable[[ExitStack, Path], str]]

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        store = self._stack.enter_context(open_store(type(self).new_database(self._stack, folder)))
        reads, writes = self._stack.enter_context(open_client()), WriteClient()
        self._stack.callback(writes.close)
        self.office = Office(
            self._stack.enter_context(Rig(self.sandbox, store, folder / "etc")), reads, writes
        )
        self.desk = self.office.desk
        self.charges = [self.desk.charge(10_000) for _ in range(3)]
        self.staged: list[Staged] = []
        self.stopped = False
        self.claims_when_stopped = 0

    def teardown(self) -> None:
        try:
            self._comes_to_an_end()
        finally:
            self._stack.close()

    # What people do.

    @rule(charge=st.integers(0, 2), amount=st.sampled_from((1_000, 4_000, 6_000, 10_000)))
    def ask(self, charge: int, amount: int) -> None:
        with suppress(Refusal):
            key = f"k{len(self.staged)}"
            self.staged.append(self.desk.stage(self.office.agent, self.charges[charge], amount, key=key))

    @initialize()
    def two_on_one_charge(self) -> None:
        for amount in (6_000, 6_000):
            self.ask(0, amount)

    @precondition(lambda self: self.staged)
    @rule(which=numbers, wait_s=st.sampled_from((0, 11, 11)))
    def approve(self, which: int, wait_s: int) -> None:
        row = self._newest(which)
        with suppress(Refusal):
            self.desk.desk.approve(self.office.ana, row.case_id, row.version, row.state_hash)
            self.desk.later(seconds=wait_s)

    @precondition(lambda self: self.staged)
    @rule(which=numbers)
    def approve_what_was_seen_at_first(self, which: int) -> None:
        first = self.desk.row(self.staged[which % len(self.staged)])
        with suppress(Refusal):
            self.desk.desk.approve(self.office.ana, first.case_id, first.version, first.state_hash)

    @precondition(lambda self: self.staged)
    @rule(which=numbers, amount=st.sampled_from((500, 2_000, 9_000)))
    def edit(self, which: int, amount: int) -> None:
        row = self._newest(which)
        with suppress(Refusal):
            self.desk.desk.propose(
                self.office.ben, row.case_id, "refund", {**row.details, "amount": amount}, version=row.version
            )

    @precondition(lambda self: self.staged)
    @rule(which=numbers, verb=st.sampled_from(("reject", "request_changes", "revoke", "retry")))
    def decide_otherwise(self, which: int, verb: str) -> None:
        row = self._newest(which)
        with suppress(Refusal):
            getattr(self.desk.desk, verb)(self.office.ana, row.case_id, row.version, "as I said")

    @precondition(lambda self: self.staged)
    @rule(which=numbers, dial=st.sampled_from(("errors_before_write", "writes_lost", "answers_lost")))
    def approve_and_it_goes_wrong(self, which: int, dial: str) -> None:
        """Otherwise few histories would come as far as to a person's retry."""
        self.approve(which, 11)
        self._goes_wrong(dial)
        self.office.act()
        self.office.well()
        self.desk.later(minutes=31)
        self.office.act()

    @precondition(lambda self: self._in_doubt())
    @rule()
    def have_it_done_anew(self) -> None:
        self.desk.later(minutes=12)
        self.office.act()
        for row in self._in_doubt():
            with suppress(Refusal):
                self.desk.desk.retry(self.office.ana, row.case_id, row.version, "nothing was done")
                self.office.act()

    @precondition(lambda self: self.staged)
    @rule(which=numbers)
    def withdraw(self, which: int) -> None:
        row = self._newest(which)
        with suppress(Refusal):
            self.desk.desk.withdraw(self.office.agent, row.case_id, row.version)

    @rule()
    def flip_the_switch(self) -> None:
        with self.desk.store.transaction() as session:
            if self.stopped:
                stops.go_on(session, "")
            else:
                stops.stop(session, "", "ana", self.desk.now())
        self.stopped = not self.stopped
        self.claims_when_stopped = self._sent()

    # What the world does.

    @rule(charge=st.integers(0, 2))
    def refund_in_the_dashboard(self, charge: int) -> None:
        with suppress(SandboxRefusal):
            self.desk.refund_in_dashboard(self.charges[charge], 1_000)

    @rule(minutes=st.sampled_from((0.25, 7, 40, 26 * 60)))
    def time_goes_by(self, minutes: float) -> None:
        self.desk.later(minutes=minutes)

    # What the daemon does.

    @rule(dial=st.sampled_from(("", "", *DIALS)))
    def act(self, dial: str) -> None:
        self._goes_wrong(dial)
        self.office.act()
        self.office.well()

    @rule(dial=st.sampled_from(("", *DIALS)), at=st.integers(0, 14))
    def act_and_die(self, dial: str, at: int) -> None:
        self._goes_wrong(dial)
        with suppress(Crash):
            self.office.act(Plan(at))
        self.office.well()

    @rule(minutes=st.sampled_from((0.25, 7)))
    def time_goes_by_and_it_acts(self, minutes: float) -> None:
        self.desk.later(minutes=minutes)
        self.office.act()

    @rule()
    def look(self) -> None:
        self.office.look(("customer", "cus_1"))

    # What is true whatever happens.

    @invariant()
    def nothing_is_done_twice_or_without_an_approval(self) -> None:
        for staged in self.staged:
            versions = {row.version: row for row in self.desk.rows(PROPOSALS, id=staged.proposal_id)}
            made = [
                each
                for charge in self.charges
                for each in ours(self.office.refunds(charge), staged.proposal_id)
            ]
            assert len(made) <= 1
            sent = [row for row in self.office.attempts(staged.proposal_id) if row.sent_at is not None]
            assert made == [] or sent, "what is made was sent"
            for attempt in sent:
                row = versions[attempt.version]
                votes = self.desk.rows(DECISIONS, proposal_id=row.id, version=row.version, verdict="approve")
                assert [vote.person for vote in votes] == [self.office.ana.id]
                assert attempt.request["amount"] == row.amount
                if attempt.epoch == row.epoch:  # a person's retry begins anew, and may be taken back
                    assert row.executable_at is not None
                    assert row.executable_at <= attempt.sent_at
            if made:
                assert made[0]["amount"] in {versions[attempt.version].amount for attempt in sent}
            done = [row for row in versions.values() if row.state == "succeeded"]
            assert len(done) <= 1
            assert not done or made

    @invariant()
    def nothing_is_begun_after_the_switch(self) -> None:
        assert not self.stopped or self._sent() == self.claims_when_stopped

    def _comes_to_an_end(self) -> None:
        self.office.well()
        if self.stopped:
            self.flip_the_switch()
        for _ in range(6):
            self.desk.later(minutes=7)
            self.office.act()
        self.nothing_is_done_twice_or_without_an_approval()
        left = [row for state in ("claimed", "sent") for row in self.desk.rows(ATTEMPTS, state=state)]
        assert not left, "an attempt that nobody ends"
        for row in self.desk.rows(PROPOSALS, state="unknown"):
            attempt = next(each for each in self.office.attempts(row.id) if each.state == "unknown")
            assert attempt.absent_at is not None, "a person can have it done anew"
        assert not self.desk.rows(PROPOSALS, state="executing")
        noted = [entry.body for entry in self.desk.journal("attempt_sent")]  # the journal verifies
        for row in self.desk.rows(ATTEMPTS):
            assert row.sent_at is None or any(row.idempotency_key in body for body in noted)

    def _goes_wrong(self, dial: str) -> None:
        if dial == "outage":
            self.office.fault(outage="503")
        elif dial:
            self.office.fault(**{dial: 1})

    def _newest(self, which: int) -> Row[Any]:
        staged = self.staged[which % len(self.staged)]
        with self.desk.store.reading() as session:
            query = select(PROPOSALS).where(PROPOSALS.c.id == staged.proposal_id)
            return session.execute(query.order_by(PROPOSALS.c.version.desc()).limit(1)).one()

    def _in_doubt(self) -> list[Row[Any]]:
        return [row for state in ("unknown", "failed") for row in self.desk.rows(PROPOSALS, state=state)]

    def _sent(self) -> int:
        return len(self.desk.journal("attempt_sent"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_in_no_history_anything_is_done_twice_late_or_without_an_approval(
    kind: str, sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    """Traps E1–E6, E9, T11, T13, T16–T25, T33 in one, in every order that comes up."""

    def sqlite(_: ExitStack, folder: Path) -> str:
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "reconciled.db")
        return f"sqlite:///{folder / 'reconciled.db'}"

    def postgresql(stack: ExitStack, _: Path) -> str:
        server: Server = request.getfixturevalue("server")
        return stack.enter_context(server.database(request.getfixturevalue("postgres_template")))

    databases = {"sqlite": sqlite, "postgresql": postgresql}
    machine = type(
        "Histories", (History,), {"sandbox": sandbox, "new_database": staticmethod(databases[kind])}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS_MAX,
            derandomize="HISTORIES" not in os.environ,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
