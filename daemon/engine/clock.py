"""The clock: fires wakes at intervals, and does nothing else.

What is due, and since when, stands in tables; a tick only makes somebody look there. So ticks that were missed are
not made up for, and in several processes all clocks may tick. APScheduler keeps the time, and says when it could not.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_SCHEDULER_STARTED,
    JobEvent,
    SchedulerEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from daemon.engine import Engine
from metrics.catalog import SCHEDULER_EVENTS, scheduler_heartbeat, scheduler_jobs

THREADS = 2  # a wake takes microseconds
WORDS = {
    EVENT_JOB_EXECUTED: "executed",
    EVENT_JOB_ERROR: "error",
    EVENT_JOB_MISSED: "missed",
    EVENT_JOB_MAX_INSTANCES: "max_instances",
}


@dataclass(frozen=True, slots=True)
class Tick:
    """Wakes one kind and key at an interval."""

    kind: str
    key: str
    every_s: float
    jitter_s: float = 0.0  # so that replicas, and accounts, do not all tick at once


class Clock:
    def __init__(
        self,
        ticks: Iterable[Tick],
        engine: Engine,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._stopped = False
        self._scheduler = BlockingScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(THREADS)},
            # None: a tick that is late, however late, is still worth having; many late ones are worth one.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._scheduler.add_listener(self._count, sum(WORDS))
        self._scheduler.add_listener(self._started, EVENT_SCHEDULER_STARTED)
        for tick in ticks:
            for word in SCHEDULER_EVENTS:
                scheduler_jobs.labels(tick.kind, word)
            self._scheduler.add_job(
                engine.wake,
                IntervalTrigger(seconds=tick.every_s, jitter=tick.jitter_s or None, timezone=UTC),
                args=(tick.kind, tick.key),
                id=f"{tick.kind}:{tick.key}",
                name=tick.kind,
                next_run_time=datetime.now(UTC),
            )

    def run(self) -> None:
        """Ticks until `stop` is called, also where it was called before. A supervised thread's work."""
        self._scheduler.start()

    def stop(self) -> None:
        self._stopped = True
        self._halt()

    def _halt(self) -> None:
        with suppress(SchedulerNotRunningError):
            self._scheduler.shutdown(wait=False)

    def _started(self, event: SchedulerEvent) -> None:
        if self._stopped:
            self._halt()

    def _count(self, event: JobEvent) -> None:
        scheduler_jobs.labels(event.job_id.partition(":")[0], WORDS[event.code]).inc()
        if event.code == EVENT_JOB_EXECUTED:
            scheduler_heartbeat.set(self._now().timestamp())
