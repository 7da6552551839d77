"""The first thing that a newcomer runs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from daemon import cli
from daemon.cli.late import INTERRUPTED
from tests.ports import free_port

COMMAND = Path(sys.executable).parent / "reconciled"
PATIENCE_S = 300  # a few seconds are usual, on a machine with nothing else to do


def test_the_demo_shows_what_is_planted_and_finds_it(tmp_path: Path) -> None:
    arguments = ["demo", "--once", "--accounts", "2", "--customers", "40", "--dir", str(tmp_path)]
    result = subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert "acme-eu · acct_1SandboxAcmeEu · live" in result.stdout
    assert result.stdout.count("40 customers") == 2
    planted = re.search(r"Planted to be found: (\d+) disagreements and risks", result.stdout)
    standing = re.search(r"^(\d+) cases stand\.", result.stdout, re.MULTILINE)
    assert planted
    assert standing
    assert planted[1] == standing[1]
    assert "The journal is as it was written:" in result.stdout
    assert result.stderr == ""


def test_the_demo_shows_cases_as_they_appear_and_an_agent_asks_and_people_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    port = free_port()
    arguments = ["demo", "--accounts", "1", "--customers", "12", "--dir", str(tmp_path), "--port", str(port)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    demo = subprocess.Popen([COMMAND, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    said = ""

    def until(words: str) -> None:
        nonlocal said
        assert demo.stdout is not None
        while words not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line

    try:
        until("Cases, as they appear:")
        found = re.search(r"the sandbox at (http://127\.0\.0\.1:\d+)", said)
        assert found
        url = ["--url", found[1]]
        until("open ")
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S).status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=PATIENCE_S).status_code == 200
        assert cli.run(["sandbox", "incidents", *url]) == 0
        until("The agent asks for")
        until("As dana:")
        ours = ["--config", str(tmp_path / "reconciled.toml")]
        for who, answered in (("omar", "dispute_deadline"), ("dana", "approval_request")):
            code_of = dict(zip(("dana", "omar"), re.findall(r"login (\S+)", said), strict=True))
            assert cli.run([*ours, "login", code_of[who]]) == 0
            case = re.search(rf"As {who}: .* cases approve (case_\w+)", said)
            assert case
            assert cli.run([*ours, "cases", "approve", case[1], "--yes"]) == 0
            while not re.search(rf"resolved .* {answered}", said):
                said += demo.stdout.readline() if demo.stdout else ""

        before = said.count("dispute_deadline")
        assert cli.run(["sandbox", "incident", "dispute_wave", *url]) == 0
        while said.count("dispute_deadline") == before:
            said += demo.stdout.readline() if demo.stdout else ""
        assert cli.run(["--config", str(tmp_path / "reconciled.toml"), "sweep"]) == 0, "the daemon is told to"
        assert cli.run(["sandbox", "incident", "no_such_thing", *url]) == 1
    finally:
        demo.send_signal(signal.SIGINT)
        code = demo.wait(PATIENCE_S)
        if demo.stdout:
            demo.stdout.close()
    assert code == INTERRUPTED


def test_a_sandbox_that_is_not_there_is_a_sentence() -> None:
    assert cli.run(["sandbox", "incidents", "--url", "http://127.0.0.1:9"]) == 1
