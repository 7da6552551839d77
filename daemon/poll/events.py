"""Polls an account's events, so that what webhooks miss is found too, and so that it is known whether they miss any.

Every poll reads from some minutes before the newest event that it knows, since events become visible late and out of
order, and an id is taken in once. What it says to be complete stands still further back, and moves on only when a poll
has read everything: how far the reading goes is never held back by it.

While webhooks bring everything, polls become rare. One missed event, a restart, or silence brings them back.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog
from msgspec.structs import replace
from sqlmodel import Session

from accounts.budget import Purpose, ReadBudget
from accounts.errors import ObservationError
from accounts.stripe.reads import Page, Reader
from accounts.stripe.resources import BY_NAME, class_of
from daemon.envelope import NotKept, kept
from daemon.observe.asking import KEY_TROUBLE, reason_of
from daemon.observe.landscape import key_reading
from daemon.poll.endpoint import USED, Endpoints, Hearers, mark_account
from daemon.store import demands, hearing, intake, passes
from daemon.store.db import Store
from daemon.store.hearing import Gap, Position
from daemon.store.inbox import Received
from daemon.store.passes import Reading
from metrics.catalog import events_duplicate, events_received, gap_events_found
from metrics.exemplars import exemplar

log = structlog.get_logger(__name__)

LAG: Final = timedelta(seconds=60)  # an event is visible by then; what we call complete is older
OVERLAP_S: Final = 600  # read again at every poll; Stripe was seen to be minutes late, and clocks differ
SLOWEST: Final = timedelta(minutes=30)
CLEAN: Final = timedelta(hours=1)  # so long nothing may have been missed before polls become rarer
SILENT_POLLS: Final = 3  # so many polls without any webhook, and they are as frequent as they may be
EVENTS_RESOURCE: Final = BY_NAME["events"]


class Accounts(Hearers, Protocol):
    """What a poll asks about an account, each time anew: a reload may have changed it."""

    def names(self) -> Sequence[str]: ...

    def reader(self, account: str) -> Reader: ...

    def doubt(self, account: str, problem: ObservationError) -> None:
        """The key was good and is no more."""
        ...

    def budget(self, account: str) -> ReadBudget: ...

    def poll_every(self, account: str) -> timedelta: ...


class Poll:
    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        *,
        wake: Callable[[str], None],
        now: Callable[[], datetime],
        stop: threading.Event,
    ) -> None:
        """`wake` says that an account has something to look at."""
        self._store = store
        self._accounts = accounts
        self._wake = wake
        self._now = now
        self._stop = stop
        self._endpoints = Endpoints(store, accounts, now)
        self._started = now()
        self._failed: dict[str, datetime] = {}  # when a poll of the account last came to nothing

    def listen(self, account: str) -> None:
        """Begins to follow the account's events from now on, if nobody has yet. Raises nothing that Stripe says."""
        with self._store.reading() as session:
            if hearing.position(session, account) is not None:
                return
        try:
            self._begin(account, self._accounts.reader(account))
        except ObservationError as problem:
            self._cannot(account, problem)

    def poll(self, account: str, *, at_once: bool = False) -> int:
        """Reads the events that came, if that is due; how many were new."""
        with self._store.holding(f"poll {account}") as ours:
            if not ours:
                return 0
            with self._store.reading() as session:
                position = hearing.position(session, account)
                if not at_once and self._now() < self._due_at(session, account, position):
                    return 0
            try:
                reader = self._accounts.reader(account)
                if position is None:
                    position = self._begin(account, reader)
                elif self._now() - _moment(position.polled_at) > hearing.KEPT:
                    self._note_gap(account, position)
                new = self._read(account, reader, position)
                self._endpoints.look(account, reader)
            except ObservationError as problem:
                self._cannot(account, problem)
                return 0
            return new

    def due(self, session: Session, now: datetime) -> list[str]:
        """The accounts whose next poll is due."""
        return [
            account
            for account in self._accounts.names()
            if self._due_at(session, account, hearing.position(session, account)) <= now
        ]

    def _due_at(self, session: Session, account: str, position: Position | None) -> datetime:
        every = self._accounts.poll_every(account) * self._accounts.budget(account).stretch()
        failed_at = self._failed.get(account)
        earliest = _moment(0) if failed_at is None else failed_at + every
        if position is None:
            return earliest
        rarely = timedelta(seconds=position.interval_s) * self._accounts.budget(account).stretch()
        rare = rarely > every and self._may_be_rare(session, account, position)
        return max(earliest, _moment(position.polled_at) + (rarely if rare else every))

    def _begin(self, account: str, reader: Reader) -> Position:
        """From the newest event there is, by Stripe's own clock; ours may be another."""
        now = self._now()
        page = reader.page(EVENTS_RESOURCE, purpose=Purpose.POLL, limit=1)
        newest = max((event.created for event in page.items), default=None)
        position = Position(
            born=newest if newest is not None else _unix(now),
            complete=_unix(now - LAG),
            polled_at=_unix(now),
            newest=newest,
            counted_until=_unix(now),
        )
        with self._store.transaction() as session:
            if (known := hearing.position(session, account)) is not None:
                return known
            hearing.move(session, account, position, now)
        log.info("listening", account=account, newest=newest)
        return position

    def _note_gap(self, account: str, position: Position) -> None:
        """Events between the last poll and now may be gone for ever: only reading everything can tell what they did."""
        now = self._now()
        gap = Gap(_moment(position.complete), now)
        with self._store.transaction() as session:
            if hearing.gap(session, account) is not None:
                return  # it was said, and the polls since have failed
            hearing.note_gap(session, account, gap, now)
            demands.make(session, account, now, whole=True)
            mark_account(session, account, now)
        log.error("events_gap", account=account, since=gap.since.isoformat(), until=gap.until.isoformat())
        self._wake(account)

    def _read(self, account: str, reader: Reader, position: Position) -> int:
        """Takes in page after page; the cursor moves with the last one."""
        started_at = self._now()
        since = _reading_from(position)
        newest, new = position.newest, 0
        pages = reader.pages(EVENTS_RESOURCE, purpose=Purpose.POLL, created_gte=since)
        for page in pages:
            known = [] if newest is None else [newest]
            newest = max([*known, *(event.created for event in page.items)], default=None)
            last = not page.has_more
            new += self._take_in(account, page, position, newest, started_at, last=last)
            if self._stop.is_set() and not last:
                break
        self._failed.pop(account, None)
        return new

    def _take_in(
        self,
        account: str,
        page: Page,
        position: Position,
        newest: int | None,
        started_at: datetime,
        *,
        last: bool,
    ) -> int:
        now = self._now()
        received = list(_received(account, page))
        with self._store.transaction() as session:
            since = _moment(_reading_from(position) or 0)
            twins = hearing.twins(session, account, [each.event_id for each in received], since)
            answers = intake.take_in(session, [each for each in received if each.event_id not in twins], now)
            if last:
                self._move(session, account, position, newest, started_at)
        new = sum(answers)
        for each in received:
            seen = exemplar("event_id", each.event_id)
            events_received.labels("poll", class_of(each.type)).inc(exemplar=seen)
        events_duplicate.labels("poll").inc(len(received) - new)
        if new:
            self._wake(account)
        return new

    def _move(
        self,
        session: Session,
        account: str,
        position: Position,
        newest: int | None,
        started_at: datetime,
    ) -> None:
        """Everything was read; the cursor goes where that was, and what no webhook brought is counted."""
        now = self._now()
        gap = hearing.gap(session, account)
        complete = position.complete if gap is not None else max(position.complete, _unix(started_at - LAG))
        moved = replace(position, newest=newest, complete=complete, polled_at=_unix(started_at))
        moved = self._count_missed(session, account, moved, now)
        hearing.move(session, account, self._paced(session, account, moved), now)
        passes.recover(session, [Reading(account, passes.STRIPE, EVENTS_RESOURCE.name)], now)

    def _count_missed(self, session: Session, account: str, position: Position, now: datetime) -> Position:
        if not self._accounts.hears_webhooks(account):
            return replace(position, missed=0)
        since, until = _moment(position.counted_until), now - hearing.LATE
        born = _moment(position.born)
        new = hearing.found_without(session, account, USED, born, since, until) if until > since else ()
        if new:
            gap_events_found.inc(len(new), exemplar("event_id", new[-1]))
            log.warning("events_missed", account=account, events=len(new))
        missed = hearing.missed(session, account, USED, born, now)
        if missed != position.missed:
            mark_account(session, account, now)
        return replace(
            position,
            counted_until=max(position.counted_until, _unix(until)),
            missed_at=_unix(now) if new else position.missed_at,
            missed=missed,
        )

    def _paced(self, session: Session, account: str, position: Position) -> Position:
        """Twice as long until the next poll, where nothing speaks against it."""
        every_s = int(self._accounts.poll_every(account).total_seconds())
        rare = self._may_be_rare(session, account, position)
        doubled = min(max(position.interval_s, every_s) * 2, int(SLOWEST.total_seconds()))
        return replace(position, interval_s=doubled if rare else every_s)

    def _may_be_rare(self, session: Session, account: str, position: Position) -> bool:
        """Whether webhooks have brought everything for a while, in the time that we watched."""
        if not self._accounts.hears_webhooks(account):
            return False
        now = self._now()
        if now - max(self._started, _moment(position.missed_at)) < CLEAN:
            return False
        silent_since = now - SILENT_POLLS * self._accounts.poll_every(account)
        heard = hearing.last_webhook_at(session, account, silent_since - SLOWEST)
        return heard is not None and heard >= silent_since

    def _cannot(self, account: str, problem: ObservationError) -> None:
        """Polls go on at their pace; what keeps them from reading is written down."""
        now = self._now()
        log.warning("events_not_read", account=account, because=str(problem))
        self._failed[account] = now
        of_key = isinstance(problem, KEY_TROUBLE)
        if of_key:
            self._accounts.doubt(account, problem)
        reason = reason_of(problem)
        if reason is None:
            return
        about = key_reading(account) if of_key else Reading(account, passes.STRIPE, EVENTS_RESOURCE.name)
        with self._store.transaction() as session:
            passes.fail(session, about, reason, str(problem), now)


def _reading_from(position: Position) -> int | None:
    """Before the newest known event, and before the last poll: whichever clock is ahead, nothing is left out."""
    if position.newest is None:
        return None
    return max(min(position.newest, position.polled_at) - OVERLAP_S, 0)


def _received(account: str, page: Page) -> Iterator[Received]:
    """What is kept of a page's events. What is not understood is left to sweeps, and said."""
    for one in page.unreadable:
        log.warning("event_not_understood", account=account, id=one.id, because=one.reason)
    for event in page.items:
        try:
            yield kept(event, account, "poll")
        except NotKept as problem:
            log.warning("event_not_kept", account=account, because=str(problem))


def _moment(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def _unix(at: datetime) -> int:
    return int(at.timestamp())
