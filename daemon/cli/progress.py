"""How far a sweep has come: a bar for each resource on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from daemon.cli.terminal import say
from daemon.sweep.report import Step

LINE_EVERY_S: Final = 5.0  # for each resource: a log is to be read afterwards

Name = tuple[str, str]  # account and resource


class Shown:
    """Safe for any number of threads."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        self._is_terminal = sys.stderr.isatty()
        self._progress = Progress(*columns, disable=not self._is_terminal, transient=True)
        self._lock = threading.Lock()
        self._tasks: dict[Name, TaskID] = {}
        self._said: dict[Name, tuple[float, int]] = {}  # when, and how many it was then

    def __enter__(self) -> "Shown":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, step: Step) -> None:
        with self._lock:
            self._bar(step) if self._is_terminal else self._line(step)

    def _bar(self, step: Step) -> None:
        name = (step.account, step.resource)
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(" ".join(name), total=None, rate="")
        total = None if step.remaining is None else step.objects + step.remaining
        rate = f"{step.objects_per_s:,.0f}/s"
        self._progress.update(self._tasks[name], completed=step.objects, total=total, rate=rate)

    def _line(self, step: Step) -> None:
        name, now = (step.account, step.resource), time.monotonic()
        at, objects = self._said.get(name, (-LINE_EVERY_S, -1))
        if objects == step.objects or not step.objects or now - at < LINE_EVERY_S:
            return
        self._said[name] = (now, step.objects)
        left = f", about {step.remaining:,} left" if step.remaining else ""
        rate = f", {step.objects_per_s:,.0f}/s" if step.objects_per_s >= 1 else ""
        say(f"{step.account} {step.resource}: {step.objects:,} so far{rate}{left}")
