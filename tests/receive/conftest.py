"""Databases, and a receiver that serves on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store.db import Store, open_store
from tests.receive.rig import Rig, receiving
from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EU", "EU_OLD", "US", "PLATFORM"):
        monkeypatch.setenv(name, f"whsec_{name}")


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> Iterator[Store]:
    """For what does not depend on the database."""
    path = tmp_path / "reconciled.db"
    path.write_bytes(sqlite_template.read_bytes())
    with open_store(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def rig(sqlite: Store) -> Iterator[Rig]:
    with receiving(sqlite) as running:
        yield running


@pytest.fixture
def rig_anywhere(store: Store) -> Iterator[Rig]:
    """On SQLite and on PostgreSQL."""
    with receiving(store) as running:
        yield running
