"""`reconciled journal`: reading and proving what was decided and done."""

import csv
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from daemon.cli.moments import moment
from daemon.cli.terminal import OK, PROBLEMS, Failed, say, show, show_table
from daemon.store import journal
from daemon.store.journal import ExportedHead
from daemon.store.verification import verify as verify_chain
from daemon.views import audit

commands = typer.Typer(no_args_is_help=True)

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # what a spreadsheet would run

JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@commands.command("list")
def list_entries(
    context: typer.Context,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show the newest entries, newest first."""
    with context.obj.store() as store, store.reading() as session:
        found = journal.entries(session, account=account, kind=kind, limit=limit)
    if as_json:
        show(*(entry.line() for entry in found))
        return
    table = Table("seq", "at", "kind", "who", "account", "about", "what", box=None)
    for entry in found:
        about = entry.subject[1] if entry.subject else ""
        table.add_row(
            str(entry.seq),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.kind,
            entry.actor,
            entry.account or "",
            about,
            entry.body,
        )
    show_table(table)


@commands.command()
def verify(
    context: typer.Context,
    head: Annotated[
        list[Path] | None, typer.Option(help="A file with exported heads; may be given twice.")
    ] = None,
) -> None:
    """Recompute the whole chain; exits 1 and names the first entry that is not what was written."""
    heads = [known for file in [*(head or []), *_kept_by_ourselves(context)] for known in _heads_in(file)]
    with context.obj.store() as store, store.reading() as session:
        verdict = verify_chain(session, heads)
    if verdict.fault is not None:
        say(f"The journal is broken at {verdict.fault.seq}. {verdict.fault.sentence}")
        raise typer.Exit(PROBLEMS)
    if heads:
        against = f" and against {len(heads)} exported head{'s' * (len(heads) > 1)}"
    else:
        against = "; compare it with an exported head (--head FILE) to see a tail that was cut off"
    show(f"{verdict.head.seq} entries are as they were written{against}.", verdict.head.line())
    raise typer.Exit(OK)


@commands.command("head")
def show_head(context: typer.Context) -> None:
    """Print where the chain ends: keep this line where nobody who can write the database can write."""
    with context.obj.store() as store, store.reading() as session:
        show(journal.head(session).line())


@commands.command()
def export(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="The first day or time, UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="The end; not included.")] = None,
    form: Annotated[
        Literal["jsonl", "csv"], typer.Option("--format", help="JSON lines prove themselves.")
    ] = "jsonl",
) -> None:
    """Write a period's entries to stdout, without gaps, for an auditor."""
    first, last = moment(since), moment(until)
    with context.obj.store() as store, store.reading() as session:
        found = journal.export(session, first, last)
        if form == "jsonl":
            for entry in found:
                show(entry.line())
        else:
            writer = csv.writer(sys.stdout)
            writer.writerow(audit.COLUMNS)
            writer.writerows(map(safe, audit.row(entry)) for entry in found)


def _kept_by_ourselves(context: typer.Context) -> list[Path]:
    """The file that [journal] head names, once there is one."""
    kept = context.obj.settings().journal.head
    return [kept.file] if kept is not None and kept.file.exists() else []


def _heads_in(file: Path) -> list[ExportedHead]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [ExportedHead.from_line(line) for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise Failed(f"{file} cannot be read.") from None
    except ValueError as problem:
        raise Failed(f"{file}: {problem}.") from None


def safe(value: object) -> str:
    """A cell that no spreadsheet runs as a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
