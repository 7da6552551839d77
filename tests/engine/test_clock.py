"""The clock fires wakes, counts what APScheduler could not do, and stops when it is told."""

import threading

from daemon.engine.clock import Clock, Tick
from metrics.catalog import REGISTRY

PATIENCE_S = 10.0


class Ear:
    """An engine that only listens."""

    def __init__(self, wanted: int = 1) -> None:
        self.heard: list[tuple[str, str]] = []
        self.enough = threading.Event()
        self.wanted = wanted

    def wake(self, kind: str, key: str) -> None:
        self.heard.append((kind, key))
        if len(self.heard) >= self.wanted:
            self.enough.set()


def executed(job: str, event: str = "executed") -> float:
    labels = {"job": job, "event": event}
    return REGISTRY.get_sample_value("reconciled_scheduler_jobs_total", labels) or 0.0


def running(clock: Clock) -> threading.Thread:
    thread = threading.Thread(target=clock.run)
    thread.start()
    return thread


def test_a_tick_wakes_at_once_and_again() -> None:
    ear = Ear(wanted=3)
    before = executed("deadline_scan")
    clock = Clock([Tick("deadline_scan", "all", every_s=0.05)], ear)
    thread = running(clock)
    assert ear.enough.wait(PATIENCE_S)
    clock.stop()
    thread.join(PATIENCE_S)
    assert set(ear.heard) == {("deadline_scan", "all")}
    assert executed("deadline_scan") >= before + 2
    assert REGISTRY.get_sample_value("reconciled_scheduler_heartbeat_timestamp_seconds")


def test_a_tick_that_fails_is_counted_and_comes_again() -> None:
    class Broken(Ear):
        def wake(self, kind: str, key: str) -> None:
            super().wake(kind, key)
            raise ZeroDivisionError("a bug")

    ear = Broken(wanted=2)
    before = executed("canary", "error")
    clock = Clock([Tick("canary", "all", every_s=0.05)], ear)
    thread = running(clock)
    assert ear.enough.wait(PATIENCE_S)
    clock.stop()
    thread.join(PATIENCE_S)
    assert executed("canary", "error") >= before + 1


def test_every_word_of_the_scheduler_is_a_series_from_the_start() -> None:
    Clock([Tick("never_run", "all", every_s=60)], Ear())
    name = "reconciled_scheduler_jobs_total"
    for word in ("executed", "error", "missed", "max_instances"):
        assert REGISTRY.get_sample_value(name, {"job": "never_run", "event": word}) == 0


def test_stopping_before_the_start_ends_it_too() -> None:
    clock = Clock([Tick("deadline_scan", "all", every_s=60)], Ear())
    clock.stop()
    thread = running(clock)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
