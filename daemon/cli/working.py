"""`reconciled run` and `reconciled sweep`: the daemon, and one full pass without it."""

import time
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from daemon import following, logs, once
from daemon import run as running
from daemon.cli.late import INTERRUPTED
from daemon.cli.progress import Shown
from daemon.cli.terminal import OK, PROBLEMS, Failed, now, say, show
from daemon.following import Passed
from daemon.settings import Configuration
from daemon.store.db import open_store
from daemon.store.errors import AlreadyRunning
from daemon.sweep.report import Swept

Account = Annotated[list[str] | None, typer.Option(help="Only this account; may be given twice.")]


def run(
    context: typer.Context,
    role: Annotated[Literal["all", "receive", "work"], typer.Option(help="For split deployments.")] = "all",
) -> None:
    """Run the daemon. SIGTERM ends it in order, SIGHUP takes configuration and keys anew."""
    logs.configure(context.obj.log_format)
    raise typer.Exit(running.run(Configuration(context.obj.config), now, role))


def sweep(
    context: typer.Context,
    account: Account = None,
    once_only: Annotated[bool, typer.Option("--once", help="One pass; what a sweep does anyway.")] = False,
) -> None:
    """Read everything again now, and judge it. With a daemon running, it does the work, and this command follows."""
    configuration = Configuration(context.obj.config)
    known = [each.id for each in configuration.settings.accounts]
    unknown = sorted(set(account or ()) - set(known))
    if unknown:
        raise Failed(
            f"There is no account {unknown[0][:60]}; the configuration has: {', '.join(known) or 'none'}."
        )
    accounts = list(dict.fromkeys(account or known))
    try:
        with Shown() as shown:
            result = once.full_pass(configuration, now, accounts, shown.step)
    except AlreadyRunning:
        result = _follow(configuration, accounts)
    for swept in result.swept:
        _tell(swept)
    show(f"{result.standing} cases stand; {result.settling} are still settling, or wait for a deadline.")
    raise typer.Exit(PROBLEMS if any(swept.unread for swept in result.swept) else OK)


def _follow(configuration: Configuration, accounts: Sequence[str]) -> Passed:
    demanded = once.demand(configuration, now, accounts)
    say("A daemon is running, and reads everything again. Ctrl-C ends this command, not the daemon.")
    try:
        with open_store(configuration.settings.daemon.database.reveal()) as store, Shown() as shown:
            return following.follow(store, demanded, now, shown.step, time.sleep)
    except following.Nobody:
        raise Failed(
            "Whoever worked on the database has stopped before everything was read. What was read is kept; "
            "`reconciled sweep` goes on from there."
        ) from None
    except KeyboardInterrupt:
        say("No longer followed. The daemon goes on; `reconciled cases list` shows what it finds.")
        raise typer.Exit(INTERRUPTED) from None


def _tell(swept: Swept) -> None:
    if swept.complete:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(swept.complete.items()))
        show(f"{swept.account}: {counts}")
    for name, why in sorted(swept.unread.items()):
        say(f"{swept.account}: {name} could not be read: {why}")
