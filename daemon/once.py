"""One full pass without a daemon: read everything, look at what that marked, judge all of it, and say what stands."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from daemon import views
from daemon.engine.local import Runner
from daemon.settings import Configuration
from daemon.store import worklist
from daemon.store.db import open_store
from daemon.store.queue import Wanted
from daemon.sweep.report import Swept, Watch, unwatched
from daemon.wiring.flows import Flows, connect

ROUNDS_MAX: Final = 1_000  # each round finishes what was due; more than that would never end
PATIENCE_S: Final = 3_600.0  # a first pass over a large account takes its time


@dataclass(frozen=True, slots=True)
class Passed:
    swept: Sequence[Swept]
    standing: int
    settling: int  # subjects that are looked at again later, because a disagreement may settle by itself


def full_pass(
    configuration: Configuration,
    now: Callable[[], datetime],
    accounts: Sequence[str],
    watch: Watch = unwatched,
) -> Passed:
    """Raises AlreadyRunning where a daemon has the database, and a sentence for whatever else is in the way."""
    database = configuration.settings.daemon.database.reveal()
    with open_store(database, upgrade=True) as store, store.exclusive():
        runner = Runner({}, _begin)
        flows = connect(configuration.settings, store, runner, now, threading.Event())
        try:
            # Only looks are left to the runner; what is read is read here.
            kinds = {name: kind for name, kind in flows.kinds().items() if name in {"look", "deadline_scan"}}
            for name, kind in kinds.items():
                runner.serve(name, kind)
            swept = _read(flows, accounts, watch)
            with store.transaction() as session:
                flows.works.rejudging.request(session, accounts)
            _rest(flows, runner, now)
            with store.reading() as session:
                standing = views.cases(session, Wanted(accounts=accounts), limit=1)["total"]
                settling = worklist.waiting(session, accounts, after=now())
            assert isinstance(standing, int)
            return Passed(swept, standing, settling)
        finally:
            runner.stop(PATIENCE_S)
            flows.close()


def demand(configuration: Configuration, now: Callable[[], datetime], accounts: Sequence[str]) -> None:
    """Tells the running daemon to read everything of these accounts again."""
    with open_store(configuration.settings.daemon.database.reveal()) as store:
        flows = connect(configuration.settings, store, Runner({}, _begin), now, threading.Event())
        try:
            for account in accounts:
                flows.stripe.demand(account)
        finally:
            flows.close()


def _read(flows: Flows, accounts: Sequence[str], watch: Watch) -> Sequence[Swept]:
    sources = flows.sources()
    for account in accounts:
        flows.stripe.demand(account)
    with ThreadPoolExecutor(len(accounts) + len(sources)) as pool:
        stripe = [pool.submit(flows.stripe.sweep, account, watch=watch, at_once=True) for account in accounts]
        others = [pool.submit(flows.records.sweep, key, watch=watch, at_once=True) for key in sources]
        return [each.result() for each in (*stripe, *others)]


def _rest(flows: Flows, runner: Runner, now: Callable[[], datetime]) -> None:
    """Looks until nothing is due any more; what settles later is left for later."""
    for _ in range(ROUNDS_MAX):
        with flows.works.store.reading() as session:
            due = [*worklist.whose_turn(session, now()), *flows.works.rejudging.under_way(session)]
        if not due:
            return
        for account in dict.fromkeys(due):
            runner.wake("look", account)
        runner.rest(PATIENCE_S)


def _begin(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()
