"""`reconciled replay`: looking again at what was looked at before."""

from typing import Annotated

import typer

from accounts.errors import Misused
from daemon import once
from daemon.cli.moments import moment_or_ago
from daemon.cli.terminal import Failed, now, show
from daemon.replay import Replay, Replayed
from daemon.settings import Configuration
from daemon.store.errors import AlreadyRunning

WHEN = "A day or time in UTC, or how long ago: 2026-11-21, 2026-11-21T14:00, 3d, 2h."


def replay(
    context: typer.Context,
    account: Annotated[str, typer.Option(help="Whose.")],
    since: Annotated[
        str | None, typer.Option(help=f"Everything that events since then were about. {WHEN}")
    ] = None,
    until: Annotated[str | None, typer.Option(help="With --since: not what came later.")] = None,
    event: Annotated[str | None, typer.Option(help="What this event was about: evt_…")] = None,
    object_id: Annotated[str | None, typer.Option("--object", help="This object: dp_…, in_…, cus_…")] = None,
    dead: Annotated[
        bool, typer.Option("--dead", help="What was set aside because looks at it failed.")
    ] = False,
) -> None:
    """Look again, at the present state. Nothing is done twice by it: what stands already stands once.

    A running daemon does the looking; without one, this command does it before it ends.
    """
    configuration = Configuration(context.obj.config)
    known = [each.id for each in configuration.settings.accounts]
    if account not in known:
        raise Failed(
            f"There is no account {account[:60]}; the configuration has: {', '.join(known) or 'none'}."
        )
    if sum((since is not None, event is not None, object_id is not None, dead)) != 1:
        raise Misused("Name one of --since, --event, --object and --dead: it says what to look at again.")
    if until is not None and since is None:
        raise Misused("--until says where --since ends; name --since too.")
    begins, ends = moment_or_ago(since), moment_or_ago(until)
    if begins is not None and begins > (ends or now()):
        raise Misused(
            f"{begins:%Y-%m-%d %H:%M} is after {ends or now():%Y-%m-%d %H:%M} UTC: nothing lies between."
        )

    def mark(replay: Replay) -> Replayed:
        if begins is not None:
            return replay.since(account, begins, ends)
        if event is not None:
            return replay.event(account, event)
        return replay.object(account, object_id) if object_id is not None else replay.dead(account)

    try:
        looked = once.again(configuration, now, account, mark)
    except AlreadyRunning:
        marked = once.ask_again(configuration, now, mark).marked
        show(_said(marked, "the running daemon looks at them now") if marked else _nothing(dead=dead))
        return
    if not looked.marked:
        show(_nothing(dead=dead))
        return
    show(
        _said(looked.marked, "no daemon is running, so this command has looked at them"),
        f"{looked.standing} cases stand; {looked.settling} are still settling, or wait for a deadline.",
    )


def _said(marked: int, who: str) -> str:
    return (
        f"{marked} to be looked at again; {who}."
        if marked != 1
        else f"One to be looked at again; {who.replace('them', 'it')}."
    )


def _nothing(*, dead: bool) -> str:
    return (
        "Nothing has been set aside."
        if dead
        else "No event of that time was about anything that can be read."
    )
