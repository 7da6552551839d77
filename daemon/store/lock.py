"""One daemon for one SQLite file: a lock beside it that the system lets go of when its holder dies.

A second daemon would look at the same subjects and act on the same proposals. The lock belongs to an open file
and not to the file's existence, so kill -9 and power cuts release it and nothing has to be cleaned up.
The file itself stays: removing it would let two processes lock two files of one name.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.store.errors import AlreadyRunning, Unavailable


def lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


@contextmanager
def exclusive(database: Path) -> Iterator[None]:
    """Raises AlreadyRunning, naming the process that holds it, without waiting."""
    path = lock_path(database)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(f"The lock file {path} cannot be opened: {error.strerror}.") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Process {_holder(descriptor)} already works on the database {database}. "
                "Stop it first, or give this one a database of its own."
            ) from None
        except OSError as error:
            raise Unavailable(
                f"The lock file {path} cannot be locked: {error.strerror}. Is it on a network disk?"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    written = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return written or "(starting)"
