"""Runs wakes in this process: one at a time for a kind and key, and one more if somebody wakes it meanwhile.

Nothing is kept: a process that starts again is told by `deadline_scan` what is due. Threads are begun as they are
needed. Whoever is woken waits in one line, a key stands in it once, and who has run goes to its end, so an account
with much to do does not starve one with little. A run that waits for a slow account holds one thread; kinds that may
run for hours have a share of the threads that leaves the rest to the others.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from structlog.contextvars import bound_contextvars

from accounts.errors import Explained
from metrics.catalog import engine_runs

log = structlog.get_logger(__name__)

# Threads that wait for an answer cost a few kilobytes; 128 were measured to reach 95 % of the ideal pace.
THREADS_MAX = 128

Handler = Callable[[str], None]
Task = tuple[str, str]  # kind and key
Start = Callable[[str, Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a wake of this kind runs, and how many of its keys may run at once."""

    run: Handler
    at_once_max: int = THREADS_MAX


class Runner:
    """The embedded engine. `wake` may be called from any thread, and never waits for a run."""

    def __init__(self, kinds: Mapping[str, Kind], start: Start, *, threads_max: int = THREADS_MAX) -> None:
        """`start` begins a named thread; the supervisor's, so that one that dies is noticed."""
        self._kinds: dict[str, Kind] = {}
        self._start = start
        self._threads_max = threads_max
        self._lock = threading.Lock()
        self._free = threading.Condition(self._lock)  # a thread may find something to run
        self._over = threading.Condition(self._lock)  # a run ended
        self._waiting: dict[Task, None] = {}  # in the order in which they came
        self._running: dict[Task, bool] = {}  # and whether it was woken since it began
        self._at_once: Counter[str] = Counter()  # of each kind
        self._threads = 0
        self._stopped = False
        for name, kind in kinds.items():
            self.serve(name, kind)

    def serve(self, name: str, kind: Kind) -> None:
        """From now on wakes of this kind are run; whoever runs them may need the engine to be made."""
        self._kinds[name] = kind
        for outcome in ("ended", "crashed"):
            engine_runs.labels(name, outcome)

    def wake(self, kind: str, key: str) -> None:
        """This is run at least once more, beginning later than now; unless the runner was stopped."""
        if kind not in self._kinds:
            raise KeyError(f"nothing is run for {kind}")
        task = (kind, key)
        with self._lock:
            if self._stopped:
                return
            if task in self._running:
                self._running[task] = True
                return
            self._waiting.setdefault(task)
            # Threads that were told but have not come yet are free still; each takes one task only.
            if len(self._waiting) > self._threads - len(self._running) and self._threads < self._threads_max:
                self._threads += 1
                self._start(f"run-{self._threads}", self._work)
            self._free.notify()

    def stop(self, patience_s: float) -> bool:
        """Begins no more runs, and waits for those that run; whether all of them ended in that time."""
        with self._lock:
            self._stopped = True
            self._waiting.clear()
            self._free.notify_all()
            return self._over.wait_for(lambda: not self._running, patience_s)

    def rest(self, patience_s: float) -> bool:
        """Waits until nothing runs and nothing waits; whether that came in time."""
        with self._lock:
            return self._over.wait_for(lambda: not self._running and not self._waiting, patience_s)

    def _work(self) -> None:
        while (task := self._next()) is not None:
            kind, key = task
            outcome = "crashed"
            try:
                with bound_contextvars(run=kind, key=key):
                    self._kinds[kind].run(key)
                outcome = "ended"
            except Explained as trouble:
                # A database that is away says so every second: a sentence, and not each time, is all there is to say.
                log.warning("run_not_done", kind=kind, key=key, because=str(trouble))
            except Exception:
                # Whatever it is, it is this run's affair alone: its rows are due again, and the others go on.
                log.exception("run_crashed", kind=kind, key=key)
            engine_runs.labels(kind, outcome).inc()
            self._end(task)

    def _next(self) -> Task | None:
        """Waits for a task that may run now, and takes it; None once the runner was stopped."""
        with self._lock:
            while not self._stopped:
                task = next(filter(self._may_run, self._waiting), None)
                if task is not None:
                    del self._waiting[task]
                    self._running[task] = False
                    self._at_once[task[0]] += 1
                    return task
                self._free.wait()
        return None

    def _may_run(self, task: Task) -> bool:
        return self._at_once[task[0]] < self._kinds[task[0]].at_once_max

    def _end(self, task: Task) -> None:
        with self._lock:
            self._at_once[task[0]] -= 1
            woken_meanwhile = self._running.pop(task)
            if woken_meanwhile and not self._stopped:
                self._waiting.setdefault(task)
            self._free.notify()  # this thread takes one; its kind's place may be another's
            self._over.notify_all()
