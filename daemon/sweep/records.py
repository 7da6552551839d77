"""Reads the CRM and the product: all their rows, in one pass for each source, and what is no longer among them.

A pass is complete or it failed: a source that broke off in the middle proves nobody's absence. What a complete pass
did not name is asked for by its key; where a source cannot be asked so, two complete passes in a row have to miss it.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlmodel import Session

from accounts.errors import Malformed, ObservationError
from accounts.facts import Subject
from daemon.core.model import AccountFacts, Source
from daemon.observe.asking import reason_of
from daemon.observe.failures import count_failure
from daemon.observe.landscape import Cartographer, Landscape
from daemon.store import cursors, passes, records, worklist
from daemon.store.db import Store
from daemon.store.marks import current_mark, next_mark
from daemon.store.passes import EVERYWHERE
from daemon.sweep.report import Step, Swept, Watch, unwatched
from daemon.sweep.sources import Connected, Sources, connected, users_of
from daemon.sweep.units import RETRY_S

log = structlog.get_logger(__name__)

RETRY: Final = "records:retry/"
DEMAND: Final = "records:demand/"  # somebody wants the source to be read that was not read since then
ASKED_MAX: Final = 500  # keys in one pass; where a source forgets more at once, the next passes go on


class Intervals(Protocol):
    def records_every(self, account: str) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass under way."""

    source: Connected
    users: Sequence[AccountFacts]
    slot: str
    mark: int
    before: int | None  # the number of the complete pass before it, of whichever account that is longest ago


