"""The embedded engine: no wake is lost, nothing runs twice at once, and nobody waits for somebody else's trouble."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs

from daemon.engine.local import Kind, Runner
from daemon.store.errors import Unavailable
from metrics.catalog import REGISTRY

PATIENCE_S = 10.0


def begin(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()


class Doors:
    """A handler whose runs wait until the test lets them go on, one door for each key."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.inside: Counter[str] = Counter()
        self.most_inside: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed: set[str] = set()

    def run(self, key: str) -> None:
        with self._changed:
            self.runs[key] += 1
            self.inside[key] += 1
            self.most_inside[key] = max(self.most_inside[key], self.inside[key])
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: key not in self._closed, PATIENCE_S)
            self.inside[key] -= 1
            self._changed.notify_all()

    def close(self, *keys: str) -> None:
        with self._changed:
            self._closed.update(keys)

    def open(self, *keys: str) -> None:
        with self._changed:
            self._closed.difference_update(keys)
            self._changed.notify_all()

    def wait_for_runs(self, key: str, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.runs[key] >= count, PATIENCE_S), self.runs

    def wait_until_inside(self, *keys: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: all(self.inside[key] for key in keys), PATIENCE_S), (
                self.inside
            )


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def runner(doors: Doors) -> Iterator[Runner]:
    runner = Runner({"look": Kind(doors.run)}, begin, threads_max=4)
    yield runner
    assert runner.stop(PATIENCE_S)


def test_a_wake_runs_its_kind_with_its_key(runner: Runner, doors: Doors) -> None:
    runner.wake("look", "eu")
    assert runner.rest(PATIENCE_S)
    assert doors.runs == {"eu": 1}


def test_wakes_that_come_before_the_run_begins_are_one(runner: Runner, doors: Doors) -> None:
    busy = ("a", "b", "c", "d")
    doors.close(*busy)
    for key in busy:
        runner.wake("look", key)
    doors.wait_until_inside(*busy)
    for _ in range(10):
        runner.wake("look", "eu")
    doors.open(*busy)
    assert runner.rest(PATIENCE_S)
    assert doors.runs["eu"] == 1


def test_wakes_during_a_run_cause_exactly_one_more(runner: Runner, doors: Doors) -> None:
    doors.close("eu")
    runner.wake("look", "eu")
    doors.wait_until_inside("eu")
    for _ in range(10):
        runner.wake("look", "eu")
    doors.open("eu")
    assert runner.rest(PATIENCE_S)
    assert doors.runs["eu"] == 2


