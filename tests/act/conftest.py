"""A pretend Stripe that all these tests share, and an account of its own in it for each; on both databases."""

from collections.abc import Iterator

import pytest

from accounts.sandbox.server import Sandbox
from daemon.store.db import Store
from tests.act.world import World
from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=1, customers=0, real=lambda: 0.0) as started:
        yield started


@pytest.fixture
def world(sandbox: Sandbox, store: Store) -> Iterator[World]:
    opened = World(sandbox, store)
    yield opened
    opened.close()
