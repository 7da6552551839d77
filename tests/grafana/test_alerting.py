"""What arrives where people are told, when the daemon dies in the middle of trouble and comes back: all of it real.

Prometheus evaluates the rules, and Alertmanager routes and inhibits as the example says, with every duration sixty
times shorter: five minutes are five seconds.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from accounts.sandbox import seeding
from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from grafana.generate.__main__ import HERE
from grafana.generate.rules import rules
from tests.grafana.programs import Sink, alertmanager, prometheus, stays, until
from tests.grafana.questions import quicker
from tests.grafana.scene import QUICK
from tests.ports import free_port

COMMAND: Final = Path(sys.executable).parent / "reconciled"
PATIENCE_S: Final = 180.0  # each comes within ten seconds on a machine with nothing else to do
SILENCE_S: Final = 12.0  # twelve minutes, as the rules have it; long enough for a `resolved` to be sent
NEAR: Final = "ReconciledDisputeDeadlineAtRisk"
STALE: Final = "ReconciledAccountStale"
DOWN: Final = "ReconciledDown"


def rendered() -> Any:
    """Of two accounts one is half the fleet: the alert about the fleet would rightly silence the awaited one."""
    tree = quicker(rules())
    for group in tree["groups"]:
        group["rules"] = [each for each in group["rules"] if each.get("alert") != "ReconciledFleetStale"]
    return tree


class Process:
    """The daemon as an operator starts it, and as a machine may end it."""

    def __init__(self, folder: Path, port: int) -> None:
        self._arguments = [str(COMMAND), "--config", str(folder / "reconciled.toml"), "run"]
        self._log = (folder / "daemon.log").open("w")
        self._alive = f"http://127.0.0.1:{port}/readyz"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._arguments, stdout=self._log, stderr=subprocess.STDOUT)
        until(self._ready, PATIENCE_S, "the daemon is ready")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def close(self) -> None:
        self.kill()
        self._log.close()

    def _ready(self) -> bool:
        try:
            return httpx.get(self._alive, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@contextmanager
def watched(folder: Path) -> Iterator[tuple[Sandbox, Process, Any, Sink]]:
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox.start(accounts=2, customers=12))
        port = free_port()
        sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, folder, listen=f"127.0.0.1:{port}"))
        file = folder / "reconciled.toml"
        # Read whole every five seconds, so that one that is not is soon stale.
        file.write_text(file.read_text().replace("[defaults]\n", f'{QUICK}sweep = "5s"\n'))
        sandbox.on_loop(lambda: seeding.listen(sandbox.world, f"http://127.0.0.1:{port}"))
        sink = stack.enter_context(Sink.listening())
        told = yaml.safe_load((HERE / "alertmanager.yml").read_text("utf-8"))
        for receiver in told["receivers"]:
            for webhook in receiver["webhook_configs"]:
                webhook["url"] = f"{sink.url}/{receiver['name']}"
        address = stack.enter_context(alertmanager(folder / "alertmanager", quicker(told)))
        daemon = Process(folder, port)
        stack.callback(daemon.close)
        daemon.start()
        asked = stack.enter_context(
            prometheus(folder / "prometheus", f"127.0.0.1:{port}", rendered(), address)
        )
        yield sandbox, daemon, asked, sink


def resolved(sink: Sink) -> bool:
    return bool(sink.heard(NEAR, "resolved") or sink.heard(STALE, "resolved"))


def test_the_death_of_the_daemon_is_told_and_resolves_nothing_that_it_had_said(tmp_path: Path) -> None:
    with watched(tmp_path) as (sandbox, daemon, asked, sink):
        sandbox.incident("dispute_wave", "acme-eu")
        sandbox.incident("outage", "acme-us")
        until(lambda: sink.heard(NEAR, "firing"), PATIENCE_S, "a deadline is told")
        until(lambda: sink.heard(STALE, "firing"), PATIENCE_S, "an account is stale")
        assert ("dead-mans-switch", "Watchdog", "firing") in sink.told

        daemon.kill()
        until(lambda: ("pager", DOWN, "firing") in sink.told, PATIENCE_S, "the death is told")
        stays(lambda: not resolved(sink), SILENCE_S, "nothing of what was said is taken back")
        until(lambda: {NEAR, STALE, DOWN} <= asked.firing(), PATIENCE_S, "what was said last still holds")
        assert not resolved(sink)

        daemon.start()
        until(lambda: ("pager", DOWN, "resolved") in sink.told, PATIENCE_S, "its return is told")
