"""`reconciled run` and `reconciled sweep`: the daemon, and one full pass without it."""

import sys
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from daemon import logs, once
from daemon import run as running
from daemon.cli.terminal import OK, PROBLEMS, Failed, now, say, show
from daemon.settings import Configuration
from daemon.store.errors import AlreadyRunning
from daemon.sweep.report import Step, Swept

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
    """Read everything again now, and judge it. With a daemon running, it does the work."""
    configuration = Configuration(context.obj.config)
    known = [each.id for each in configuration.settings.accounts]
    unknown = sorted(set(account or ()) - set(known))
    if unknown:
        raise Failed(f"There is no account {unknown[0][:60]}; the configuration has: {', '.join(known)}.")
    with _Shown() as shown:
        try:
            result = once.full_pass(configuration, now, account or known, shown.step)
        except AlreadyRunning:
            once.demand(configuration, now, account or known)
            show(
                "A daemon is running, and was told to read everything again.",
                "`reconciled cases list` shows it.",
            )
            return
    for swept in result.swept:
        _tell(swept)
    show(f"{result.standing} cases stand; {result.settling} are still settling.")
    raise typer.Exit(PROBLEMS if any(swept.unread for swept in result.swept) else OK)


class _Shown:
    """A bar for each resource on a terminal, nothing but the end elsewhere."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        self._progress = Progress(*columns, disable=not sys.stderr.isatty(), transient=True)
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> "_Shown":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, step: Step) -> None:
        name = (step.account, step.resource)
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(" ".join(name), total=None, rate="")
        total = None if step.remaining is None else step.objects + step.remaining
        rate = f"{step.objects_per_s:,.0f}/s"
        self._progress.update(self._tasks[name], completed=step.objects, total=total, rate=rate)


def _tell(swept: Swept) -> None:
    if swept.complete:
        counts = ", ".join(f"{count} {name}" for name, count in swept.complete.items())
        show(f"{swept.account}: {counts}")
    for name, why in swept.unread.items():
        say(f"{swept.account}: {name} could not be read: {why}")
