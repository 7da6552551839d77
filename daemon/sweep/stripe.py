"""Sweeps one account's Stripe: begins what is due, reads it in slices by several threads, and says what came of it.

Every page is kept in one transaction with how far its slice has come. A page is stored under the number that was
current before it was asked for, so it never overwrites what an event has brought since. Who is concerned by what it
changed is marked for judging, not for reading. What was not read is never taken for absent.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlmodel import Session

from accounts.budget import ReadBudget
from accounts.errors import ObservationError
from accounts.stripe.reads import Reader
from daemon.observe.landscape import NO_PERMISSION, OF_STRIPE, Cartographer, Land
from daemon.store import cursors, demands, hearing, passes, snapshots
from daemon.store.db import Store
from daemon.store.meter import Meter
from daemon.sweep import units
from daemon.sweep.classes import CLASSES, Class
from daemon.sweep.keeper import Keeper
from daemon.sweep.report import Swept, Watch, unwatched
from daemon.sweep.run import SLICES, Run
from daemon.sweep.slices import Slice
from daemon.sweep.units import HISTORY, Unit, reading

log = structlog.get_logger(__name__)

TRANSACTIONS_OF: Final = timedelta(days=30)  # what Stripe's read allocation is reckoned by


class Accounts(Protocol):
    """What a sweep asks about an account, each time anew: a reload may have changed it."""

    def names(self) -> Sequence[str]: ...

    def reader(self, account: str) -> Reader: ...

    def doubt(self, account: str, problem: ObservationError) -> None:
        """The key was good and is no more."""
        ...

    def budget(self, account: str) -> ReadBudget: ...

    def sweep_every(self, account: str) -> timedelta: ...

    def sharing_budget(self, account: str) -> Sequence[str]:
        """The accounts whose transactions count for the same read allocation; mostly the account alone."""
        ...


class StripeSweep:
    def __init__(
        self,
        store: Store,
        cartographer: Cartographer,
        accounts: Accounts,
        *,
        listen: Callable[[str], None],
        after_pass: Callable[[Session, str], Sequence[str]],
        wake: Callable[[str], None],
        now: Callable[[], datetime],
        stop: threading.Event,
        classes: Sequence[Class] = CLASSES,
        slices: int = SLICES,
    ) -> None:
        """`listen` begins to follow the account's events, if nobody has yet; `after_pass`, called in a transaction,
        has everything judged again and gives the accounts in which that is; `wake` says that one has work."""
        self._store = store
        self._cartographer = cartographer
        self._accounts = accounts
        self._listen = listen
        self._after_pass = after_pass
        self._wake = wake
        self._now = now
        self._stop = stop
        self._slices = slices
        self._classes = {each.resource.name: each for each in classes}
        self._left: frozenset[str] = frozenset()

    def sweep(self, account: str, *, watch: Watch = unwatched, at_once: bool = False) -> Swept:
        """Reads what is due, and what an earlier run left; `at_once`: what failed, too, without waiting."""
        with self._store.holding(f"sweep {account}") as ours:
            return self._sweep(account, watch, at_once) if ours else Swept(account, elsewhere=True)

    def leave(self, accounts: Collection[str]) -> None:
        """These have left the configuration: a sweep of one of them ends with the pages that are under way."""
        self._left |= frozenset(accounts)

    def due(self, session: Session, now: datetime) -> list[str]:
        """The accounts of which something is to be read, or was and is not concluded."""
        landscape = self._cartographer.landscape(session)
        return [
            account for account in self._accounts.names()
            if account in landscape.lands and self._is_due(session, landscape.lands[account], account, now)
        ]  # fmt: skip

    def _is_due(self, session: Session, land: Land, account: str, now: datetime) -> bool:
        going = units.under_way(session, account)
        if any(unit.retry_at <= now.timestamp() for unit in going):
            return True
        if cursors.position(session, account, units.OWED) is not None:
            return True
        demand = demands.standing(session, account)
        every = self._accounts.sweep_every(account) * self._accounts.budget(account).stretch()
        going_on = {unit.name for unit in going}
        began = [
            land.passed_at.get(source)
            for source in OF_STRIPE
            if source.value in self._classes and source.value not in going_on
        ]
        return any(at is None or now - at >= every or (demand is not None and at < demand.at) for at in began)

    def demand(self, account: str, *, whole: bool = False) -> None:
        """Makes everything due, also what waits because it could not be read; `whole`: what is old as well."""
        with self._store.transaction() as session:
            demands.make(session, account, self._now(), whole=whole)
            units.hurry(session, account, self._now())

    def _sweep(self, account: str, watch: Watch, at_once: bool) -> Swept:
        keeper = Keeper(
            self._store,
            self._cartographer,
            account,
            wake=self._wake,
            doubt=lambda problem: self._accounts.doubt(account, problem),
            now=self._now,
        )
        work = self._work(account, at_once)
        swept = Swept(account)
        if work:
            try:
                reader = self._accounts.reader(account)
            except ObservationError as problem:
                for unit in work:
                    keeper.fail(unit, problem)
                swept = Swept(account, unread={unit.name: str(problem) for unit in work})
            else:
                # Before the first page is read: what changes between it and the first poll would be missed.
                self._listen(account)
                run = Run(
                    keeper, reader, watch, lambda: self._is_over(account), self._stop, slices=self._slices
                )
                swept = run.read(work, self._classes)
        if account in self._left:
            log.info("sweep_ended", account=account, because="The account has left the configuration.")
            return swept
        self._conclude(account)
        return swept

    def _is_over(self, account: str) -> bool:
        return self._stop.is_set() or account in self._left

    def _work(self, account: str, at_once: bool) -> Mapping[Unit, Sequence[Slice]]:
        now, stretch = self._now(), self._accounts.budget(account).stretch()
        every = self._accounts.sweep_every(account) * stretch
        with self._store.transaction() as session:
            classes = tuple(self._classes.values())
            units.begin_due(session, account, now, every, leisurely=stretch == 1, classes=classes)
            return {
                unit: units.slices(session, account, unit)
                for unit in units.under_way(session, account)
                if unit.resource_name in self._classes and (at_once or unit.retry_at <= now.timestamp())
            }

    def _conclude(self, account: str) -> None:
        """Has everything judged again if a class was read to its end, in this run or in one that died."""
        now = self._now()
        with self._store.transaction() as session:
            self._meet_demands(session, account)
            if cursors.position(session, account, units.OWED) is None:
                return
            concerned = self._after_pass(session, account)
            cursors.forget(session, account, units.OWED)
            sharing = self._accounts.sharing_budget(account)
            transactions = snapshots.count(session, sharing, "charge", now - TRANSACTIONS_OF)
        self._learn(account, transactions)
        for each in concerned:
            self._wake(each)

    def _learn(self, account: str, transactions: int) -> None:
        budget = self._accounts.budget(account)
        Meter(self._store).learn_transactions(budget.owner, transactions, self._now())

    def _meet_demands(self, session: Session, account: str) -> None:
        """Forgets a demand, and closes a gap in the events, once all that can be read was read since."""
        demand, gap = demands.standing(session, account), hearing.gap(session, account)
        if demand is None and gap is None:
            return
        known, outages = passes.complete(session), passes.outages(session)
        names = [name + HISTORY * old for name, each in self._classes.items() for old in {False, each.aging}]
        began = []
        for name in names:
            outage = outages.get(reading(account, name.removesuffix(HISTORY)))
            if outage is not None and outage.reason == NO_PERMISSION:
                continue
            last = known.get(reading(account, name))
            began.append((name, None if last is None else last.last_began_at))
        if demand is not None:
            asked = [at for name, at in began if demand.whole or not name.endswith(HISTORY)]
            if all(at is not None and at >= demand.at for at in asked):
                demands.forget(session, account)
        if gap is not None and all(at is not None and at >= gap.until for _, at in began):
            hearing.close_gap(session, account)
