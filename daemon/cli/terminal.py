"""What every command shares: where the configuration is, and the two ways to speak."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from daemon import logs
from daemon.core.policy_sections import duration_in
from daemon.settings import Settings, load
from daemon.store.db import Store, open_store

OK = 0
PROBLEMS = 1  # the command ran and found, or met, something wrong
UNUSABLE = 2  # the configuration or the command line cannot be used
INTERRUPTED = 130

DURATION = re.compile(r"\d+[smhdw]")

PIPED_COLUMNS = 250  # the longest title, an id of every class, and the rest of a row


class Failed(Exception):
    """A command could not do what it was asked; the message is the sentence for the user."""


class Misused(Exception):
    """The options of a command do not go together; the message is the sentence for the user."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options that stand before the command."""

    config: Path
    log_format: logs.Format

    def settings(self) -> Settings:
        return load(self.config)

    def database(self) -> str:
        return self.settings().daemon.database.reveal()

    def store(self, *, writing: bool = False) -> Store:
        """The store; a command that writes creates a missing one and applies pending migrations."""
        return open_store(self.database(), upgrade=writing)


def show(*lines: str) -> None:
    """To stdout, as it is: a line that somebody may copy is neither wrapped nor coloured."""
    print(*lines, sep="\n")  # noqa: T201


def show_table(table: Table) -> None:
    """As wide as the terminal; a pipe or a file gets every word."""
    Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_COLUMNS).print(table)


def say(*lines: str) -> None:
    """To stderr: what a person has to know and a pipe must not."""
    print(*lines, sep="\n", file=sys.stderr)  # noqa: T201


def moment(text: str | None) -> datetime | None:
    """Reads an ISO date or time; without a zone it is UTC. Raises Failed with a sentence."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Failed(
            f"“{text[:40]}” is neither a date nor a time; write 2026-11-21 or 2026-11-21T14:00:00Z."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def moment_or_ago(text: str | None) -> datetime | None:
    """The same, or how long ago: 3d, 2h. Raises Failed with a sentence."""
    if text is None or not DURATION.fullmatch(text):
        return moment(text)
    try:
        return now() - duration_in(text)
    except (ValueError, OverflowError):
        raise Failed(f"“{text[:40]}” ago is no time that there was; write 3d or 2h.") from None


Clock = Callable[[], datetime]


def now() -> datetime:
    return datetime.now(UTC)
