"""`reconciled demo`: the pretend world, and the daemon in it."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli import cases
from daemon.cli.terminal import show, show_table
from daemon.demo import Wish, run


def demo(
    once: Annotated[bool, typer.Option("--once", help="Show the tables and end.")] = False,
    port: Annotated[int, typer.Option(help="Where the daemon listens.", min=1, max=65535)] = 8787,
    accounts: Annotated[int, typer.Option(help="How many pretend accounts.", min=1, max=1000)] = 3,
    customers: Annotated[int, typer.Option(help="How many customers in each.", min=1, max=100_000)] = 50,
    seed: Annotated[int, typer.Option(help="Another number, another world.")] = 7,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where its configuration is written.")] = None,
) -> None:
    """A pretend Stripe, CRM and product, and the daemon that finds what is wrong in them. No keys, no network."""
    wish = Wish(once, port, accounts, customers, seed, folder)
    run(wish, show, lambda items: show_table(cases.table(items)))
