"""The daemon: hears webhooks, polls, sweeps and looks, until it is told to stop; reloads without a restart.

`open_daemon` builds it whole or not at all; what can be wrong with a configuration is known before the first thread
begins. It ends in order: first nothing new is taken in, then what was begun is finished, then the store is closed.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib import metadata
from typing import Final, Literal

import structlog

from accounts.configuration import SecretUnreadable
from daemon import canary
from daemon.canary import CANARY
from daemon.core.policy import UnusablePolicy
from daemon.engine.clock import Clock, Tick
from daemon.engine.local import Kind, Runner
from daemon.engine.supervisor import Supervisor
from daemon.loop import LOOK
from daemon.receive.route import Receiver
from daemon.scan import DEADLINE_SCAN, EVERY_S, EVERYTHING
from daemon.serve import Server, Site, keep_for_good
from daemon.settings import Configuration
from daemon.store import attempts, journal, worklist
from daemon.store.db import Store, open_store
from daemon.store.errors import StoreError
from daemon.wiring.faces import Serving
from daemon.wiring.flows import FIGURES, Flows, connect
from metrics import collector
from metrics.catalog import (
    REGISTRY,
    build_info,
    config_taken,
    config_taken_at,
    expect,
    forget,
    scheduler_heartbeat,
)
from metrics.collector import StateCollector

Role = Literal["all", "receive", "work"]

DRAIN_S: Final = (
    20.0  # for looks and pages under way; systemd and Kubernetes wait longer than that by default
)

log = structlog.get_logger(__name__)


class Daemon:
    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        supervisor: Supervisor,
        role: Role,
        now: Callable[[], datetime],
    ) -> None:
        self._configuration = configuration
        self.store = store
        self._supervisor = supervisor
        self._now = now
        self._role = role
        self.runner = Runner({}, supervisor.start)
        self._past: list[Flows] = []  # of configurations before a reload; their last runs may not be over
        self._gone: set[str] = set()  # accounts that a reload has taken away
        self.flows = self._connect()
        self._serving = Serving(self.runner, now)
        self._serving.take(configuration.settings, self.flows)
        self._figures = StateCollector(lambda: self.flows.figures(), now)
        self.runner.serve(FIGURES, Kind(self._picture))
        ticks = (
            Tick(DEADLINE_SCAN, EVERYTHING, EVERY_S),
            Tick(CANARY, EVERYTHING, canary.EVERY_S),
            Tick(FIGURES, EVERYTHING, collector.EVERY_S),
        )
        self._clock = Clock(ticks, self.runner)
        self.receiver = Receiver(store, configuration.registry, now, self._wake)
        hears = role != "work"
        daemon = configuration.settings.daemon
        site = Site(
            webhooks=self.receiver if hears else None,
            alive=self._broken,
            checks={"database": self._database, "threads": self._broken, "works": self._standing_still},
            metrics=not daemon.metrics,
            rest=self._serving.faces if role != "receive" else None,
        )
        self.server = Server(daemon.listen, site)
        self._servers = [self.server]
        if daemon.metrics:
            own = Site(alive=self._broken, metrics=True)
            self._servers.append(Server(daemon.metrics, own, daemon.metrics_tls))
        build_info.info({"version": metadata.version("reconciled"), "python": sys.version.split()[0]})

    def start(self) -> None:
        if self._role != "work":
            self.receiver.start(self._supervisor.start)
        if self._role != "receive":
            self.flows.executor.begin()
            self._inherit()
            self.flows.judge_everything_again()
            self.flows.works.canary.hatch()
            scheduler_heartbeat.set(self._now().timestamp())
            self._figures.take()  # so that the first scrape, however early, finds everything
            REGISTRY.register(self._figures)
            self._supervisor.start("clock", self._clock.run)
        self._taken()
        keep_for_good()
        for number, server in enumerate(self._servers):
            self._supervisor.start(f"serve-{number}", server.run)
        log.info("started", role=self._role, accounts=len(self._configuration.settings.accounts))

    def _inherit(self) -> None:
        """Nobody else works on this database, so whatever is still taken was left by processes that died."""
        with self.store.transaction() as session:
            worklist.inherit(session, self._now())
            attempts.inherit(session, self._now())

    def reload(self) -> None:
        """Takes the configuration and the keys anew; a file that cannot be used changes nothing."""
        config_taken.set(0)
        problems = self._configuration.reload()
        for problem in problems:
            log.warning("configuration_refused", problem=str(problem))
        if problems:
            return
        try:
            flows = self._connect()
        except (SecretUnreadable, UnusablePolicy, OSError, StoreError) as problem:
            log.warning("configuration_refused", problem=str(problem))
            return
        self._past.append(self.flows)
        for past in self._past:
            past.stripe.leave({each.slug for each in past.accounts} - {each.slug for each in flows.accounts})
        self._gone |= {each.slug for each in self.flows.accounts}
        self._gone -= {each.slug for each in flows.accounts}
        self.flows = flows
        self._taken()
        forget(self._gone)
        self._serving.take(self._configuration.settings, flows)
        self.receiver.reload(self._configuration.registry)
        flows.judge_everything_again()
        self.runner.wake(FIGURES, EVERYTHING)
        log.info("reloaded", accounts=len(self._configuration.settings.accounts))

    def _taken(self) -> None:
        if self._role != "receive":
            expect([each.slug for each in self.flows.accounts])
        config_taken.set(1)
        config_taken_at.set(self._now().timestamp())

    def stop(self) -> None:
        self._serving.close()
        for server in self._servers:
            server.stop()
        self._clock.stop()
        if not self.runner.stop(DRAIN_S):
            log.warning(
                "not_drained", because=f"runs took longer than {DRAIN_S} s; what they were at is due again"
            )
        if self._role != "receive":
            REGISTRY.unregister(self._figures)
        if self._role != "work":
            self.receiver.stop()
        for name in self._supervisor.join(DRAIN_S):
            log.warning("thread_left_behind", thread=name)
        for flows in (*self._past, self.flows):
            flows.close()

    def _picture(self, _: str) -> None:
        forget(self._gone)  # what was under way for them at the reload may have counted since
        self._figures.take()

    def _connect(self) -> Flows:
        settings = self._configuration.settings
        flows = connect(settings, self.store, self.runner, self._now, self._supervisor.stop)
        for name, kind in flows.kinds().items():
            self.runner.serve(name, kind)
        return flows

    def _wake(self, account: str) -> None:
        # Where only webhooks are taken in, another process does the looking; its scan finds what was marked.
        if self._role != "receive":
            self.runner.wake(LOOK, account)

    def _broken(self) -> str | None:
        died = self._supervisor.died
        return f"The thread {died} has died." if died else None

    def _standing_still(self) -> str | None:
        return self.flows.works.canary.missing() if self._role != "receive" else None

    def _database(self) -> str | None:
        try:
            with self.store.reading() as session:
                journal.head(session)
        except StoreError as problem:
            return str(problem)
        return self.store.moved()


@contextmanager
def open_daemon(
    configuration: Configuration, now: Callable[[], datetime], role: Role = "all"
) -> Iterator[tuple[Daemon, Supervisor]]:
    """A daemon that has started, and the supervisor to wait with. Raises a sentence of whichever part cannot begin."""
    with ExitStack() as stack:
        store = stack.enter_context(open_store(configuration.settings.daemon.database.reveal(), upgrade=True))
        if role != "receive":
            stack.enter_context(store.exclusive())
        supervisor = Supervisor()
        stack.callback(supervisor.close)
        daemon = Daemon(configuration, store, supervisor, role, now)
        daemon.start()
        try:
            yield daemon, supervisor
        finally:
            supervisor.stop.set()
            daemon.stop()


def run(configuration: Configuration, now: Callable[[], datetime], role: Role = "all") -> int:
    """Runs until a signal; gives the exit code."""
    with open_daemon(configuration, now, role) as (daemon, supervisor):
        return supervisor.wait(daemon.reload)
