"""The protocol of acting, explored to its last state; and each of its parts taken away, to see that it was needed."""

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from daemon.core import protocol
from daemon.core.protocol import (
    ATTEMPT_MOVES,
    LIVE,
    OVER,
    PROPOSAL_MOVES,
    STEPS,
    UNFINISHED,
    Answer,
    Moves,
    Sight,
    Step,
    after_call,
    after_look,
)
from daemon.store.tables.desk import ATTEMPT_STATES, PROPOSAL_STATES
from tests.act.explorer import Broken, Explorer, Rules

# A copy and two executors at once are only explored one after the other: together they multiply, and find no more.
GRAPHS = {
    "two_executors": Rules(),
    "a_restored_copy_and_new_versions": Rules(executors=1, copies=True, epochs=1),
    "a_restored_copy_and_retries": Rules(executors=1, copies=True, versions=1),
}


@pytest.mark.parametrize("rules", GRAPHS.values(), ids=GRAPHS)
def test_in_every_history_it_is_done_at_most_once_with_an_approval_and_comes_to_an_end(
    rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """Traps T16–T24, E1, E2, E4, E9, E16: every interleaving, every answer, every crash; no state is left out."""
    states = Explorer(rules).explore()
    with capsys.disabled():
        sys.stdout.write(f"\n{states:,} states explored ")
    assert states > 50_000, "a part of the graph is cut off"


def without(step: Step, **kept: Any) -> dict[Step, Moves]:
    """The table with one of its steps as it should not be."""
    moves = STEPS[step]
    return {**STEPS, step: Moves(kept.get("proposal", moves.proposal), kept.get("attempt", moves.attempt))}


def always(step: Step, on: Answer) -> Callable[..., Step | None]:
    return lambda answer, first: step if answer is on else after_call(answer, first=first)


def hopeful(sight: Sight, state: str, **known: Any) -> Step | None:
    """Takes what is not seen for what did not happen."""
    step = after_look(sight, state, **known)
    return Step.FAIL if step is Step.LOSE else step


def blind(sight: Sight, state: str, **known: Any) -> Step | None:
    """Sends again, whatever has become of the approval."""
    return after_look(sight, state, **known | {"approved": True})


BROKEN = {
    "a call after the end of the lease": Rules(fenced=False),
    "a step with an old token": Rules(compares=False),
    "no look for the tag in a copy": Rules(executors=1, copies=True, looks_for_its_tag=False),
    "done anew while something is under way": Rules(may_be_done_anew=lambda ago, stored: True),
    "a refusal of the second call taken for one of the first": Rules(after_call=always(Step.FAIL, Answer.REFUSED)),
    "a rebuff of the second call taken for one of the first": Rules(after_call=always(Step.REBUFF, Answer.REBUFFED)),
    "a lost answer taken for a refusal": Rules(after_call=always(Step.FAIL, Answer.LOST)),
    "a stored failure taken for a refusal": Rules(after_call=always(Step.FAIL, Answer.STORED)),
    "absent now taken for never": Rules(after_look=hopeful),
    "sent again without an approval": Rules(after_look=blind),
    "put back after it was sent": Rules(
        steps=without(Step.PUT_BACK, attempt={"claimed": "outdated", "sent": "outdated"})
    ),
    "claimed while it is unknown": Rules(
        unfinished=frozenset({"claimed", "sent"}),
        steps=without(Step.RETRY, attempt={}) | {Step.LOSE: Moves({"executing": "approved"}, {"sent": "outdated"})},
    ),
    "expired while it is executed": Rules(
        steps=without(Step.EXPIRE, proposal={"pending": "expired", "approved": "expired", "executing": "expired"})
    ),
    "taken back while it is executed": Rules(
        steps=without(Step.REVOKE, proposal={"approved": "superseded", "executing": "superseded"})
    ),
    "no way out of unknown": Rules(
        executors=1,
        steps=without(Step.RETRY, proposal={"failed": "approved"}),
        may_be_done_anew=lambda ago, stored: False,
    ),
    "nobody puts back what a dead one claimed": Rules(steps=without(Step.PUT_BACK, attempt={})),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_without_any_of_its_parts_the_explorer_finds_a_history_in_which_it_goes_wrong(name: str) -> None:
    with pytest.raises(Broken):
        Explorer(BROKEN[name]).explore()


def test_the_table_names_every_state_and_no_other() -> None:
    assert {*OVER, *LIVE} == set(PROPOSAL_STATES)
    assert {state for pair in PROPOSAL_MOVES for state in pair} == set(PROPOSAL_STATES)
    assert {state for pair in ATTEMPT_MOVES for state in pair if state is not None} == set(ATTEMPT_STATES)
    assert set(ATTEMPT_STATES) > UNFINISHED
    assert set(STEPS) == set(Step)


def test_what_is_over_stays_over() -> None:
    assert not {since for since, _ in PROPOSAL_MOVES} & OVER


def test_every_step_leads_to_one_place() -> None:
    for step, moves in STEPS.items():
        if moves.proposal:
            assert protocol.to(step) in PROPOSAL_STATES
        if moves.attempt:
            assert protocol.attempt_to(step) in ATTEMPT_STATES


def test_a_key_is_not_used_again_after_twenty_hours() -> None:
    known: dict[str, Any] = {"repeatable": True, "approved": True}
    just = after_look(Sight.ABSENT, "sent", sent_ago=timedelta(hours=20, seconds=-1), **known)
    too_late = after_look(Sight.ABSENT, "sent", sent_ago=timedelta(hours=20), **known)
    assert (just, too_late) == (Step.SEND, Step.LOSE)


def test_what_cannot_be_repeated_is_never_sent_again() -> None:
    found = after_look(Sight.UNSURE, "sent", repeatable=False, sent_ago=timedelta(minutes=1), approved=True)
    assert found is Step.LOSE
