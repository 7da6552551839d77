"""`reconciled check --live`: what a running daemon says of itself, the eight numbers first."""

from dataclasses import asdict
from typing import Final

import msgspec
from rich.table import Table

from daemon.check.live import check_live
from daemon.cli.terminal import OK, PROBLEMS, now, show, show_table
from daemon.settings import Settings

MARKS: Final = {"ok": "", "warn": "look", "bad": "act"}


def diagnose(settings: Settings, *, as_json: bool) -> int:
    """Exit code 1 where something needs somebody now."""
    lines = check_live(settings, now)
    ok = all(line.level != "bad" for line in lines)
    if as_json:
        told = {"ok": ok, "lines": [asdict(line) for line in lines]}
        show(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        table = Table("", "what", "says", "runbook", box=None)
        for line in lines:
            table.add_row(MARKS[line.level], line.what, line.says, line.runbook or "")
        show_table(table)
    return OK if ok else PROBLEMS
