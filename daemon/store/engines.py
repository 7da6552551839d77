"""Connections: how they are opened on either database, and what each of them promises.

On SQLite every connection syncs each commit to the disk (FULL), except those of the `bulk` role (NORMAL).
"""

import sqlite3
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from daemon.store.errors import Unsuitable
from daemon.store.place import Place

WAIT_S = 10  # for another writer; our transactions take milliseconds, so longer means something hangs
CONNECT_TIMEOUT_S = 10
CONNECTIONS = 16  # kept open
CONNECTIONS_MORE = 112  # opened under load; together 128, the most threads that were measured to pay
WAL_PAGES = 4_000  # until the log is moved into the file, which waits for the disk; SQLite's own are 1,000
WAL_BYTES_MAX = 64 * 2**20  # a long read lets the log grow; it is cut back to this afterwards
CACHE_KIB = 16 * 1024
IDLE_IN_TRANSACTION_S = 60  # a frozen process must not hold row locks for ever
SQLITE_MIN = (3, 35, 0)  # RETURNING
POSTGRES_MIN = 15
DURABLE = ("on", "remote_apply")  # weaker settings acknowledge a commit that a crash may lose

Role = Literal["writer", "bulk", "reader", "line"]
ROLES: tuple[Role, ...] = ("writer", "bulk", "reader", "line")


def engine_for(place: Place, role: Role) -> Engine:
    return _sqlite(place, place.path, role) if place.path is not None else _postgres(place, role)


def check_server(place: Place, connection: Connection) -> None:
    """Raises Unsuitable where the database promises less than an acknowledged event needs."""
    if place.path is not None:
        if sqlite3.sqlite_version_info < SQLITE_MIN:
            raise Unsuitable(
                f"{place} is opened with SQLite {sqlite3.sqlite_version}; {_dotted(SQLITE_MIN)} or newer is needed."
            )
        return
    version = int(_shown(connection, "server_version_num")) // 10_000
    if version < POSTGRES_MIN:
        raise Unsuitable(
            f"{place} is PostgreSQL {version}; {POSTGRES_MIN} or newer is needed. Upgrade the server."
        )
    durability = _shown(connection, "synchronous_commit")
    if durability not in DURABLE:
        raise Unsuitable(
            f"{place} has synchronous_commit = {durability}, so a crash may lose what was acknowledged. "
            "Set it to on, for the server or for this user (alter role … set synchronous_commit = on)."
        )


def _sqlite(place: Place, path: Path, role: Role) -> Engine:
    pragmas = [
        f"busy_timeout = {WAIT_S * 1000}",
        f"cache_size = -{CACHE_KIB}",
        "foreign_keys = ON",
        f"journal_size_limit = {WAL_BYTES_MAX}",
        f"wal_autocheckpoint = {WAL_PAGES}",
        f"synchronous = {'NORMAL' if role == 'bulk' else 'FULL'}",
    ]
    if role == "reader":
        pragmas.append("query_only = ON")
    else:
        pragmas.append("journal_mode = WAL")
    if role == "writer":
        pragmas.append("secure_delete = ON")  # what is erased is overwritten, not only unlinked

    def connect() -> sqlite3.Connection:
        # mode=rw: a database that vanished is an error, not a new empty one.
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=WAIT_S,
            isolation_level=None,  # the driver begins no transactions behind our back
            check_same_thread=False,
        )
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    many = {"pool_size": CONNECTIONS, "max_overflow": CONNECTIONS_MORE}
    one = {
        "pool_size": 1,
        "max_overflow": 0,
    }  # there is one writer at a time anyway; but a line keeps its own
    engine = create_engine(
        place.url, creator=connect, hide_parameters=True, pool_timeout=WAIT_S,
        **(many if role in {"reader", "line"} else one),
    )  # fmt: skip
    _on_begin(engine, "BEGIN" if role == "reader" else "BEGIN IMMEDIATE")
    return engine


def _on_begin(engine: Engine, statement: str) -> None:
    # IMMEDIATE: a transaction that reads first and writes later would otherwise fail where it should have waited.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def _postgres(place: Place, role: Role) -> Engine:
    engine = create_engine(
        place.url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=CONNECTIONS,
        max_overflow=CONNECTIONS_MORE,
        pool_timeout=WAIT_S,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "reconciled",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,  # a server that vanished without a word is noticed, and soon
        },
        isolation_level="REPEATABLE READ" if role == "reader" else "READ COMMITTED",
        execution_options={"postgresql_readonly": True} if role == "reader" else {},
    )

    @event.listens_for(engine, "connect")
    def settle(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = '{WAIT_S}s'")
        cursor.execute(
            "SET plan_cache_mode = 'force_custom_plan'"
        )  # a plan made for an empty table would stay
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_S}s'")
        cursor.close()
        connection.commit()

    return engine


def _shown(connection: Connection, setting: str) -> str:
    return str(connection.exec_driver_sql(f"SHOW {setting}").scalar_one())


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