class RecordsSweep:
    def __init__(
        self,
        store: Store,
        cartographer: Cartographer,
        sources: Sources,
        intervals: Intervals,
        *,
        after_pass: Callable[[Session, str], Sequence[str]],
        wake: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        """`after_pass` and `wake` are those of `StripeSweep`."""
        self._store = store
        self._cartographer = cartographer
        self._sources = sources
        self._intervals = intervals
        self._after_pass = after_pass
        self._wake = wake
        self._now = now

    def sweep(self, key: str, *, watch: Watch = unwatched, at_once: bool = False) -> Swept:
        """Reads a source, `crm:NAME` or `entitlements:NAME`, if that is due; `at_once`: whether or not it is."""
        with self._store.holding(f"records {key}") as ours:
            if not ours:
                return Swept(key, elsewhere=True)
            with self._store.transaction() as session:
                landscape = self._cartographer.landscape(session)
                users = users_of(landscape, key)
                if not users or not (at_once or self._is_due(session, landscape, key, self._now())):
                    return Swept(key)
                under_way = self._begin(session, connected(key, self._sources), users)
            return self._read(under_way, watch)

    def demand(self, key: str) -> None:
        """Makes a source due, also one that waits because it could not be read."""
        now = self._now()
        with self._store.transaction() as session:
            cursors.forget(session, EVERYWHERE, RETRY + key)
            cursors.move(session, EVERYWHERE, DEMAND + key, now.isoformat(), now)

    def due(self, session: Session, now: datetime) -> list[str]:
        """The keys of the sources that are to be read."""
        landscape = self._cartographer.landscape(session)
        facts = [land.facts for land in landscape.lands.values()]
        keys = [passes.crm(each.crm.source) for each in facts if each.crm]
        keys += [passes.entitlements(each.entitlements.source) for each in facts if each.entitlements]
        return [key for key in dict.fromkeys(keys) if self._is_due(session, landscape, key, now)]

    def _is_due(self, session: Session, landscape: Landscape, key: str, now: datetime) -> bool:
        retry = cursors.position(session, EVERYWHERE, RETRY + key)
        if retry is not None:
            return bool(json.loads(retry)["at"] <= now.timestamp())
        demanded_at = _demanded_at(session, key)
        for user in users_of(landscape, key):
            source = Source.CRM if key.startswith("crm:") else Source.ENTITLEMENTS
            began = landscape.lands[user.slug].passed_at.get(source)
            if began is None or now - began >= self._intervals.records_every(user.slug):
                return True
            if demanded_at is not None and began < demanded_at:
                return True
        return False

    def _begin(self, session: Session, source: Connected, users: Sequence[AccountFacts]) -> _Pass:
        before = [passes.last_mark(session, source.reading(user.slug)) for user in users]
        # A number of its own, so that what this pass does not see can be told from what others saw.
        slot, mark = self._now().isoformat(), next_mark(session)
        for user in users:
            passes.begin(session, source.reading(user.slug), slot, mark, self._now())
        complete = [each for each in before if each is not None]
        return _Pass(source, users, slot, mark, min(complete) if len(complete) == len(before) else None)

    def _read(self, under_way: _Pass, watch: Watch) -> Swept:
        source, users = under_way.source, under_way.users
        progress = _Progress(source.key, watch)
        failed: dict[str, ObservationError] = {}
        asked = users if source.per_account else users[:1]
        for user in asked:
            try:
                self._read_all(under_way, user, progress)
            except ObservationError as problem:
                count_failure(source.system, problem)
                failed[user.slug] = problem
        if failed and not source.per_account:
            failed = dict.fromkeys((user.slug for user in users), next(iter(failed.values())))
        gone = self._absent(under_way) if not failed else {}
        self._end(under_way, failed, gone, progress.objects)
        for slug, why in failed.items():
            log.warning("source_not_read", source=source.key, account=slug, because=str(why))
        if not failed:
            log.info("source_read", source=source.key, objects=progress.objects, gone=len(gone))
        return Swept(
            source.key,
            {user.slug: progress.objects for user in users if user.slug not in failed},
            {slug: str(why) for slug, why in failed.items()},
            missing=len(gone),
        )

    def _read_all(self, under_way: _Pass, user: AccountFacts, progress: "_Progress") -> None:
        """What is unchanged since the pass before is believed only if we have all of it; else it is read afresh."""
        for afresh in (False, True):
            if self._read_pages(under_way, user, progress, afresh=afresh):
                return

    def _read_pages(
        self, under_way: _Pass, user: AccountFacts, progress: "_Progress", *, afresh: bool
    ) -> bool:
        source = under_way.source
        seen = self._mark()
        for page in source.pages(user.stripe_account, afresh):
            concerned: set[Subject] = set()
            with self._store.transaction(bulk=True) as session:
                if page.unchanged:
                    known = records.still_there(
                        session, source.of, source.name, page.keys, seen=seen, observed_at=page.observed_at
                    )
                    if known < len(page.keys):
                        return False
                else:
                    landscape = self._cartographer.landscape(session)
                    first = under_way.before is None
                    found = source.keep(session, landscape, page.rows, seen, page.observed_at, first)
                    # Before a source is known completely, nobody can be judged by it; then everybody is.
                    concerned = set() if first else found
                    worklist.mark(session, concerned, self._now(), reading=False)
                seen = current_mark(session)
            progress.add(len(page.keys))
            self._wake_all(concerned)
        return True

    def _absent(self, under_way: _Pass) -> dict[str, int]:
        """The keys that are known to be gone, each with the number under which that was seen."""
        source = under_way.source
        with self._store.reading() as session:
            unlisted = [
                row
                for rows in records.unseen(session, source.of, source.name, under_way.mark)
                for row in rows
            ]
            seen = current_mark(session)
        if not source.reads_one:
            before = under_way.before
            return {row.key: seen for row in unlisted if before is not None and row.seen < before}
        gone = {}
        for row in unlisted[:ASKED_MAX]:
            account = row.stripe_account or under_way.users[0].stripe_account
            observed_at, seen = self._now(), self._mark()
            try:
                one = source.one(row.key, account)
            except ObservationError as problem:
                log.warning("row_not_read", source=source.key, because=str(problem))
                continue
            if one is None:
                gone[str(row.key)] = seen
                continue
            with self._store.transaction(bulk=True) as session:
                landscape = self._cartographer.landscape(session)
                concerned = source.keep(session, landscape, [one], seen, observed_at, False)
                worklist.mark(session, concerned, self._now(), reading=False)
            self._wake_all(concerned)
        return gone

    def _end(
        self,
        under_way: _Pass,
        failed: dict[str, ObservationError],
        gone: dict[str, int],
        objects: int,
    ) -> None:
        source, now = under_way.source, self._now()
        concerned: set[Subject] = set()
        waking: set[str] = set()
        with self._store.transaction() as session:
            landscape = self._cartographer.landscape(session)
            for key, seen in gone.items():
                concerned |= source.bury(session, landscape, key, seen, now)
            worklist.mark(session, concerned, now, reading=False)
            for user in under_way.users:
                reading = source.reading(user.slug)
                problem = failed.get(user.slug)
                if problem is None:
                    passes.end(session, reading, under_way.slot, objects, now)
                else:
                    self._fail(session, source, user, problem)
            self._remember_failure(session, source, bool(failed))
            if not failed:
                _meet_demand(session, source.key, under_way.slot)
            for user in under_way.users:
                if user.slug not in failed:
                    waking |= set(self._after_pass(session, user.slug))
        self._wake_all(concerned)
        for account in sorted(waking):
            self._wake(account)

    def _fail(
        self, session: Session, source: Connected, user: AccountFacts, problem: ObservationError
    ) -> None:
        reason = "malformed" if isinstance(problem, Malformed) else reason_of(problem)
        if reason is not None:
            passes.fail(session, source.reading(user.slug), reason, str(problem), self._now())

    def _remember_failure(self, session: Session, source: Connected, failed: bool) -> None:
        name, now = RETRY + source.key, self._now()
        if not failed:
            cursors.forget(session, EVERYWHERE, name)
            return
        before = cursors.position(session, EVERYWHERE, name)
        failures = json.loads(before)["failures"] if before is not None else 0
        wait_s = RETRY_S[min(failures, len(RETRY_S) - 1)]
        position = json.dumps({"failures": failures + 1, "at": int(now.timestamp() + wait_s)})
        cursors.move(session, EVERYWHERE, name, position, now)

    def _mark(self) -> int:
        with self._store.reading() as session:
            return current_mark(session)

    def _wake_all(self, concerned: set[Subject]) -> None:
        for account in sorted({subject.account for subject in concerned}):
            self._wake(account)


def _demanded_at(session: Session, key: str) -> datetime | None:
    said = cursors.position(session, EVERYWHERE, DEMAND + key)
    return None if said is None else datetime.fromisoformat(said)


def _meet_demand(session: Session, key: str, began: str) -> None:
    """A pass that began after it has met it."""
    demanded_at = _demanded_at(session, key)
    if demanded_at is not None and demanded_at <= datetime.fromisoformat(began):
        cursors.forget(session, EVERYWHERE, DEMAND + key)


class _Progress:
    def __init__(self, key: str, watch: Watch) -> None:
        self._key = key
        self._watch = watch
        self._started = time.monotonic()
        self.objects = 0

    def add(self, objects: int) -> None:
        self.objects += objects
        seconds = max(time.monotonic() - self._started, 1e-3)
        resource = self._key.partition(":")[0]
        self._watch(Step(self._key, resource, self.objects, self.objects / seconds, None))
