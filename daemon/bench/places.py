"""Where something is measured: empty databases, in files or on a PostgreSQL server, gone when it is over."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from daemon.store import schema
from daemon.store.errors import Unsuitable
from daemon.store.place import place_of

_NUMBERS: Final = itertools.count(1)


class Place(Protocol):
    name: str

    def fresh(self) -> str:
        """The address of an empty database."""


def migrated(place: Place) -> str:
    """The address of an empty database with the current schema."""
    url = place.fresh()
    schema.upgrade(url)
    return url


class _Files:
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fresh(self) -> str:
        return f"sqlite:///{self._folder / f'{next(_NUMBERS)}.db'}"


class _Server:
    name = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._made: list[str] = []

    def fresh(self) -> str:
        name = f"reconciled_bench_{os.getpid()}_{next(_NUMBERS)}"
        self._execute("CREATE DATABASE {} TEMPLATE template0", name)
        self._made.append(name)
        return self._url._replace(path=f"/{name}").geturl()

    def drop(self) -> None:
        for name in self._made:
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _execute(self, statement: str, name: str) -> None:
        try:
            with psycopg.connect(self._url.geturl(), autocommit=True) as connection:
                connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        except psycopg.Error as problem:
            raise Unsuitable(
                f"{place_of(self._url.geturl())} cannot be measured on: {str(problem).strip()}. "
                "Name a server whose user may create databases."
            ) from None


@contextmanager
def files() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="reconciled-bench-") as folder:
        yield _Files(Path(folder))


@contextmanager
def on(url: str) -> Iterator[Place]:
    """Databases beside the one that the address names, which itself is left alone. Raises Unsuitable."""
    if place_of(url).path is not None:
        raise Unsuitable("SQLite is measured in any case; name a server, as postgresql://user@host/postgres.")
    server = _Server(url)
    try:
        yield server
    finally:
        server.drop()
