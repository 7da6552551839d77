"""Exports the journal's head to a file, so that a tail that is cut off later shows.

The file is replaced as a whole or not at all. One that the journal no longer leads up to is evidence: it is kept, and
somebody is told.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from sqlmodel import Session

from daemon.settings import JournalHead
from daemon.store import journal
from daemon.store.db import Store
from daemon.store.journal import ExportedHead

log = structlog.get_logger(__name__)

HEAD: Final = "journal_head"  # the kind of wake
ONE: Final = "all"  # its one key
VERIFY: Final = "run `reconciled journal verify`"


class Heads:
    def __init__(self, store: Store, configured: JournalHead | None, now: Callable[[], datetime]) -> None:
        self._store = store
        self._configured = configured
        self._now = now
        self._next: datetime | None = None
        self._lock = threading.Lock()

    def due(self, session: Session, now: datetime) -> Iterable[tuple[str, str]]:
        if self._configured is None:
            return []
        with self._lock:
            return [(HEAD, ONE)] if self._next is None or self._next <= now else []

    def run(self, _: str = ONE) -> None:
        if self._configured is None:
            return
        with self._lock:
            self._next = self._now() + self._configured.every
        path = self._configured.file
        with self._store.reading() as session:
            current = journal.head(session)
            kept = _evidence(session, path, current)
        if kept is not None:
            log.error("journal_head_kept", file=str(path), because=kept)
            return
        try:
            _replace(path, current.line() + "\n")
        except OSError as problem:
            # The same again each hour until somebody mends it: a line is enough, and it names the file.
            log.warning("journal_head_not_written", file=str(path), because=problem.strerror)


def _evidence(session: Session, path: Path, current: ExportedHead) -> str | None:
    """Why the file that is there must not be replaced; None where there is none, or the journal leads up to it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return "it is there and cannot be read"
    for line in filter(str.strip, lines):
        try:
            before = ExportedHead.from_line(line)
        except ValueError:
            return "it is there and is no exported head; name another file"
        if before.seq > current.seq:
            return f"it knows entry {before.seq}, and the journal ends at {current.seq}: {VERIFY}"
        if before.seq and journal.hash_of(session, before.seq) != before.hash:
            return f"entry {before.seq} is not the one that was exported: {VERIFY}"
    return None


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
