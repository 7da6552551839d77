"""`reconciled bench`: how fast it is here, beside the least that does the same, as one line of JSON for each result."""

from typing import Annotated

import typer

from daemon.bench import benches
from daemon.cli.terminal import say, show

Names = Annotated[list[benches.Name] | None, typer.Argument(help="Which; all of them by default.")]
Servers = Annotated[
    list[str] | None,
    typer.Option(
        "--database", help="A PostgreSQL server to measure on as well, postgresql://user@host/name."
    ),
]
Quick = Annotated[
    bool, typer.Option(help="Only whether it works: a few seconds, and figures that say nothing.")
]


def bench(names: Names = None, database: Servers = None, quick: Quick = False) -> None:
    """Measure on SQLite, and on PostgreSQL where one is named, against the sandbox. The databases are its own."""
    if not database:
        say("PostgreSQL is not measured: name a server whose user may create databases with --database.")
    for result in benches.run(names or benches.Name, database or (), quick=quick):
        show(result.line())
