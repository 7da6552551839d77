"""One run over an account: several threads, each with a slice, until there are none, or until somebody says stop.

Whoever has nothing to do lets the others know; at the end of its next page one of them gives away the older half of
what it has left. So a class of a million objects is read by all threads, wherever in time its objects lie, and one of
fifty by one request.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from accounts.budget import Purpose
from accounts.errors import BudgetSpent, ObservationError, RateLimited, Unreachable
from accounts.stripe.answers import NoSuchObject
from accounts.stripe.reads import Page, Reader
from daemon.sweep.classes import Class
from daemon.sweep.keeper import Keeper
from daemon.sweep.report import Step, Swept, Watch
from daemon.sweep.slices import Slice, advanced, lost, split
from daemon.sweep.units import PRESENT, Unit

log = structlog.get_logger(__name__)

SLICES: Final = 8  # at once: with 100 ms a request they read six times as fast as one; ten may be in flight
PAUSES_S: Final = (1.0, 5.0, 15.0)  # before a page is asked for again that did not come
RATE_TRIES: Final = 20  # the limiter itself waits between them, ever longer
LOOK_AROUND_S: Final = 1.0  # how late an idle thread may notice `stop`


@dataclass(slots=True)
class _Task:
    """A unit as this run has it."""

    unit: Unit
    kind: Class
    left: int  # slices that are not done
    number: int  # of the next slice
    objects: int
    failed: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def phase(self) -> tuple[bool, bool]:
        """What is recent before what is old; and what tells whose others are before those."""
        return self.unit.is_history, self.kind.of_others

    @property
    def purpose(self) -> Purpose:
        return Purpose.HISTORY if self.unit.is_history else Purpose.SWEEP


class Run:
    def __init__(
        self,
        keeper: Keeper,
        reader: Reader,
        watch: Watch,
        is_over: Callable[[], bool],
        stop: threading.Event,
        *,
        slices: int = SLICES,
    ) -> None:
        """Ends early once `is_over`; `stop` cuts its pauses short."""
        self._keeper = keeper
        self._reader = reader
        self._watch = watch
        self._is_over = is_over
        self._stop = stop
        self._slices = slices
        self._changed = threading.Condition()
        self._tasks: dict[str, _Task] = {}
        self._waiting: list[tuple[_Task, Slice]] = []
        self._active: Counter[str] = Counter()  # slices that are being read, by unit
        self._idle = 0
        self._fault: BaseException | None = None
        self._complete: dict[str, int] = {}
        self._unread: dict[str, str] = {}
        self._not_understood = 0
        self._missing = 0

    def read(self, work: Mapping[Unit, Sequence[Slice]], kinds: Mapping[str, Class]) -> Swept:
        """Reads these to their ends, or says what kept it from that. A fault of our own rises."""
        for unit, pieces in work.items():
            open_ones = [piece for piece in pieces if not piece.done]
            objects = sum(piece.objects for piece in pieces)
            number = 1 + max((piece.number for piece in pieces), default=0)
            task = _Task(unit, kinds[unit.resource_name], len(open_ones), number, objects)
            self._tasks[unit.name] = task
            self._waiting += [(task, piece) for piece in open_ones]
            if not open_ones:  # the process died between the last page and the end
                self._end(task)
        threads = [
            threading.Thread(target=self._work, name=f"sweep-{self._keeper.account}-{number}", daemon=True)
            for number in range(self._slices)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._fault is not None:
            raise self._fault
        return Swept(self._keeper.account, self._complete, self._unread, self._not_understood, self._missing)

    def _work(self) -> None:
        try:
            while (taken := self._take()) is not None:
                task, piece = taken
                try:
                    self._read_slice(task, piece)
                except ObservationError as problem:
                    self._fail(task, problem)
                finally:
                    with self._changed:
                        self._active[task.unit.name] -= 1
                        self._changed.notify_all()
        except BaseException as fault:  # of a thread: it rises where the run was begun
            with self._changed:
                self._fault = self._fault or fault
                self._changed.notify_all()

    def _take(self) -> tuple[_Task, Slice] | None:
        with self._changed:
            while not self._is_over() and self._fault is None:
                open_ones = [each for each in self._waiting if not each[0].failed]
                going = [self._tasks[name] for name, count in self._active.items() if count]
                if not open_ones and not going:
                    return None
                phase = min(task.phase for task in [*going, *(task for task, _ in open_ones)])
                ready = [each for each in open_ones if each[0].phase == phase]
                if ready:
                    # Where the fewest are at work: every endpoint has a pace of its own.
                    taken = min(ready, key=lambda each: self._active[each[0].unit.name])
                    self._waiting.remove(taken)
                    self._active[taken[0].unit.name] += 1
                    return taken
                self._idle += 1
                self._changed.wait(LOOK_AROUND_S)
                self._idle -= 1
        return None

    def _read_slice(self, task: _Task, piece: Slice) -> None:
        seen = self._keeper.mark()
        while not piece.done and not task.failed and self._fault is None and not self._is_over():
            try:
                page = self._page(task, piece)
            except NoSuchObject as absent:
                if absent.param != "starting_after" or piece.after is None:
                    raise
                piece = lost(piece)
                continue
            read = _inside(piece, page)
            moved = advanced(
                piece,
                last_id=page.last_id,
                oldest=_oldest(page),
                has_more=page.has_more,
                objects=len(read.items) + len(read.unreadable),
            )
            halves = self._halves(task, moved, page)
            seen = self._keeper.page(task.unit, task.kind, read, seen=seen, pieces=halves or (moved,))
            piece = halves[0] if halves else moved
            self._note(task, read, halves[1] if halves else None)
        if piece.done:
            self._slice_done(task)

    def _page(self, task: _Task, piece: Slice) -> Page:
        """Asks once more where it only did not come. Raises what is not over soon."""
        tries = 0
        while True:
            try:
                return self._ask(task, piece)
            except BudgetSpent:
                raise
            except Unreachable as problem:
                limited = isinstance(problem, RateLimited)
                tries += 1
                if tries > (RATE_TRIES if limited else len(PAUSES_S)):
                    raise
                if self._stop.wait(0.0 if limited else PAUSES_S[tries - 1]):
                    raise

    def _ask(self, task: _Task, piece: Slice) -> Page:
        resource = task.kind.resource
        filters: dict[str, Any] = dict(task.kind.open.get(piece.scope, {}))
        if piece.after is not None:
            return self._reader.page(resource, purpose=task.purpose, starting_after=piece.after, **filters)
        if not resource.windows:
            return self._reader.page(resource, purpose=task.purpose, **filters)
        return self._reader.page(
            resource,
            purpose=task.purpose,
            created_gte=piece.since or None,
            created_lt=piece.before,
            **filters,
        )

    def _halves(self, task: _Task, piece: Slice, page: Page) -> tuple[Slice, Slice] | None:
        """The slice in two, where somebody is idle and it is long enough."""
        if piece.scope != PRESENT or not task.kind.resource.windows:
            return None
        newest = max((one.created for one in page.items), default=0)
        span_s = newest - piece.at if piece.at is not None and newest else 0
        with self._changed:
            # What waits for a later phase keeps nobody busy now.
            ready = sum(other.phase == task.phase and not other.failed for other, _ in self._waiting)
            if self._idle <= ready:
                return None
            halves = split(piece, number=task.number, floor=task.unit.floor, span_s=span_s)
            if halves is not None:
                task.number += 1
            return halves

    def _note(self, task: _Task, read: Page, further: Slice | None) -> None:
        with self._changed:
            if further is not None:
                task.left += 1
                self._waiting.append((task, further))
                self._changed.notify_all()
            task.objects += len(read.items) + len(read.unreadable)
            self._not_understood += len(read.unreadable)
            seconds = max(time.monotonic() - task.started, 1e-3)
            expected = task.unit.expected
            self._watch(
                Step(
                    self._keeper.account,
                    task.unit.name,
                    task.objects,
                    task.objects / seconds,
                    max(expected - task.objects, 0) if expected else None,
                )
            )

    def _slice_done(self, task: _Task) -> None:
        with self._changed:
            task.left -= 1
            over = task.left == 0 and not task.failed
        if over:
            self._end(task)

    def _end(self, task: _Task) -> None:
        objects, missing = self._keeper.end(task.unit, task.kind, self._reader.missing())
        with self._changed:
            self._complete[task.unit.name] = objects
            self._missing += missing
        log.info(
            "class_swept",
            account=self._keeper.account,
            resource=task.unit.name,
            objects=objects,
            missing=missing,
        )

    def _fail(self, task: _Task, problem: ObservationError) -> None:
        with self._changed:
            if task.failed:
                return
            task.failed = True
            self._unread[task.unit.name] = str(problem)
        self._keeper.fail(task.unit, problem)
        log.warning(
            "class_not_swept", account=self._keeper.account, resource=task.unit.name, because=str(problem)
        )


def _inside(piece: Slice, page: Page) -> Page:
    """The page without what another slice reads: a cursor leads beyond its slice's end."""
    if piece.after is None:
        return page
    items = [one for one in page.items if getattr(one, "created", piece.since) >= piece.since]
    return Page(items, page.unreadable, page.has_more, page.started_at, page.last_id)


def _oldest(page: Page) -> int | None:
    return min((one.created for one in page.items if hasattr(one, "created")), default=None)
