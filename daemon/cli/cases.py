"""`reconciled cases`: the queue, from the database alone."""

import csv
import sys
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.table import Table

from accounts.money import Money
from daemon import views
from daemon.cli import desk
from daemon.cli.journal import safe
from daemon.cli.moments import moment
from daemon.cli.terminal import Failed, now, show, show_json, show_table
from daemon.store.idling import acts_of, why_idle
from daemon.store.queue import STANDING, BadCursor, Sort, Wanted

commands = typer.Typer(no_args_is_help=True)

COLUMNS = (
    "id", "account", "stripe_account", "kind", "subject", "ids", "title", "severity", "state", "substate", "opened_at",
    "due_at", "amount", "currency",
)  # fmt: skip

Names = list[str] | None
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@commands.command("list")
def list_cases(
    context: typer.Context,
    account: Annotated[Names, typer.Option(help="Only this account's; may be given twice.")] = None,
    kind: Annotated[Names, typer.Option(help="Only of this kind.")] = None,
    severity: Annotated[Names, typer.Option(help="critical, high, normal or low.")] = None,
    state: Annotated[Names, typer.Option(help="open, snoozed or resolved; by default what stands.")] = None,
    due_before: Annotated[str | None, typer.Option(help="A day or time, UTC.")] = None,
    search: Annotated[str | None, typer.Option("-q", help="An id, or words of the title.")] = None,
    sort: Annotated[Literal["urgency", "due", "opened", "amount"], typer.Option()] = "urgency",
    limit: Annotated[int | None, typer.Option(min=1, help="By default all.")] = None,
    cursor: Annotated[str | None, typer.Option(help="Of the page before, with --json.")] = None,
    as_json: Json = False,
) -> None:
    """Show what stands, the most urgent first; one subject's cases under the most urgent of them."""
    found = _found(context, account, kind, severity, state, due_before, search, sort, limit, cursor)
    if as_json:
        show_json(found)
        return
    items: list[dict[str, Any]] = found["items"]
    show_table(table(items))
    show(f"{found['total']} cases.")


@commands.command("show")
def show_case(
    context: typer.Context, case: Annotated[str, typer.Argument(help="Its id.")], as_json: Json = False
) -> None:
    """Show one case, whole: facts of every system, what differs, what is recommended, its history."""
    acts = acts_of(context.obj.settings())
    with context.obj.store() as store, store.reading() as session:
        found = views.case(session, case, now=now(), idle=lambda session, name: why_idle(session, acts, name))
    if found is None:
        raise Failed(f"There is no case {case[:60]}; `reconciled cases list` shows which there are.")
    if as_json:
        show_json(found)
        return
    table = Table(show_header=False, box=None)
    found["assignee"] = found.pop("assignee_name")
    for name, value in found.items():
        if value not in (None, [], {}, ""):
            table.add_row(name.replace("_", " "), value if isinstance(value, str) else _pretty(value))
    show_table(table)


@commands.command()
def export(
    context: typer.Context,
    account: Annotated[Names, typer.Option(help="Only this account's; may be given twice.")] = None,
    state: Annotated[Names, typer.Option(help="open, snoozed or resolved; by default what stands.")] = None,
) -> None:
    """Write the queue to stdout as CSV, safe to open in a spreadsheet."""
    found = _found(context, account, None, None, state, None, None, "urgency", None, None)
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for item in found["items"]:
        flat = item | {"subject": item["subject"]["id"], "ids": " ".join(item["ids"])}
        writer.writerow(safe(flat[name]) for name in COLUMNS)


desk.install(commands)  # approve and its like


def table(items: Iterable[dict[str, Any]]) -> Table:
    """One row a subject, under its most urgent case."""
    items = list(items)
    taken = any(item.get("assignee_name") for item in items)
    shown = Table("severity", "due", "account", "case", "amount", *(["whose"] if taken else []), box=None)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for item in items:
        rows.setdefault((item["account"], item["subject"]["id"]), []).append(item)
    for first, *others in rows.values():
        amount = str(Money(first["amount"], first["currency"])) if first["amount"] is not None else ""
        more = f" (and {len(others)} more)" if others else ""
        due = (first["due_at"] or "")[:16].replace("T", " ")
        whose = [first["assignee_name"] or ""] if taken else []
        shown.add_row(
            first["severity"],
            due,
            first["account"],
            f"{first['kind']}: {first['title']}{more}",
            amount,
            *whose,
        )
    return shown


def _found(
    context: typer.Context,
    account: Names,
    kind: Names,
    severity: Names,
    state: Names,
    due_before: str | None,
    search: str | None,
    sort: Sort,
    limit: int | None,
    cursor: str | None,
) -> dict[str, Any]:
    wanted = Wanted(
        accounts=account or (),
        kinds=kind or (),
        states=state or STANDING,
        severities=severity or (),
        due_before=moment(due_before),
        text=search,
        sort=sort,
        now=now(),
    )
    try:
        with context.obj.store() as store, store.reading() as session:
            return views.cases(session, wanted, limit=limit, cursor=cursor)
    except BadCursor as problem:
        raise Failed(str(problem)) from None


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()
