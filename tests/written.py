"""The commands that pages for people show, and what the program's own parser says to each."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.exceptions import TyperException

from daemon.cli.program import COMMANDS, whole

BLOCK = re.compile(r"^```(?:sh|console|shell)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?reconciled (?=[a-z])(.+)$")


def written(page: Path) -> Iterator[tuple[str, bool]]:
    """Every command of ours on a page, without `reconciled` and remarks; and whether a sentence only mentions it."""
    text = page.read_text("utf-8")
    for line in (line for block in BLOCK.findall(text) for line in block.splitlines()):
        yield from ((each, False) for each in _command(line))
    for line in INLINE.findall(BLOCK.sub("", text)):
        yield from ((each, True) for each in _command(line))


def _command(line: str) -> list[str]:
    found = COMMAND.match(line.strip())
    return [re.split(r"\s#\s", found[1])[0].strip()] if found is not None else []


def misused(line: str, *, mentioned: bool = False) -> str | None:
    """Why the program would not take this; None if it would. Nothing is run.

    What is mentioned may lack all that it needs, as in “no long `reconciled replay`”, but not some of it.
    """
    name, *words = shlex.split(line)
    if name not in {each.name for each in COMMANDS}:
        return f"There is no command {name}."
    try:
        return _parsed(whole(name), name, words, mentioned)
    except TyperException as refused:
        return str(getattr(refused, "format_message", refused.__str__)())


def _parsed(command: Any, name: str, words: list[str], mentioned: bool) -> str | None:
    inner = getattr(command, "commands", None)
    if not words and (mentioned or inner is not None):
        return None if mentioned else f"{name} is a group of commands."
    if inner is None:
        command.make_context(name, words)
        return None
    first, *rest = words
    if first not in inner:
        return f"{name} has no command {first}."
    return _parsed(inner[first], first, rest, mentioned)
