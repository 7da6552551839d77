"""A pretend world, the configuration that names it, and a daemon beside the commands that are tried."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from daemon import cli
from daemon.cli.terminal import now
from daemon.run import Daemon, open_daemon
from daemon.settings import Configuration

PATIENCE_S = 180.0  # a few seconds are usual, on a machine with nothing else to do


def configured(
    sandbox: Sandbox, folder: Path, *, listen: str = "127.0.0.1:0", database: str | None = None
) -> str:
    """Writes a configuration for this world; gives its path."""
    sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, folder, listen=listen))
    path = folder / "reconciled.toml"
    # The sandbox's limits are off here; politeness would only make the tests slow.
    text = path.read_text().replace("[defaults]\n", "[defaults]\nread_share = 1.0\n")
    path.write_text(text.replace("sqlite:///reconciled.db", database) if database else text)
    return str(path)


@contextmanager
def daemon_of(config: str) -> Iterator[Daemon]:
    """A daemon as `reconciled run` starts it, in this process."""
    with open_daemon(Configuration(Path(config)), now) as (daemon, _):
        yield daemon


def until(comes_true: Callable[[], Any]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.05)):
        if comes_true():
            return
        pause.wait(0.05)
    raise AssertionError("it did not come true")


def waiting_disputes(config: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The disputes that wait for an answer, by the queue."""
    capsys.readouterr()
    assert cli.run(["--config", config, "cases", "list", "--kind", "dispute_deadline", "--json"]) == 0
    items: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["items"]
    return {one for item in items for one in item["ids"] if one.startswith("dp_")}


def answer(sandbox: Sandbox, disputes: Iterable[str]) -> None:
    """In the dashboard, and no event tells."""

    def change() -> None:
        for account in sandbox.world.accounts.values():
            for each in list(account.newest_first("dispute")):
                if each["id"] in disputes:
                    account.put(each | {"status": "under_review"})

    sandbox.on_loop(change)
