"""A pretend world, and a store that what is read of it goes to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.sandbox.server import Sandbox
from daemon.store.db import Store, open_store
from tests.flows.rig import Rig
from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=1, customers=0) as started:
        yield started


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> Iterator[Store]:
    """For what does not depend on the database."""
    path = tmp_path / "reconciled.db"
    path.write_bytes(sqlite_template.read_bytes())
    with open_store(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def rig(sandbox: Sandbox, sqlite: Store, tmp_path: Path) -> Iterator[Rig]:
    with Rig(sandbox, sqlite, tmp_path / "etc") as built:
        yield built


@pytest.fixture
def rig_anywhere(sandbox: Sandbox, store: Store, tmp_path: Path) -> Iterator[Rig]:
    """On SQLite and on PostgreSQL."""
    with Rig(sandbox, store, tmp_path / "etc") as built:
        yield built
