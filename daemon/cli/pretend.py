"""`reconciled sandbox`: incidents in the pretend world that `reconciled demo` runs."""

from typing import Annotated

import typer
from rich.table import Table

from accounts.sandbox import client
from accounts.sandbox.clock import seconds
from daemon.cli.terminal import Failed, show, show_table

commands = typer.Typer(no_args_is_help=True)

Url = Annotated[
    str, typer.Option(help="The address that `reconciled demo` printed.", envvar="RECONCILED_SANDBOX")
]
Account = Annotated[str | None, typer.Option(help="Whose; by default the first account's.")]


@commands.command()
def incidents(url: Url) -> None:
    """List the scripted incidents, and which of them are running."""
    found = client.list_incidents(url)
    running = {(each["name"], each["account"]) for each in found["running"]}
    table = Table("incident", "what happens", "running", box=None)
    for each in found["incidents"]:
        where = ", ".join(
            sorted(account or "everywhere" for name, account in running if name == each["name"])
        )
        table.add_row(each["name"], each["about"], where)
    show_table(table)


@commands.command()
def incident(
    name: Annotated[str, typer.Argument(help="Which; `sandbox incidents` lists them.")],
    url: Url,
    account: Account = None,
) -> None:
    """Start an incident."""
    client.start_incident(url, name, account)
    show(f"{name} has started. It goes on until `reconciled sandbox end {name}`.")


@commands.command()
def end(name: str, url: Url, account: Account = None) -> None:
    """End an incident."""
    client.end_incident(url, name, account)
    show(f"{name} is over.")


@commands.command()
def advance(duration: Annotated[str, typer.Argument(help="Such as 25h or 30d.")], url: Url) -> None:
    """Move the pretend world's clock ahead: deadlines pass, retries happen, retention ends."""
    try:
        ahead_s = seconds(duration)
    except ValueError as problem:
        raise Failed(str(problem)) from None
    client.advance(url, ahead_s)
    show(f"It is {duration} later.")