def test_no_wake_is_lost_and_no_key_runs_twice_at_once() -> None:
    seen: dict[str, int] = {}
    wanted: dict[str, int] = {str(key): 0 for key in range(5)}
    running: set[str] = set()
    overlaps: list[str] = []
    lock = threading.Lock()

    def run(key: str) -> None:
        with lock:
            if key in running:
                overlaps.append(key)
            running.add(key)
            seen[key] = wanted[key]
        with lock:
            running.discard(key)

    runner = Runner({"look": Kind(run)}, begin, threads_max=3)

    def wake_many(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(500):
            key = str(dice.randrange(5))
            with lock:
                wanted[key] += 1
            runner.wake("look", key)

    wakers = [threading.Thread(target=wake_many, args=(seed,)) for seed in range(4)]
    for waker in wakers:
        waker.start()
    for waker in wakers:
        waker.join(PATIENCE_S)
    assert runner.rest(PATIENCE_S)
    runner.stop(PATIENCE_S)
    assert seen == wanted
    assert overlaps == []


def test_accounts_that_are_blocked_do_not_delay_another(runner: Runner, doors: Doors) -> None:
    blocked = ("a", "b", "c")
    doors.close(*blocked)
    for key in blocked:
        runner.wake("look", key)
    doors.wait_until_inside(*blocked)
    for number in range(1, 6):
        runner.wake("look", "eu")
        doors.wait_for_runs("eu", number)
    doors.open(*blocked)


def test_two_wakes_in_a_row_are_not_left_to_one_idle_thread(runner: Runner, doors: Doors) -> None:
    """A thread that was told of the first is not free for the second, though it has not come yet."""
    runner.wake("look", "warm")
    assert runner.rest(PATIENCE_S)
    doors.close("slow")
    runner.wake("look", "slow")
    runner.wake("look", "eu")
    doors.wait_for_runs("eu", 1)
    doors.open("slow")


def test_a_kind_that_runs_for_hours_leaves_threads_to_the_others(doors: Doors) -> None:
    looks = Doors()
    runner = Runner({"sweep": Kind(doors.run, at_once_max=2), "look": Kind(looks.run)}, begin, threads_max=3)
    doors.close("a", "b", "c")
    for key in ("a", "b", "c"):
        runner.wake("sweep", key)
    doors.wait_until_inside("a", "b")
    runner.wake("look", "eu")
    looks.wait_for_runs("eu", 1)
    assert doors.runs["c"] == 0
    doors.open("a", "b", "c")
    assert runner.rest(PATIENCE_S)
    assert doors.runs["c"] == 1
    runner.stop(PATIENCE_S)


def test_an_account_with_much_to_do_takes_turns_with_one_that_has_little() -> None:
    order: list[str] = []

    def run(key: str) -> None:
        order.append(key)
        if key == "much" and order.count("much") < 5:
            turns.wake("look", "much")
            turns.wake("look", "little")

    turns = Runner({"look": Kind(run)}, begin, threads_max=1)
    turns.wake("look", "much")
    assert turns.rest(PATIENCE_S)
    turns.stop(PATIENCE_S)
    assert order[:4] == ["much", "little", "much", "little"]


def test_a_crash_is_logged_and_counted_and_the_same_account_goes_on() -> None:
    runs: list[str] = []

    def run(key: str) -> None:
        runs.append(key)
        if len(runs) == 1:
            raise ZeroDivisionError("a bug")

    def crashes() -> float | None:
        return REGISTRY.get_sample_value(
            "reconciled_engine_runs_total", {"kind": "look", "outcome": "crashed"}
        )

    runner = Runner({"look": Kind(run)}, begin, threads_max=1)
    before = crashes()
    with capture_logs() as lines:
        runner.wake("look", "eu")
        assert runner.rest(PATIENCE_S)
        runner.wake("look", "eu")
        assert runner.rest(PATIENCE_S)
    runner.stop(PATIENCE_S)
    assert runs == ["eu", "eu"]
    assert crashes() == (before or 0) + 1
    assert [(line["event"], line["key"]) for line in lines] == [("run_crashed", "eu")]


def test_what_is_no_fault_of_ours_is_a_sentence_in_the_log_and_no_traceback() -> None:
    def run(key: str) -> None:
        raise Unavailable("The database does not answer.")

    runner = Runner({"look": Kind(run)}, begin, threads_max=1)
    with capture_logs() as lines:
        runner.wake("look", "eu")
        assert runner.rest(PATIENCE_S)
    runner.stop(PATIENCE_S)
    (line,) = lines
    assert (line["event"], line["because"]) == ("run_not_done", "The database does not answer.")
    assert "exc_info" not in line


def test_a_wake_during_a_run_that_crashes_is_not_lost() -> None:
    began, go_on = threading.Event(), threading.Event()
    runs: list[str] = []

    def run(key: str) -> None:
        runs.append(key)
        if len(runs) == 1:
            began.set()
            go_on.wait(PATIENCE_S)
            raise ZeroDivisionError("a bug")

    runner = Runner({"look": Kind(run)}, begin, threads_max=2)
    runner.wake("look", "eu")
    began.wait(PATIENCE_S)
    runner.wake("look", "eu")
    go_on.set()
    assert runner.rest(PATIENCE_S)
    runner.stop(PATIENCE_S)
    assert len(runs) == 2


def test_stopping_waits_for_what_runs_and_begins_nothing_more(runner: Runner, doors: Doors) -> None:
    doors.close("eu")
    runner.wake("look", "eu")
    doors.wait_until_inside("eu")
    runner.wake("look", "eu")
    assert not runner.stop(0.0)
    doors.open("eu")
    assert runner.stop(PATIENCE_S)
    runner.wake("look", "us")
    assert doors.runs == {"eu": 1}


def test_an_unknown_kind_is_a_mistake_of_the_caller(runner: Runner) -> None:
    with pytest.raises(KeyError, match="daydream"):
        runner.wake("daydream", "eu")
