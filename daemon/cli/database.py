"""`reconciled db`: migrations and backups."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.terminal import OK, PROBLEMS, show
from daemon.store import backup as copying
from daemon.store import schema
from daemon.store.schema import SchemaState

commands = typer.Typer(no_args_is_help=True)


@commands.command()
def upgrade(context: typer.Context) -> None:
    """Create a missing database, or apply the migrations that are pending: all of them, or none."""
    before = schema.upgrade(context.obj.database())
    match before.state:
        case SchemaState.CURRENT | SchemaState.SERVED:
            show(f"The schema is {before.found}; nothing was to be done.")
        case SchemaState.MISSING:
            show(f"Created, with schema {before.known}.")
        case _:
            show(f"Upgraded from schema {before.found} to {before.known}.")


@commands.command()
def check(context: typer.Context) -> None:
    """Say whether this program and the database's schema fit; exits 1 where they do not."""
    found = schema.check(context.obj.database())
    match found.state:
        case SchemaState.CURRENT:
            show(f"The schema is {found.found}, as this program needs it.")
        case SchemaState.SERVED:
            show(
                f"The schema is {found.found}, newer than this program's {found.known}, and still serves it."
            )
        case SchemaState.MISSING:
            show("There is no database yet. Run `reconciled db upgrade`, or any command that writes.")
        case SchemaState.OLDER:
            show(
                f"The schema is {found.found}, this program needs {found.known}. Run `reconciled db upgrade`."
            )
        case SchemaState.NEWER:
            show(
                f"The schema is {found.found}, this program knows only {found.known}. Install the newer program."
            )
    fits = found.state in {SchemaState.CURRENT, SchemaState.SERVED}
    raise typer.Exit(OK if fits else PROBLEMS)


@commands.command()
def backup(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="Where to; never overwritten.")]
) -> None:
    """Write a consistent copy while the daemon runs. Keep reconciled.key with it."""
    copying.backup(context.obj.database(), file)
    show(f"wrote {file}")
