"""What is told of an execution besides the journal: the log names its case, and the counts the answer of Stripe."""

import json
from io import StringIO
from typing import Any

import pytest

from daemon import logs
from daemon.act import Executor
from tests.act.world import World
from tests.exemplars import ids


def told(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_about_which_case_it_is_and_whose(world: World) -> None:
    logs.configure("json", stream := StringIO())
    row = world.approved(world.charge())
    world.act()
    (line,) = (each for each in told(stream) if each["event"] == "attempt_moved")
    (attempt,) = world.attempts(row.id)
    assert {
        "account": row.account, "case": row.case_id, "proposal": row.id, "attempt": attempt.id, "step": "succeed",
    }.items() <= line.items()  # fmt: skip
    assert line["subject"].startswith("customer cus_")


def test_a_fault_is_logged_with_its_case_and_without_a_secret_and_the_next_line_is_about_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("json", stream := StringIO())
    first, second = world.approved(world.charge()), world.approved(world.charge())
    look = Executor._look

    def broken(self: Executor, claim: Any) -> Any:
        if claim.proposal.id == first.id:
            raise ZeroDivisionError("rk_live_PLANTED00000000")
        return look(self, claim)

    monkeypatch.setattr(Executor, "_look", broken)
    world.act()
    (fault,) = (each for each in told(stream) if each["event"] == "act_failed")
    assert (fault["account"], fault["case"], fault["proposal"]) == (first.account, first.case_id, first.id)
    assert "ZeroDivisionError" in fault["exception"]
    assert "PLANTED" not in stream.getvalue()
    (done,) = (each for each in told(stream) if each["event"] == "attempt_moved")
    assert (done["case"], done["proposal"]) == (second.case_id, second.id)


def test_a_fault_before_anything_is_claimed_is_not_said_of_the_case_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("json", stream := StringIO())
    rows = [world.approved(world.charge()) for _ in range(2)]
    claim = Executor._claim
    claimed: list[str] = []

    def broken(self: Executor, due: Any) -> Any:
        if claimed:
            raise ZeroDivisionError
        claimed.append(due.id)
        return claim(self, due)

    monkeypatch.setattr(Executor, "_claim", broken)
    world.act()
    (fault,) = (each for each in told(stream) if each["event"] == "act_failed")
    assert fault["what"] in {row.id for row in rows} - set(claimed)
    assert not {"case", "proposal", "attempt"} & fault.keys()


def test_an_effect_can_be_looked_up_by_the_id_that_stripe_gave_the_request(world: World) -> None:
    row = world.approved(world.charge())
    world.act()
    (attempt,) = world.attempts(row.id)
    request = {"request_id": attempt.request_id}
    assert ids("actions_total", action="refund", outcome="ok") == request
    assert ids("stripe_requests_total", endpoint="refunds", outcome="ok") == request
