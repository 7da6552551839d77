"""Every test that asks for `store` or `url` runs twice: on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.desk.stopping import Switch
from daemon.store.db import Store
from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]

ACCOUNTS = ("acme-eu", "acme-us")


class Clock:
    """What time it is, until somebody says otherwise."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def passes(self, span: timedelta) -> None:
        self.at += span


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def governing(store: Store, clock: Clock) -> Governing:
    return Governing(store, clock, ACCOUNTS, ["default"])


@pytest.fixture
def keyring(store: Store, clock: Clock) -> Keyring:
    return Keyring(store, clock, ACCOUNTS)


@pytest.fixture
def switch(store: Store, clock: Clock) -> Switch:
    return Switch(store, clock, ACCOUNTS)
