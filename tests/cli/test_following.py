"""`reconciled sweep` beside a running daemon: it tells the daemon, and follows what that reads."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from accounts.facts import Subject
from accounts.sandbox.server import Sandbox
from daemon import cli, following, rejudge
from daemon.cli import terminal
from daemon.cli.late import INTERRUPTED
from daemon.cli.progress import Shown
from daemon.cli.terminal import now
from daemon.following import Demanded
from daemon.store import cursors, demands, passes, worklist
from daemon.store.db import Store, open_store
from daemon.store.marks import next_mark
from daemon.store.worklist import Taken
from daemon.sweep import units
from daemon.sweep.classes import CLASSES
from daemon.sweep.report import Step
from tests.cli.pretend import answer, daemon_of, until, waiting_disputes

LEASE = timedelta(minutes=1)
Said = pytest.CaptureFixture[str]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=2, customers=45) as running:
        yield running


@pytest.fixture
def store(config: str) -> Iterator[Store]:
    with open_store(f"sqlite:///{Path(config).with_name('reconciled.db')}") as opened:
        yield opened


def sweep(config: str, *options: str) -> int:
    return cli.run(["--config", config, "sweep", *options])


def demanded(store: Store) -> bool:
    with store.reading() as session:
        return demands.standing(session, "acme-eu") is not None


def test_it_ends_as_a_sweep_alone_does_when_the_daemon_has_read_and_judged_everything(
    sandbox: Sandbox, config: str, capsys: Said
) -> None:
    capsys.readouterr()
    assert sweep(config) == 0
    alone = capsys.readouterr().out
    with daemon_of(config):
        assert sweep(config) == 0
        followed = capsys.readouterr()
        assert followed.out == alone
        assert "A daemon is running" in followed.err
        waiting = waiting_disputes(config, capsys)
        assert waiting
        answer(sandbox, waiting)
        assert sweep(config) == 0
        assert not waiting_disputes(config, capsys), "what it was told to read is judged when it ends"


def test_one_account_is_followed_alone(config: str, capsys: Said) -> None:
    with daemon_of(config):
        capsys.readouterr()
        assert sweep(config, "--account", "acme-us") == 0
        said = capsys.readouterr().out
    assert re.search("^acme-us: .*45 customers", said, re.MULTILINE)
    assert not re.search("^acme-eu: ", said, re.MULTILINE)


def test_what_the_daemon_could_not_read_is_told(sandbox: Sandbox, config: str, capsys: Said) -> None:
    with daemon_of(config):
        sandbox.incident("crm_down")
        sandbox.incident("permission_missing", "acme-eu")
        assert sweep(config) == terminal.PROBLEMS
        said = capsys.readouterr()
        assert "acme-eu: disputes could not be read: Account acme-eu" in said.err
        assert "crm:pretend: acme-eu could not be read" in said.err
        assert re.search("^acme-us: .*45 customers", said.out, re.MULTILINE)
        sandbox.end_incident("crm_down")
        sweep(config)
        assert "crm:pretend: 89 acme-eu" in capsys.readouterr().out, (
            "it was tried at once, not when its turn came"
        )


def test_ctrl_c_ends_the_command_and_not_the_daemon(
    sandbox: Sandbox, config: str, store: Store, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with daemon_of(config) as daemon:
        with monkeypatch.context() as patch:
            patch.setattr(time, "sleep", interrupted)
            assert sweep(config) == INTERRUPTED
        assert "No longer followed. The daemon goes on" in capsys.readouterr().err
        until(lambda: not demanded(store))
        assert daemon.server.port


def test_a_daemon_that_is_gone_is_told_and_a_sweep_alone_goes_on(
    config: str, store: Store, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "STILL_S", 0.0)
    with ExitStack() as holder:
        holder.enter_context(store.exclusive())
        monkeypatch.setattr(time, "sleep", lambda _: holder.close())
        assert sweep(config) == terminal.PROBLEMS
    assert "has stopped before everything was read" in capsys.readouterr().err
    assert demanded(store)
    assert sweep(config) == 0
    assert not demanded(store)


def test_it_is_not_over_before_everything_is_read_judged_and_looked_at(store: Store) -> None:
    account = Subject("acme-eu", "account", "acme-eu")
    with store.transaction() as session:
        worklist.done(session, worklist.take(session, "acme-eu", now=now(), lease=LEASE))
    demanded = Demanded(now(), ["acme-eu"], ())

    def read(session: Session) -> None:
        for each in CLASSES:
            reading = units.reading("acme-eu", each.resource.name)
            passes.begin(session, reading, "slot", next_mark(session), now())
            passes.end(session, reading, "slot", 7, now())
        cursors.move(session, "acme-eu", units.OWED, "slot", now())

    def begin_to_judge(session: Session) -> None:
        cursors.forget(session, "acme-eu", units.OWED)
        cursors.move(session, "acme-eu", rejudge.CURSOR, '{"judged": 3}', now())

    def find_something(session: Session) -> None:
        cursors.forget(session, "acme-eu", rejudge.CURSOR)
        worklist.mark(session, [account], now(), reading=False)

    def take_it(session: Session) -> None:
        taken.extend(worklist.take(session, "acme-eu", now=now(), lease=LEASE))

    def look_at_it(session: Session) -> None:
        worklist.done(session, taken)

    taken: list[Taken] = []
    steps = [read, begin_to_judge, find_something, take_it, look_at_it]

    def wait(_: float) -> None:
        with store.transaction() as session:
            steps.pop(0)(session)

    told: list[Step] = []
    passed = following.follow(store, demanded, now, told.append, wait)
    assert steps == []
    (swept,) = passed.swept
    assert set(swept.complete) == {each.resource.name for each in CLASSES}
    assert set(swept.complete.values()) == {7}
    assert ("judging", 3) in {(each.resource, each.objects) for each in told}


def test_elsewhere_than_on_a_terminal_a_resource_has_a_line_every_few_seconds(
    capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with Shown() as shown:
        for objects in (0, 100, 200):
            shown.step(Step("acme", "customers", objects, 90.0, 1_800 - objects))
        clock[0] += 6
        shown.step(Step("acme", "customers", 300, 95.4, 1_500))
        shown.step(Step("acme", "invoices", 7, 0.0, None))
    assert capsys.readouterr().err.splitlines() == [
        "acme customers: 100 so far, 90/s, about 1,700 left",
        "acme customers: 300 so far, 95/s, about 1,500 left",
        "acme invoices: 7 so far",
    ]
