"""`reconciled actions`: the kill switch. As the person who is signed in, or at the machine itself as its owner."""

from typing import Annotated, Any, Literal

import typer

from daemon.cli import remote
from daemon.cli.refusing import sentences
from daemon.cli.remote import Unanswered
from daemon.cli.terminal import now, say, show
from daemon.core.approval.principal import OWNER
from daemon.desk.stopping import Switch
from daemon.settings import Settings
from daemon.store.db import open_store
from daemon.store.stops import EVERYWHERE


def actions(
    context: typer.Context,
    state: Annotated[Literal["on", "off"] | None, typer.Argument(help="Without it: how it stands.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
) -> None:
    """Stop all acting at once, or let it go on; approvals meanwhile wait, and expire as ever."""
    stopped = _over_http(context, state, account)
    if stopped is None:
        stopped = _on_database(context.obj.settings(), state, account)
    everywhere, accounts = stopped
    show(
        "Acting is stopped in all accounts." if everywhere else "Acting is not stopped as a whole.",
        *(f"{name}: {sentence}" for name, sentence in accounts.items() if sentence),
    )


def _over_http(
    context: typer.Context, state: str | None, account: str | None
) -> tuple[bool, dict[str, Any]] | None:
    """None where nobody is signed in, or nobody answers: a switch must work when all else fails."""
    daemon = remote.signed_in(context.obj)
    if daemon is None:
        return None
    try:
        if state is None:
            found = daemon.get("/actions")
        else:
            found = daemon.post("/actions", {"state": state, "account": account})
    except Unanswered:
        say("The daemon does not answer; this is done on the database, as its owner.")
        return None
    return found["stopped"], found["accounts"]


def _on_database(settings: Settings, state: str | None, account: str | None) -> tuple[bool, dict[str, Any]]:
    accounts = [each.id for each in settings.accounts]
    with open_store(settings.daemon.database.reveal(), upgrade=True) as store, sentences():
        switch = Switch(store, now, accounts)
        if state == "off":
            switch.off(OWNER, account)
        elif state == "on":
            switch.on(OWNER, account)
        found = switch.stops(OWNER)
    return EVERYWHERE in found, {
        name: f"{found[name].stopped_by} stopped it on {found[name].stopped_at:%Y-%m-%d at %H:%M} UTC."
        for name in accounts
        if name in found
    }
