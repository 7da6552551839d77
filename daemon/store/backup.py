"""A copy of the whole database in one file, taken while the daemon runs, and checked before it counts.

The copy appears under its name only when it is whole, readable and on the disk; a file that exists is never replaced.
It says of itself that it is one: whoever works on it later lets nothing happen that was approved before it was made.
"""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select, update

from accounts.secret import redact
from daemon.store.engines import engine_for
from daemon.store.errors import BackupFailed
from daemon.store.place import Place, place_of
from daemon.store.schema import SchemaState, check
from daemon.store.tables import table
from daemon.store.tables.base import microseconds
from daemon.store.translation import translated

BACKING_UP = "reconciled backup"  # the name of the server's lock that whoever makes one holds
PAGES_A_STEP = 4_096  # 16 MiB; between two steps writers get their turn
DUMP_TIMEOUT_S = 6 * 3_600  # a hundred million rows over a slow line; beyond that something hangs


def backup(url: str, file: Path) -> None:
    """Raises BackupFailed, or another StoreError, with a sentence; then there is no file, and none was touched."""
    place = place_of(url)
    state = check(url).state
    if state is SchemaState.MISSING:
        raise BackupFailed(f"{place} is empty: there is nothing to back up.")
    if file.exists() or file.is_symlink():
        raise BackupFailed(f"{file} exists already and is not replaced. Name another file.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
            copy = Path(folder) / "copy"
            if place.path is not None:
                _copy_sqlite(place, place.path, copy, marking=state is not SchemaState.OLDER)
            else:
                _dump_postgres(place, copy, marking=state is not SchemaState.OLDER)
            copy.chmod(0o600)
            _sync(copy)
            os.link(copy, file)  # fails, where a rename would replace what came there in the meantime
            _sync(file.parent)
    except FileExistsError:
        raise BackupFailed(f"{file} exists already and is not replaced. Name another file.") from None
    except OSError as error:
        raise BackupFailed(f"The backup {file} cannot be written: {error.strerror}.") from None


def _copy_sqlite(place: Place, path: Path, copy: Path, *, marking: bool) -> None:
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target, pages=PAGES_A_STEP)
            if marking:  # an older schema knows neither copies nor approvals
                target.execute("UPDATE installation SET copied_at = ?", (microseconds(datetime.now(UTC)),))
                target.commit()
            target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            problem = str(target.execute("PRAGMA integrity_check(1)").fetchone()[0])
            dangling = target.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise BackupFailed(f"{place} cannot be copied: {error}.") from None
    if problem != "ok" or dangling is not None:
        raise BackupFailed(
            f"{place} is damaged ({problem}), so its copy was thrown away. Restore an older one."
        )


def _dump_postgres(place: Place, copy: Path, *, marking: bool) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupFailed(
            "pg_dump is not installed here. Install PostgreSQL's client programs (Debian: postgresql-client), "
            "or make the backup on the server."
        )
    password = place.url.password
    address = place.shown().render_as_string()
    with _marked(place) if marking else nullcontext():
        _run_dump(place, program, address, password, copy)


@contextmanager
def _marked(place: Place) -> Iterator[None]:
    """What is dumped meanwhile says that it is a copy. If we die in here, the database itself takes itself for one.

    One at a time: who ends first would take the mark away from who has only begun.
    """
    engine = engine_for(place, "writer")
    mark = update(table("installation"))
    try:
        with (
            translated(place),
            engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            connection.execute(select(func.pg_advisory_lock(func.hashtextextended(BACKING_UP, 0))))
            connection.execute(mark.values(copied_at=datetime.now(UTC)))
            try:
                yield
            finally:
                connection.execute(mark.values(copied_at=None))
                connection.execute(select(func.pg_advisory_unlock(func.hashtextextended(BACKING_UP, 0))))
    finally:
        engine.dispose()


def _run_dump(place: Place, program: str, address: str, password: str | None, copy: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a program found by name, and no shell
            [program, "--format=custom", "--no-password", f"--file={copy}", f"--dbname={address}"],
            env={
                **os.environ,
                **({"PGPASSWORD": password} if password else {}),
            },  # arguments are seen by everybody
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DUMP_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackupFailed(f"{place} was not dumped within {DUMP_TIMEOUT_S // 3_600} hours.") from None
    if done.returncode != 0:
        said = redact(done.stderr.decode("utf-8", "replace").strip().split("\n", 1)[0])
        raise BackupFailed(f"{place} was not dumped; pg_dump said: {said}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
