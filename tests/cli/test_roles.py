"""`run --role receive` and `run --role work`: two processes on one PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.sandbox import seeding
from accounts.sandbox.server import Sandbox
from tests.cli.pretend import configured, until, waiting_disputes
from tests.databases import Server
from tests.ports import free_port

COMMAND = Path(sys.executable).parent / "reconciled"
STOP_S = 180  # a few seconds are usual, on a machine with nothing else to do


@contextmanager
def running(config: str, role: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(COMMAND), "--config", config, "run", "--role", role]
    log = Path(config).with_name("log")  # not a pipe: one that nobody empties stops whoever writes to it
    with log.open("w") as written:
        process = subprocess.Popen(command, stdout=written, stderr=written, env=os.environ)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_S)
    assert process.returncode == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def answers(port: int, path: str) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=STOP_S).status_code
    except httpx.TransportError:
        return 0


def is_ready(port: int) -> bool:
    return answers(port, "/readyz") == 200


def test_a_webhook_at_the_receiver_is_a_case_by_the_worker_and_a_second_worker_is_refused(
    server: Server, postgres_template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        database = stack.enter_context(server.database(postgres_template))
        sandbox = stack.enter_context(Sandbox.start(accounts=1, customers=45))
        ports = {role: free_port() for role in ("receive", "work", "second")}
        configs = {
            role: configured(sandbox, tmp_path / role, listen=f"127.0.0.1:{port}", database=database)
            for role, port in ports.items()
        }
        for role in ("receive", "work"):
            stack.enter_context(running(configs[role], role))
        for role in ("receive", "work"):
            until(partial(is_ready, ports[role]))
            assert answers(ports[role], "/healthz") == 200
        until(lambda: waiting_disputes(configs["work"], capsys))

        sandbox.on_loop(lambda: seeding.listen(sandbox.world, f"http://127.0.0.1:{ports['receive']}"))
        before = waiting_disputes(configs["work"], capsys)
        sandbox.incident("dispute_wave", "acme-eu")
        until(lambda: waiting_disputes(configs["work"], capsys) > before)
        assert counted(ports["receive"], 'events_received_total{event_class="dispute",source="webhook"}')
        assert not counted(ports["work"], 'events_received_total{event_class="dispute",source="webhook"}')
        assert not counted(ports["receive"], 'cases_opened_total{kind="dispute_deadline"}')
        assert counted(ports["work"], 'cases_opened_total{kind="dispute_deadline"}')
        path = f"http://127.0.0.1:{ports['work']}/webhooks/stripe/acme-eu"
        assert httpx.post(path, content=b"{}", timeout=STOP_S).status_code == 404, "the worker takes none in"

        refused = subprocess.run(
            [COMMAND, "--config", configs["second"], "run", "--role", "work"],
            capture_output=True, text=True, timeout=STOP_S, check=False,
        )  # fmt: skip
        assert refused.returncode == 1
        assert "is already worked on by another process" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert answers(ports["work"], "/readyz") == 200


def counted(port: int, series: str) -> float:
    text: Any = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=STOP_S).text
    (line,) = (line for line in text.splitlines() if line.startswith(f"reconciled_{series} "))
    return float(line.rpartition(" ")[2])
