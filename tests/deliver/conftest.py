"""A pretend Stripe, a receiver and a mail server, and an installation that may call them; on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.sandbox.server import Sandbox
from daemon import cli
from daemon.store.db import Store
from tests.actions.postbox import Postbox, postbox
from tests.deliver.office import Command, Office
from tests.deliver.receiver import Receiver
from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=1, customers=0, real=lambda: 0.0) as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


@pytest.fixture
def office(sandbox: Sandbox, store: Store, receiver: Receiver, tmp_path: Path) -> Iterator[Office]:
    more = f'[callbacks]\nallow = ["api.example.com", "127.0.0.1:{receiver.port}"]\n'
    with Office(sandbox, store, tmp_path / "etc", more=more) as opened:
        yield opened


@pytest.fixture
def reconciled(office: Office, url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command on the office's installation."""
    config = office.folder / "reconciled.toml"
    config.write_text(config.read_text().replace("sqlite:///reconciled.db", url))

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.run(["--config", str(config), *arguments])
        captured = capsys.readouterr()
        return code, captured.out or captured.err

    return run


@pytest.fixture(scope="session")
def mail_server() -> Iterator[Postbox]:
    with postbox() as box:
        yield box


@pytest.fixture
def box(mail_server: Postbox) -> Postbox:
    mail_server.empty()
    return mail_server
