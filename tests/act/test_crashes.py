"""The executor dies at every commit and call boundary and is started again: one effect, an end, a whole journal."""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from daemon.store import attempts
from tests.act.world import Crash, Plan, World, ours

# What Stripe does with the first call, and whether a person has to have it done anew then.
ANSWERS: dict[str, dict[str, int]] = {
    "done": {},
    "lost": {"answers_lost": 1},
    "never_arrived": {"writes_lost": 1},
    "failed_after_it_was_done": {"errors_after_write": 1},
    "locked": {"lock_timeouts": 1},
    "failed_for_good": {"errors_before_write": 1},
}
DAY = timedelta(days=1)
NIGHTLY = "HISTORIES" in os.environ
CRASHES = int(os.environ.get("HISTORIES", "12"))
BOUNDARIES_MIN = 11  # claim, intent and conclusion have three each, the call has two


def go_on(world: World, plan: Plan) -> None:
    """Executors come by until all is over."""
    for _ in range(6):
        world.executor(plan).act(world.slug)
        if not world.unfinished():
            return
        world.later(minutes=7)


def boundaries(world: World, **dials: int) -> int:
    """How many there are until it is over, or a person has to look."""
    plan = Plan()
    world.fault(**dials)
    world.approved(world.charge(), expires_in=DAY)
    for _ in range(3):
        world.executor(plan).act(world.slug)
        world.later(minutes=7)
    world.well()
    settled(world)
    return plan.passed


def settled(world: World) -> None:
    """Started again, and again if need be, with a person who looks at what is left."""
    for _ in range(8):
        if not world.unfinished():
            return
        world.later(minutes=7)
        world.act()
        for row in world.unfinished():
            if row.state in ("unknown", "failed"):
                world.retry(row.id)


def check(world: World, row: Any, charge: str, where: str) -> None:
    assert world.state(row) == "succeeded", where
    assert len(ours(world.refunds(charge), row.id)) == len(world.refunds(charge)) == 1, where
    states = [each.state for each in world.attempts(row.id)]
    assert states.count("succeeded") == 1, where
    assert not {"claimed", "sent", "unknown"} & set(states), where


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_crash_at_any_boundary_leaves_one_refund_and_a_whole_journal(world: World, answer: str) -> None:
    """Traps T16, T17, T18, E9: after the approval's commit, after the claim, after the call, and everywhere else."""
    dials = ANSWERS[answer]
    count = boundaries(world, **dials)
    assert count >= BOUNDARIES_MIN
    for at in range(count):
        charge = world.charge()
        row = world.approved(charge, expires_in=DAY)
        world.fault(**dials)
        plan = Plan(at)
        with suppress(Crash):
            go_on(world, plan)
        world.well()
        settled(world)
        check(world, row, charge, f"{answer}, crash at {at}")
    assert world.journal()


@pytest.mark.parametrize("first", range(0, BOUNDARIES_MIN, 2))
def test_a_crash_while_recovering_from_a_crash_changes_nothing(world: World, first: int) -> None:
    for second in range(0, BOUNDARIES_MIN, 3):
        charge = world.charge()
        row = world.approved(charge, expires_in=DAY)
        for at in (first, second):
            plan = Plan(at)
            with suppress(Crash):
                world.executor(plan).act(world.slug)
            world.later(minutes=7)
        settled(world)
        check(world, row, charge, f"crash at {first}, then at {second}")
    assert world.journal()


def test_any_number_of_crashes_at_random_leave_one_refund_each(world: World) -> None:
    """Traps T16, T17, T18, E9: again and again, wherever it is, with whatever Stripe answers meanwhile."""
    seed = random.randrange(2**32) if NIGHTLY else 0
    chance = random.Random(seed)
    for number in range(CRASHES):
        charge = world.charge()
        row = world.approved(charge, expires_in=DAY)
        story: list[tuple[str, int]] = []
        for _ in range(chance.randint(1, 4)):
            answer, at = chance.choice(sorted(ANSWERS)), chance.randrange(2 * BOUNDARIES_MIN)
            story.append((answer, at))
            world.fault(**ANSWERS[answer])
            with suppress(Crash):
                world.executor(Plan(at)).act(world.slug)
            world.well()
            world.later(minutes=chance.choice((0, 1, 7)))
        settled(world)
        check(world, row, charge, f"seed {seed}, run {number}: {story}")
    assert world.journal()


def test_what_a_dead_process_had_claimed_is_gone_on_with_as_soon_as_another_starts(world: World) -> None:
    """Traps T16–T18: its lease would have run for minutes, and nobody is left to use it."""
    for at in range(boundaries(world)):
        charge = world.charge()
        row = world.approved(charge)
        with suppress(Crash):
            world.executor(Plan(at)).act(world.slug)
        with world.store.transaction() as session:
            attempts.inherit(session, world.now())
        for _ in range(3):
            world.act()
            world.later(seconds=10)
        check(world, row, charge, f"crash at {at}")
    assert world.journal()


@pytest.mark.parametrize("at", [2, 5, 6, 7, 9])
def test_a_process_that_is_killed_leaves_one_refund(world: World, url: str, at: int) -> None:
    """Traps T16–T18: kill -9 of a real process, of which nothing is left but what it has committed."""
    charge = world.charge()
    row = world.approved(charge)
    told = {
        "database": url, "stripe": world.sandbox.url, "key": world.key, "account": world.id, "slug": world.slug,
        "charge": charge, "now": world.now().isoformat(), "at": at,
    }  # fmt: skip
    child = subprocess.run(
        [sys.executable, "-m", "tests.act.dying"], input=json.dumps(told).encode(), check=False, timeout=120
    )
    assert child.returncode == -signal.SIGKILL
    settled(world)
    check(world, row, charge, f"killed at {at}")
    assert world.journal()


@pytest.mark.parametrize("asleep", [timedelta(0), timedelta(minutes=7)], ids=["at_once", "after_the_lease"])
def test_a_second_executor_that_comes_by_at_any_boundary_changes_nothing(
    world: World, asleep: timedelta
) -> None:
    """Traps T22 and E16: it runs whole between two lines of the first."""
    for at in range(boundaries(world)):
        charge = world.charge()
        row = world.approved(charge, expires_in=DAY)

        def meanwhile() -> None:
            world.later(seconds=asleep.total_seconds())
            world.act()

        world.executor(Plan(at, meanwhile)).act(world.slug)
        settled(world)
        check(world, row, charge, f"a second one at {at}")
    assert world.journal()
