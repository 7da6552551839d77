"""Puts the flows together: what is polled, swept and looked at, and the wakes that make each of them run."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from daemon.act import ACT, Executor
from daemon.canary import CANARY, LANE
from daemon.core.model import Source
from daemon.desk.desk import Desk
from daemon.engine import Engine
from daemon.engine.local import Handler, Kind
from daemon.figures import Watched, note_added, snapshot
from daemon.loop import LOOK
from daemon.observe.landscape import reading_of
from daemon.poll.events import Poll
from daemon.scan import DEADLINE_SCAN, EVERYTHING, Due, Scan, looks, walks
from daemon.settings import Settings
from daemon.store import attempts, passes, proposals
from daemon.store.db import Store
from daemon.store.passes import Reading
from daemon.sweep.pushed import Pushed
from daemon.sweep.records import RecordsSweep
from daemon.sweep.stripe import StripeSweep
from daemon.wiring.deciding import desk_of
from daemon.wiring.executing import executor_of
from daemon.wiring.outward import Outward, outward
from daemon.wiring.paces import Paces
from daemon.wiring.watched import watched
from daemon.wiring.works import Works, assemble
from metrics.state import Snapshot

log = structlog.get_logger(__name__)

POLL: Final = "poll"
SWEEP: Final = "sweep"
RECORDS: Final = "records"
PUSHED: Final = "pushed"
POLICIES: Final = "policies"
FIGURES: Final = "figures"

SWEEPS_AT_ONCE: Final = 16  # each has eight threads that wait for Stripe; the rest of the runner is for looks


@dataclass(frozen=True, slots=True)
class Flows:
    """Everything that a daemon does with one configuration."""

    works: Works
    desk: Desk
    executor: Executor
    poll: Poll
    stripe: StripeSweep
    records: RecordsSweep
    pushed: Pushed
    outward: Outward
    scan: Scan
    accounts: Sequence[Watched]
    now: Callable[[], datetime]

    def kinds(self) -> Mapping[str, Kind]:
        return {
            LOOK: Kind(self._of_ours(self.works.lane.run)),
            POLL: Kind(self._of_ours(lambda account: _nothing(self.poll.poll(account)))),
            SWEEP: Kind(self._of_ours(lambda account: _nothing(self.stripe.sweep(account))), SWEEPS_AT_ONCE),
            RECORDS: Kind(lambda key: _nothing(self.records.sweep(key)), SWEEPS_AT_ONCE),
            PUSHED: Kind(self.pushed.read, SWEEPS_AT_ONCE),
            POLICIES: Kind(self._take_policies),
            ACT: Kind(self.executor.act),
            CANARY: Kind(self.works.canary.fly),
            DEADLINE_SCAN: Kind(self.scan.run),
            **self.outward.kinds(),
        }

    def _of_ours(self, run: Handler) -> Handler:
        """Ends the run of an account that is not configured: it was woken before a reload took the account away."""
        ours = {LANE, *(each.slug for each in self.accounts)}

        def only(account: str) -> None:
            if account in ours:
                run(account)
            else:
                log.info("account_left", account=account)

        return only

    def sources(self) -> tuple[str, ...]:
        """The keys of every CRM and product that an account names."""
        facts = self.works.cartographer.accounts
        crms = [passes.crm(each.crm.source) for each in facts if each.crm]
        products = [passes.entitlements(each.entitlements.source) for each in facts if each.entitlements]
        return tuple(dict.fromkeys(crms + products))

    def readings(self) -> tuple[Reading, ...]:
        """Every CRM and product, as each account that names it has it."""
        facts = self.works.cartographer.accounts
        found = [reading_of(each, source) for each in facts for source in (Source.CRM, Source.ENTITLEMENTS)]
        return tuple(each for each in found if each is not None)

    def figures(self) -> Snapshot:
        """What the state metrics show."""
        return snapshot(self.works.store, self.accounts, self.now())

    def judge_everything_again(self) -> None:
        """After a change of policy, configuration or rules, which only a start or a reload can bring."""
        accounts = [each.slug for each in self.works.cartographer.accounts]
        with self.works.store.transaction() as session:
            note_added(session, self.accounts, self.now())
            self.works.rejudging.request(session, accounts)

    def close(self) -> None:
        self.works.systems.close()

    def _take_policies(self, _: str) -> None:
        """A version that was put in force since: whoever it applies to is judged again by it."""
        with self.works.store.transaction() as session:
            self.works.rejudging.request(session, self.works.policies.refresh(session))


def connect(
    settings: Settings, store: Store, engine: Engine, now: Callable[[], datetime], stop: threading.Event
) -> Flows:
    """Raises what `assemble` raises."""
    works = assemble(settings, store, engine, now)
    desk = desk_of(settings, works, engine, now)
    executor = executor_of(settings, works, desk, engine, now)
    paces = Paces(settings, works.systems)

    def look(account: str) -> None:
        engine.wake(LOOK, account)

    poll = Poll(store, paces, wake=look, now=now, stop=stop)
    after_pass = works.rejudging.after_pass
    stripe = StripeSweep(
        store,
        works.cartographer,
        paces,
        listen=poll.listen,
        after_pass=after_pass,
        wake=look,
        now=now,
        stop=stop,
    )
    records = RecordsSweep(
        store, works.cartographer, works.systems, paces, after_pass=after_pass, wake=look, now=now
    )
    pushed = Pushed(store, works.cartographer, works.systems, demand=records.demand, wake=look, now=now)
    out = outward(settings, store, now, stop)
    due: tuple[Due, ...] = (
        looks({LANE, *(account.id for account in settings.accounts)}),
        walks(works.rejudging),
        lambda session, at: [(POLL, account) for account in poll.due(session, at)],
        lambda session, at: [(SWEEP, account) for account in stripe.due(session, at)],
        lambda session, at: [(RECORDS, key) for key in records.due(session, at)],
        lambda session, at: [(PUSHED, key) for key in pushed.due(session)],
        lambda session, at: [(ACT, account) for account in attempts.due(session, at)],
        lambda session, at: [(ACT, row.account) for row in proposals.due_to_expire(session, at)],
        lambda session, at: [(POLICIES, EVERYTHING)] if works.policies.outdated(session) else [],
        *out.due(),
    )
    scan = Scan(store, engine, due, now)
    return Flows(works, desk, executor, poll, stripe, records, pushed, out, scan, watched(settings), now)


def _nothing(_: object) -> None:
    """A wake has no result: what came of it stands in the tables."""
