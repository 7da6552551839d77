"""Without a daemon: one full pass, or one more look at a few things; and telling a running one to do it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from daemon.engine.local import Runner
from daemon.following import Demanded, Passed, what_stands
from daemon.replay import Replay, Replayed
from daemon.settings import Configuration
from daemon.store import worklist
from daemon.store.db import open_store
from daemon.sweep.report import Swept, Watch, unwatched
from daemon.wiring.flows import Flows, connect

ROUNDS_MAX: Final = 1_000  # each round finishes what was due; more than that would never end
AGAIN_AFTER_S: Final = (0.5, 2.0)  # a restart of the other system's server; what lasts longer is an outage
PATIENCE_S: Final = 3_600.0  # a first pass over a large account takes its time


@dataclass(frozen=True, slots=True)
class Looked:
    marked: int
    standing: int
    settling: int


def full_pass(
    configuration: Configuration,
    now: Callable[[], datetime],
    accounts: Sequence[str],
    watch: Watch = unwatched,
) -> Passed:
    """Raises AlreadyRunning where a daemon has the database, and a sentence for whatever else is in the way."""
    with _working(configuration, now) as (flows, runner):
        swept = _read(flows, accounts, watch)
        with flows.works.store.transaction() as session:
            flows.works.rejudging.request(session, accounts)
        _rest(flows, runner, now)
        with flows.works.store.reading() as session:
            return Passed(swept, *what_stands(session, accounts, now()))


def again(
    configuration: Configuration,
    now: Callable[[], datetime],
    account: str,
    mark: Callable[[Replay], Replayed],
) -> Looked:
    """Looks at what is marked, and at whatever else is due. Raises AlreadyRunning where a daemon has the database."""
    with _working(configuration, now) as (flows, runner):
        marked = mark(Replay(flows.works.store, wake=_nobody, now=now)).marked
        if marked:
            _rest(flows, runner, now)
        with flows.works.store.reading() as session:
            return Looked(marked, *what_stands(session, [account], now()))


def ask_again(
    configuration: Configuration, now: Callable[[], datetime], mark: Callable[[Replay], Replayed]
) -> Replayed:
    """Marks for the running daemon, whose scan finds it within a second."""
    with open_store(configuration.settings.daemon.database.reveal()) as store:
        return mark(Replay(store, wake=_nobody, now=now))


def demand(configuration: Configuration, now: Callable[[], datetime], accounts: Sequence[str]) -> Demanded:
    """Tells the running daemon to read everything of these accounts again."""
    with open_store(configuration.settings.daemon.database.reveal()) as store:
        flows = connect(configuration.settings, store, Runner({}, _begin), now, threading.Event())
        try:
            demanded = Demanded(now(), accounts, flows.readings())
            for account in accounts:
                flows.stripe.demand(account)
            for key in flows.sources():
                flows.records.demand(key)
            return demanded
        finally:
            flows.close()


@contextmanager
def _working(configuration: Configuration, now: Callable[[], datetime]) -> Iterator[tuple[Flows, Runner]]:
    """Everything that a daemon has, and only looks are left to the runner."""
    database = configuration.settings.daemon.database.reveal()
    with open_store(database, upgrade=True) as store, store.exclusive():
        runner = Runner({}, _begin)
        flows = connect(configuration.settings, store, runner, now, threading.Event())
        try:
            kinds = {name: kind for name, kind in flows.kinds().items() if name in {"look", "deadline_scan"}}
            for name, kind in kinds.items():
                runner.serve(name, kind)
            yield flows, runner
        finally:
            runner.stop(PATIENCE_S)
            flows.close()


def _read(flows: Flows, accounts: Sequence[str], watch: Watch) -> Sequence[Swept]:
    sources = flows.sources()
    for account in accounts:
        flows.stripe.demand(account)
    with ThreadPoolExecutor(len(accounts) + len(sources)) as pool:
        stripe = [pool.submit(flows.stripe.sweep, account, watch=watch, at_once=True) for account in accounts]
        others = [pool.submit(_read_source, flows, key, watch) for key in sources]
        return [each.result() for each in (*stripe, *others)]


def _read_source(flows: Flows, key: str, watch: Watch) -> Swept:
    """A daemon would come back to a source that did not answer; here nobody does but we, and soon."""
    swept = flows.records.sweep(key, watch=watch, at_once=True)
    for wait_s in AGAIN_AFTER_S:
        if not swept.unread:
            break
        time.sleep(wait_s)
        swept = flows.records.sweep(key, watch=watch, at_once=True)
    return swept


def _rest(flows: Flows, runner: Runner, now: Callable[[], datetime]) -> None:
    """Looks until nothing is due any more; what settles later is left for later."""
    configured = {each.slug for each in flows.accounts}
    for _ in range(ROUNDS_MAX):
        with flows.works.store.reading() as session:
            turns = [*worklist.whose_turn(session, now()), *flows.works.rejudging.under_way(session)]
        due = [account for account in turns if account in configured]
        if not due:
            return
        for account in dict.fromkeys(due):
            runner.wake("look", account)
        runner.rest(PATIENCE_S)


def _nobody(_: str) -> None:
    """Nobody is woken by us: who looks finds what is marked."""


def _begin(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()
