"""A pretend Stripe that all these tests share, and two accounts of its own in it for each; on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.sandbox.server import Sandbox
from daemon.store.db import Store
from tests.desk.rig import Rig
from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=1, customers=0, real=lambda: 0.0) as started:
        yield started


@pytest.fixture
def rig(sandbox: Sandbox, store: Store, tmp_path: Path) -> Iterator[Rig]:
    with Rig(sandbox, store, tmp_path / "etc") as built:
        yield built
