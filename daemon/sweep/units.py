"""What a sweep has to do, as the store remembers it: one unit for a class, and its slices.

A unit is under way from the transaction that begins its pass to the one that ends it. Between, every page is kept
together with how far its slice has come, so a process that dies has to read at most the pages again that it was
waiting for, and one that starts goes on where the other was. A unit that failed says when it may be tried again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace
from sqlmodel import Session

from daemon.store import cursors, demands, passes, snapshots
from daemon.store.marks import next_mark
from daemon.store.passes import Completeness, Reading
from daemon.sweep.classes import CLASSES, FLOOR, HISTORY_EVERY, YOUNG, Class
from daemon.sweep.slices import Slice, slice_of

UNIT: Final = "sweep:unit/"
SLICE: Final = "sweep:slice/"
OWED: Final = "sweep:owed"  # a class was read to its end, and not everything was judged again since
HISTORY: Final = ":history"
RETRY_S: Final = (60.0, 120.0, 300.0, 900.0)  # a permission is tried again as often as it may be at all
PRESENT: Final = "present"  # the scope that is read by when objects were created


class Unit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One class, or what is old of it, while a pass over it is under way."""

    name: str  # the resource's name; of what is old with :history behind it
    slot: str
    mark: int
    began: int  # unix seconds
    since: int = 0  # what of it is read by when it was created
    before: int | None = None
    first: bool = False  # no pass of the class has ended yet
    with_history: bool = False  # a first pass over a class that ages is one over what is old of it, too
    floor: int = FLOOR  # when the oldest was created, as far as is known
    expected: int = 0  # how many are stored
    failures: int = 0
    retry_at: int = 0

    @property
    def resource_name(self) -> str:
        return self.name.removesuffix(HISTORY)

    @property
    def is_history(self) -> bool:
        return self.name.endswith(HISTORY)

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def reading(account: str, name: str) -> Reading:
    return Reading(account, passes.STRIPE, name)


def under_way(session: Session, account: str) -> list[Unit]:
    found = cursors.named(session, account, UNIT)
    return [msgspec.json.decode(text, type=Unit) for _, text in sorted(found.items())]


def slices(session: Session, account: str, unit: Unit) -> list[Slice]:
    found = cursors.named(session, account, f"{SLICE}{unit.name}/")
    return [slice_of(text) for _, text in sorted(found.items())]


def move(session: Session, account: str, unit: Unit, pieces: Sequence[Slice], now: datetime) -> None:
    """Remembers how far these slices have come."""
    for piece in pieces:
        cursors.move(session, account, f"{SLICE}{unit.name}/{piece.name}", piece.text(), now)


def begin_due(
    session: Session,
    account: str,
    now: datetime,
    every: timedelta,
    *,
    leisurely: bool,
    classes: Sequence[Class] = CLASSES,
) -> list[Unit]:
    """Begins passes over what is due. `leisurely`: the read budget allows for what is old."""
    known = passes.complete(session)
    going = {unit.name for unit in under_way(session, account)}
    demand = demands.standing(session, account)
    demanded_at = demand.at if demand is not None else None
    whole_at = demand.at if demand is not None and demand.whole else None
    begun = []
    for each in classes:
        name, history = each.resource.name, each.resource.name + HISTORY
        last, last_history = known.get(reading(account, name)), known.get(reading(account, history))
        if name not in going and _is_due(last, now, every, demanded_at):
            begun.append(_begin(session, account, each, last, now))
        if each.aging and last is not None and history not in going:
            history_every = HISTORY_EVERY if leisurely else timedelta.max
            if _is_due(last_history, now, history_every, whole_at):
                begun.append(_begin_history(session, account, each, now))
    return begun


def hurry(session: Session, account: str, now: datetime) -> None:
    """What waits because it could not be read may be tried again at once: somebody has asked for it."""
    for unit in under_way(session, account):
        if unit.retry_at > now.timestamp():
            _keep(session, account, replace(unit, retry_at=0), now)


def fail(session: Session, account: str, unit: Unit, now: datetime) -> None:
    """It could not be read to its end, and is tried again after a while."""
    wait_s = RETRY_S[min(unit.failures, len(RETRY_S) - 1)]
    retry_at = int(now.timestamp() + wait_s)
    _keep(session, account, replace(unit, failures=unit.failures + 1, retry_at=retry_at), now)


def end(session: Session, account: str, unit: Unit, objects: int, now: datetime) -> None:
    """It was read to its end."""
    passes.end(session, reading(account, unit.name), unit.slot, objects, now)
    if unit.with_history:
        passes.end(session, reading(account, unit.name + HISTORY), unit.slot, objects, now)
    cursors.forget(session, account, UNIT + unit.name)
    cursors.forget_all(session, account, f"{SLICE}{unit.name}/")
    cursors.move(session, account, OWED, unit.slot, now)


def _is_due(last: Completeness | None, now: datetime, every: timedelta, demanded_at: datetime | None) -> bool:
    if last is None or now - last.last_began_at >= every:
        return True
    return demanded_at is not None and last.last_began_at < demanded_at


def _begin(session: Session, account: str, each: Class, last: Completeness | None, now: datetime) -> Unit:
    resource = each.resource
    young = int((now - YOUNG).timestamp())
    oldest = snapshots.oldest(session, account, resource.type)
    unit = Unit(
        resource.name,
        now.isoformat(),
        next_mark(session),
        int(now.timestamp()),
        since=young if each.aging and last is not None else 0,
        first=last is None,
        with_history=last is None and each.aging,
        floor=FLOOR if last is None or oldest is None else int(oldest.timestamp()),
        expected=_expected(session, account, each, last, now),
    )
    pieces = [Slice(PRESENT, 0, since=unit.since)]
    if each.aging and last is not None:
        pieces += [Slice(scope, 0) for scope in each.open]
    _start(session, account, unit, pieces, now)
    return unit


def _begin_history(session: Session, account: str, each: Class, now: datetime) -> Unit:
    before = int((now - YOUNG).timestamp())
    oldest = snapshots.oldest(session, account, each.resource.type)
    unit = Unit(
        each.resource.name + HISTORY,
        now.isoformat(),
        next_mark(session),
        int(now.timestamp()),
        before=before,
        floor=FLOOR if oldest is None else int(oldest.timestamp()),
    )
    _start(session, account, unit, [Slice(PRESENT, 0, before=before)], now)
    return unit


def _start(session: Session, account: str, unit: Unit, pieces: Sequence[Slice], now: datetime) -> None:
    # A number of its own: whatever was read before has a smaller one, so what this pass does not see can be told.
    passes.begin(session, reading(account, unit.name), unit.slot, unit.mark, now)
    if unit.with_history:
        passes.begin(session, reading(account, unit.name + HISTORY), unit.slot, unit.mark, now)
    _keep(session, account, unit, now)
    move(session, account, unit, pieces, now)


def _keep(session: Session, account: str, unit: Unit, now: datetime) -> None:
    cursors.move(session, account, UNIT + unit.name, unit.text(), now)


def _expected(session: Session, account: str, each: Class, last: Completeness | None, now: datetime) -> int:
    if last is None:
        return 0
    since = now - YOUNG if each.aging else None
    return snapshots.count(session, [account], each.resource.type, since)


def moment(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
