"""The store: one database, transactions on it, and what must be true of it before anything is written.

    with store.transaction() as session:          # one writer at a time on SQLite; all or nothing
        worklist.mark(session, subjects, now())
    with store.reading() as session:              # a consistent picture that cannot write
        journal.head(session)

Functions below take a session and never commit. A power cut loses no committed transaction, except that
`transaction(bulk=True)` on SQLite may lose its newest: it is for snapshots and records, which can be read again.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy import Engine, PoolProxiedConnection, func, select
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlmodel import Session

from daemon.store import lock, schema
from daemon.store.engines import ROLES, WAIT_S, Role, engine_for
from daemon.store.errors import AlreadyRunning, Locked
from daemon.store.place import Place, place_of
from daemon.store.translation import translated

WORKING = "reconciled working"  # the name of the server's lock that whoever looks and sweeps holds


def open_store(url: str, *, upgrade: bool = False) -> "Store":
    """Opens a database that is ours, current and durable; raises a StoreError with a sentence otherwise.

    With `upgrade`, a missing one is created and pending migrations are applied first.
    """
    place = place_of(url)
    if upgrade:
        schema.upgrade(url)
    else:
        schema.require_current(place, schema.check(url))
    return Store(place)


class Store:
    """An open database. Usable from any thread; a session belongs to the thread that opened it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._engines = {role: engine_for(place, role) for role in ROLES}
        self._writing = threading.Lock()
        self._writer: int | None = None
        self._naming = threading.Lock()
        self._held: frozenset[str] = frozenset()
        self._file = place.file()

    def moved(self) -> str | None:
        """A sentence if our file is not where it was: what is open goes on working, on what nobody will find."""
        if self.place.file() == self._file:
            return None
        return f"{self.place} was moved away or replaced. Put it back and restart; until then nothing may be relied on."

    def transaction(self, *, bulk: bool = False) -> AbstractContextManager[Session]:
        """Everything in the block is committed at its end, or nothing is."""
        return self._session("bulk" if bulk else "writer")

    def reading(self) -> AbstractContextManager[Session]:
        """A consistent picture of one moment; the database itself refuses to write in it."""
        return self._session("reader")

    def line(self) -> "Line":
        """A connection that one thread keeps, for the one path on which a session costs more than its work."""
        return Line(
            self.place, self._engines["line"], nullcontext if self.place.path is None else self._alone
        )

    def exclusive(self) -> AbstractContextManager[None]:
        """Held for its lifetime by whoever looks and sweeps here, against a second one. Raises AlreadyRunning.

        Leases and row locks keep two apart too, but each would read everything, and keep to limits of its own. On
        PostgreSQL the server holds it for our connection: if that breaks, only those are left.
        """
        return self._alone_on_server() if self.place.path is None else lock.exclusive(self.place.path)

    def is_worked_on(self) -> bool:
        """Whether somebody holds it (`exclusive`)."""
        try:
            with self.exclusive():
                return False
        except AlreadyRunning:
            return True

    @contextmanager
    def holding(self, name: str) -> Iterator[bool]:
        """Whether this name is ours for the length of the block, and nobody else's; does not wait.

        On SQLite the name is kept among this process's threads, since no other daemon is there (`exclusive`).
        """
        if self.place.path is None:
            with self._holding_on_server(name) as ours:
                yield ours
            return
        with self._naming:
            ours = name not in self._held
            self._held |= {name}
        try:
            yield ours
        finally:
            if ours:
                with self._naming:
                    self._held -= {name}

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _session(self, role: Role) -> Iterator[Session]:
        alone = nullcontext() if self.place.path is None or role == "reader" else self._alone()
        with (
            translated(self.place),
            alone,
            Session(self._engines[role], expire_on_commit=False) as session,
            session.begin(),
        ):
            session.connection()  # begin now: whoever must wait for the lock waits before it has read anything
            yield session

    @contextmanager
    def _holding_on_server(self, name: str) -> Iterator[bool]:
        # The server itself lets go of it when our connection ends, however that happens.
        with (
            translated(self.place),
            self._engines["writer"].connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            key = select(func.hashtextextended(f"reconciled {name}", 0)).scalar_subquery()
            ours = bool(connection.scalar(select(func.pg_try_advisory_lock(key))))
            try:
                yield ours
            finally:
                if ours:
                    connection.execute(select(func.pg_advisory_unlock(key)))

    @contextmanager
    def _alone_on_server(self) -> Iterator[None]:
        with translated(self.place):
            connection = self._engines["writer"].connect().execution_options(isolation_level="AUTOCOMMIT")
            key = select(func.hashtextextended(WORKING, 0)).scalar_subquery()
            ours = bool(connection.scalar(select(func.pg_try_advisory_lock(key))))
        try:
            if not ours:
                raise AlreadyRunning(
                    f"{self.place} is already worked on by another process. Stop it first, give this one a database "
                    "of its own, or have it only take in webhooks: `reconciled run --role receive`."
                )
            yield
        finally:
            connection.invalidate()  # the server lets go of it with the connection, whatever state that is in
            connection.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # SQLite lets one writer in and wakes those who wait by luck; a lock of our own is fairer to our threads.
        assert self._writer != threading.get_ident(), (
            "a transaction inside a transaction would wait for itself"
        )
        if not self._writing.acquire(timeout=WAIT_S):
            raise Locked(f"{self.place} is kept by another thread for more than {WAIT_S} s; try again.")
        self._writer = threading.get_ident()
        try:
            yield
        finally:
            self._writer = None
            self._writing.release()


class Line:
    """A connection of the driver's own, kept by one thread from one transaction to the next."""

    def __init__(
        self, place: Place, engine: Engine, alone: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self.place = place
        self._engine = engine
        self._alone = alone
        self._connection: PoolProxiedConnection | None = None

    @contextmanager
    def transaction(self) -> Iterator[DBAPICursor]:
        """Everything in the block is committed at its end, or nothing is."""
        with translated(self.place), self._alone():
            if self._connection is None:
                self._connection = self._engine.raw_connection()
            try:
                cursor = self._connection.cursor()
                if self.place.path is not None:
                    cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                self._connection.commit()
            except BaseException:
                self.close()  # whatever is wrong with it, the next transaction has another
                raise

    def close(self) -> None:
        """Gives the connection back, which rolls back what was not committed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
