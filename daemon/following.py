"""Following a pass that a running daemon makes: from the tables alone, until all that was demanded is read and judged.

The daemon tells nobody anything. What it has read stands in the checkpoints of its slices, what it has ended among the
passes, what it judges in the cursor of its walk; so a follower may come and go, and stops nothing by going.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from sqlmodel import Session

from daemon import rejudge, views
from daemon.observe.landscape import key_reading
from daemon.store import cursors, held, passes, worklist
from daemon.store.db import Store
from daemon.store.passes import EVERYWHERE, Outage, Reading
from daemon.store.queue import Wanted
from daemon.sweep import records, units
from daemon.sweep.classes import CLASSES
from daemon.sweep.report import Step, Swept, Watch

LOOK_EVERY_S: Final = 0.5  # a bar that moves twice a second seems alive
STILL_S: Final = 5.0  # so long nothing may move before it is asked whether anybody works at all


class Nobody(Exception):
    """Nobody works on the database any more."""


@dataclass(frozen=True, slots=True)
class Demanded:
    """What a daemon was told to read from this moment on."""

    at: datetime
    accounts: Sequence[str]
    sources: Sequence[Reading]


@dataclass(frozen=True, slots=True)
class Passed:
    swept: Sequence[Swept]
    standing: int
    settling: int  # subjects that are looked at again later: it may settle by itself, or a deadline comes


class State(Enum):
    WAITING = "waiting"
    READING = "reading"
    COMPLETE = "complete"
    FAILED = "failed"  # and tried again after a while, which nobody waits for


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the daemon has come with one class of one account, or one source for it."""

    reading: Reading
    state: State
    objects: int = 0
    expected: int = 0  # 0: a first pass does not know
    why: str = ""  # it could not be read

    @property
    def is_over(self) -> bool:
        return self.state in (State.COMPLETE, State.FAILED)


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it at one moment."""

    progress: Sequence[Progress]
    judging: Sequence[Step]  # the walks over everything, under way
    owed: bool  # a class was read to its end, and the walk that follows has not begun

    @property
    def is_read(self) -> bool:
        return not self.judging and not self.owed and all(each.is_over for each in self.progress)


@dataclass(slots=True)
class Paces:
    """How fast what is followed grows, as far as we have seen it."""

    began: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def of(self, name: tuple[str, str], objects: int) -> float:
        since, first = self.began.setdefault(name, (time.monotonic(), objects))
        return (objects - first) / max(time.monotonic() - since, LOOK_EVERY_S)


def follow(
    store: Store,
    demanded: Demanded,
    now: Callable[[], datetime],
    watch: Watch,
    wait: Callable[[float], object],
) -> Passed:
    """Until what was demanded is read, or failed to be, and judged. Raises Nobody if nobody is there to do it."""
    paces, read_at, before, still_s = Paces(), None, None, 0.0
    while True:
        with store.reading() as session:
            picture = look(session, demanded, now())
            if read_at is None and picture.is_read:
                read_at = now()
            left = 0 if read_at is None else worklist.pending(session, demanded.accounts, read_at, now())
            if read_at is not None and not left:
                return Passed(tuple(_swept(picture)), *what_stands(session, demanded.accounts, now()))
        for step in _steps(picture, paces):
            watch(step)
        still_s = 0.0 if (picture, left) != before else still_s + LOOK_EVERY_S
        before = (picture, left)
        if still_s >= STILL_S:
            still_s = 0.0
            if not store.is_worked_on():
                raise Nobody
        wait(LOOK_EVERY_S)


def look(session: Session, demanded: Demanded, now: datetime) -> Picture:
    """How far a daemon has come with what it was told."""
    ended = passes.ended_since(session, demanded.at)
    outages = passes.outages(session)
    progress = [
        each for account in demanded.accounts for each in _of_stripe(session, account, ended, outages, now)
    ]
    progress += [_of_source(session, each, ended, outages, now) for each in demanded.sources]
    walking = set(cursors.whose(session, rejudge.CURSOR))
    return Picture(
        progress,
        [_judging(session, account) for account in demanded.accounts if account in walking],
        owed=any(cursors.position(session, account, units.OWED) for account in demanded.accounts),
    )


def what_stands(session: Session, accounts: Sequence[str], now: datetime) -> tuple[int, int]:
    """How many cases stand in these accounts, and how many subjects are to be looked at again later."""
    standing = views.cases(session, Wanted(accounts=accounts), limit=1)["total"]
    assert isinstance(standing, int)
    return standing, worklist.waiting(session, accounts, after=now)


def _of_stripe(
    session: Session, account: str, ended: dict[Reading, int], outages: dict[Reading, Outage], now: datetime
) -> Iterator[Progress]:
    going = {unit.name: unit for unit in units.under_way(session, account)}
    for each in CLASSES:
        reading = units.reading(account, each.resource.name)
        unit = going.get(reading.class_name)
        if reading in ended:
            yield Progress(reading, State.COMPLETE, ended[reading])
        elif unit is None:
            yield Progress(reading, State.WAITING)
        elif unit.retry_at > now.timestamp():
            outage = outages.get(reading) or outages.get(key_reading(account))
            why = outage.error if outage is not None else "It did not come to its end."
            yield Progress(reading, State.FAILED, why=f"{why} The daemon tries it again.")
        else:
            objects = sum(piece.objects for piece in units.slices(session, account, unit))
            yield Progress(reading, State.READING, objects, unit.expected)


def _of_source(
    session: Session,
    reading: Reading,
    ended: dict[Reading, int],
    outages: dict[Reading, Outage],
    now: datetime,
) -> Progress:
    if reading in ended:
        return Progress(reading, State.COMPLETE, ended[reading])
    retry = cursors.position(session, EVERYWHERE, records.RETRY + reading.source)
    if retry is not None and json.loads(retry)["at"] > now.timestamp():
        outage = outages.get(reading)
        why = outage.error if outage is not None else "It did not come to its end."
        return Progress(reading, State.FAILED, why=f"{why} The daemon tries it again.")
    return Progress(reading, State.WAITING)


def _judging(session: Session, account: str) -> Step:
    said = json.loads(cursors.position(session, account, rejudge.CURSOR) or "{}")
    judged = int(said.get("judged", 0))
    before = int(cursors.position(session, account, held.JUDGED) or 0)
    return Step(account, "judging", judged, 0.0, max(before - judged, 0) if before else None)


def _steps(picture: Picture, paces: Paces) -> Iterator[Step]:
    for each in picture.progress:
        if each.state is State.READING or (each.state is State.COMPLETE and each.objects):
            account, resource = _named(each.reading)
            rate = paces.of((account, resource), each.objects)
            left = max(each.expected - each.objects, 0) if each.expected else None
            yield Step(account, resource, each.objects, rate, 0 if each.state is State.COMPLETE else left)
    for step in picture.judging:
        rate = paces.of((step.account, step.resource), step.objects)
        yield Step(step.account, step.resource, step.objects, rate, step.remaining)


def _named(reading: Reading) -> tuple[str, str]:
    """As a sweep names its steps: of a source, its own name and what it is."""
    if reading.source == passes.STRIPE:
        return reading.account, reading.class_name
    return reading.source, reading.source.partition(":")[0]


def _swept(picture: Picture) -> Iterator[Swept]:
    """As a sweep tells what it came to: by account for Stripe, and for each source by account."""
    found: dict[str, tuple[dict[str, int], dict[str, str]]] = {}
    for each in picture.progress:
        of_stripe = each.reading.source == passes.STRIPE
        name, part = (
            (each.reading.account, each.reading.class_name)
            if of_stripe
            else (each.reading.source, each.reading.account)
        )
        complete, unread = found.setdefault(name, ({}, {}))
        if each.state is State.COMPLETE:
            complete[part] = each.objects
        else:
            unread[part] = each.why
    for name, (complete, unread) in found.items():
        yield Swept(name, complete, unread)
