"""`reconciled replay`: looking again, beside a daemon or without one."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.sandbox.server import Sandbox
from daemon import cli
from daemon.cli import terminal
from daemon.cli.terminal import now
from daemon.store import intake
from daemon.store.db import open_store
from daemon.store.inbox import Received
from tests.cli.pretend import answer, configured, daemon_of, until, waiting_disputes

Said = pytest.CaptureFixture[str]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=1, customers=60) as running:
        yield running


def run(config: str, *arguments: str) -> int:
    return cli.run(["--config", config, "replay", "--account", "acme-eu", *arguments])


def test_without_a_daemon_the_command_looks_by_itself(sandbox: Sandbox, config: str, capsys: Said) -> None:
    waiting = waiting_disputes(config, capsys)
    answered = min(waiting)
    answer(sandbox, [answered])
    assert run(config, "--object", answered) == 0
    said = capsys.readouterr().out
    assert "no daemon is running, so this command has looked at it" in said
    assert "cases stand" in said
    assert waiting_disputes(config, capsys) == waiting - {answered}


def test_a_running_daemon_is_told_and_looks(sandbox: Sandbox, config: str, capsys: Said) -> None:
    waiting = waiting_disputes(config, capsys)
    with daemon_of(config):
        until(lambda: waiting_disputes(config, capsys) == waiting)
        answered = min(waiting)
        answer(sandbox, [answered])
        assert run(config, "--object", answered) == 0
        assert "the running daemon looks at it now" in capsys.readouterr().out
        until(lambda: waiting_disputes(config, capsys) == waiting - {answered})


def test_what_events_of_a_time_or_one_event_were_about_is_looked_at(
    sandbox: Sandbox, config: str, capsys: Said
) -> None:
    waiting = waiting_disputes(config, capsys)
    with (
        open_store(f"sqlite:///{Path(config).with_name('reconciled.db')}") as store,
        store.transaction() as session,
    ):
        intake.take_in(session, [told(one, hours=26) for one in waiting], now())
    answer(sandbox, waiting)
    for some in (["--since", "2h"], ["--since", "3d", "--until", "2d"]):
        assert run(config, *some) == 0
        assert "No event of that time" in capsys.readouterr().out
    assert run(config, "--event", f"evt_{min(waiting)}") == 0
    assert waiting_disputes(config, capsys) == waiting - {min(waiting)}
    assert run(config, "--since", "3d") == 0
    assert "cases stand" in capsys.readouterr().out
    assert not waiting_disputes(config, capsys)


def told(dispute: str, *, hours: int) -> Received:
    """An event about a dispute, so long ago."""
    at = now() - timedelta(hours=hours)
    return Received(
        "acme-eu", f"evt_{dispute}", "charge.dispute.updated", "dispute", dispute, at, True, "webhook"
    )


def test_where_there_is_nothing_it_says_so(config: str, capsys: Said) -> None:
    assert run(config, "--dead") == 0
    assert "Nothing has been set aside." in capsys.readouterr().out
    assert run(config, "--since", "2011-01-01", "--until", "2011-02-01") == 0
    assert "No event of that time was about anything that can be read." in capsys.readouterr().out
    assert run(config, "--event", "evt_nowhere") == terminal.PROBLEMS
    assert "Account acme-eu has no event evt_nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name one of --since, --event, --object and --dead"),
        (["--dead", "--event", "evt_1"], "Name one of --since, --event, --object and --dead"),
        (["--dead", "--until", "2h"], "--until says where --since ends"),
        (["--since", "1h", "--until", "2h"], "nothing lies between"),
        (["--since", "2999-01-01"], "nothing lies between"),
    ],
)
def test_options_that_do_not_go_together_are_one_sentence(
    tmp_path: Path, sandbox: Sandbox, capsys: Said, arguments: list[str], sentence: str
) -> None:
    path = configured(sandbox, tmp_path)
    assert run(path, *arguments) == terminal.UNUSABLE
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1
    assert not (tmp_path / "reconciled.db").exists(), "nothing was begun"


def test_neither_is_a_time_that_nobody_can_read(sandbox: Sandbox, tmp_path: Path, capsys: Said) -> None:
    path = configured(sandbox, tmp_path)
    assert run(path, "--since", "yesterday") == terminal.PROBLEMS
    assert "“yesterday” is neither a date nor a time" in capsys.readouterr().err
    assert run(path, "--since", "9999999w") == terminal.PROBLEMS
    assert "no time that there was" in capsys.readouterr().err
    assert cli.run(["--config", path, "replay", "--account", "nobody", "--dead"]) == terminal.PROBLEMS
    assert "There is no account nobody" in capsys.readouterr().err
