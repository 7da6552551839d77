"""Every test that asks for `store` or `url` runs twice: on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store import schema
from daemon.store.db import Store, open_store
from tests.databases import Server, migrated_template, postgres_server

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="session")
def postgres_template(server: Server) -> Iterator[str]:
    with migrated_template(server) as name:
        yield name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "reconciled.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables: on SQLite not even a file."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'reconciled.db'}"
        return
    running: Server = request.getfixturevalue("server")
    with running.database() as url:
        yield url


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the current schema."""
    if request.param == "sqlite":
        path = tmp_path / "reconciled.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    running: Server = request.getfixturevalue("server")
    with running.database(request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened
