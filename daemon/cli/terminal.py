"""What every command shares: its exit codes, the two ways to speak, and the clock."""

import sys
from datetime import UTC, datetime

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from accounts.errors import Explained

OK = 0
PROBLEMS = 1  # the command ran and found, or met, something wrong
UNUSABLE = 2  # the configuration or the command line cannot be used

PIPED_COLUMNS = 250  # the longest title, an id of every class, and the rest of a row


class Failed(Explained):
    """A command could not do what it was asked; the message is the sentence for the user."""


def show(*lines: str) -> None:
    """To stdout, as it is: a line that somebody may copy is neither wrapped nor coloured."""
    print(*lines, sep="\n")  # noqa: T201


def show_table(table: Table) -> None:
    """As wide as the terminal; a pipe or a file gets every word."""
    Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_COLUMNS).print(table)


def show_json(value: object) -> None:
    """To stdout, for programs that people read over the shoulder."""
    show(msgspec.json.format(msgspec.json.encode(value)).decode())


def say(*lines: str) -> None:
    """To stderr: what a person has to know and a pipe must not."""
    print(*lines, sep="\n", file=sys.stderr)  # noqa: T201


def asked(question: str) -> bool:
    """Whether they want it. Where nobody sits at a terminal, whoever wrote the script has said so."""
    return not sys.stdin.isatty() or typer.confirm(question)


def now() -> datetime:
    return datetime.now(UTC)
