"""`reconciled check`: what is missing, before anything runs; or what a running daemon says of itself."""

from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.table import Table

from daemon.check import check as inspect
from daemon.check import text
from daemon.check.live import check_live
from daemon.cli.terminal import OK, PROBLEMS, now, show, show_json, show_table
from daemon.settings import Settings

MARKS: Final = {"ok": "", "warn": "look", "bad": "act"}


def check(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    live: Annotated[
        bool, typer.Option(help="Ask the running daemon instead, as its runbooks would.")
    ] = False,
) -> None:
    """Say what is missing, all of it at once, and what to do: keys, permissions, sources, webhooks, database."""
    settings = context.obj.settings()
    ok = _diagnose(settings, as_json) if live else _inspect(settings, as_json)
    raise typer.Exit(OK if ok else PROBLEMS)


def _inspect(settings: Settings, as_json: bool) -> bool:
    report = inspect(settings)
    if as_json:
        show_json({"ok": report.ok} | asdict(report))
    else:
        show(*text.lines(report))
    return report.ok


def _diagnose(settings: Settings, as_json: bool) -> bool:
    """False where something needs somebody now: the eight numbers first."""
    lines = check_live(settings, now)
    ok = all(line.level != "bad" for line in lines)
    if as_json:
        show_json({"ok": ok, "lines": [asdict(line) for line in lines]})
    else:
        table = Table("", "what", "says", "runbook", box=None)
        for line in lines:
            table.add_row(MARKS[line.level], line.what, line.says, line.runbook or "")
        show_table(table)
    return ok
