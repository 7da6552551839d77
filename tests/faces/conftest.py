"""A daemon's main address on loopback, with a pretend Stripe behind it; `everywhere` is one on either database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.sandbox.server import Sandbox
from daemon.store import schema
from daemon.store.db import Store, open_store
from tests.desk.conftest import empty_url, postgres_template, sandbox, server, sqlite_template, store, url
from tests.faces.served import Served

__all__ = ["empty_url", "postgres_template", "sandbox", "server", "sqlite_template", "store", "url"]


@pytest.fixture
def everywhere(sandbox: Sandbox, store: Store, tmp_path: Path) -> Iterator[Served]:
    with Served(sandbox, store, tmp_path / "etc") as running:
        yield running


@pytest.fixture
def served(sandbox: Sandbox, tmp_path: Path) -> Iterator[Served]:
    """The same where the database makes no difference."""
    address = f"sqlite:///{tmp_path / 'reconciled.db'}"
    schema.upgrade(address)
    with open_store(address) as opened, Served(sandbox, opened, tmp_path / "etc") as running:
        yield running
