"""`reconciled callbacks`: what was told outside and what was not, how to tell it anew, and what signs it."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from accounts.secret import Secret
from daemon.cli.terminal import Failed, now, say, show, show_json, show_table
from daemon.core.approval.principal import OWNER
from daemon.core.canonical import Json
from daemon.store import callback_secrets, journal, outbox
from daemon.store.callback_secrets import BOTH_FOR
from daemon.store.journal import Note
from daemon.store.outbox import Parcel
from daemon.wiring import secret_key

commands = typer.Typer(no_args_is_help=True)

State = Literal["waiting", "delivered", "dead"]


@commands.command("list")
def list_callbacks(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="dead: nobody tries it any more.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=outbox.LISTED_MAX)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the outbox: callbacks and notifications, newest first, and why what did not arrive did not."""
    with context.obj.store() as store, store.reading() as session:
        found = outbox.listed(session, state=state, account=account, limit=limit)
    if as_json:
        show_json({"items": list(map(_shown, found))})
        return
    table = Table("id", "to", "about", "no.", "state", "tries", "made", "why not", box=None)
    for each in found:
        made = f"{each.created_at:%Y-%m-%d %H:%M}"
        numbers = (str(each.sequence), each.state, str(each.tries))
        table.add_row(each.id, each.receiver, each.topic[1], *numbers, made, each.error or "")
    show_table(table)


@commands.command()
def redeliver(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="As `callbacks list` shows it.")],
) -> None:
    """Send a message anew, under the same id, with all its tries; also one that has arrived."""
    with context.obj.store(writing=True) as store, store.transaction() as session:
        parcel = outbox.redeliver(session, id, now())
        if parcel is None:
            raise Failed(f"There is no message “{id[:80]}”: `reconciled callbacks list` shows them.")
        body: dict[str, Json] = {"id": parcel.id, "about": parcel.topic[1], "sequence": parcel.sequence}
        note = Note("callback_redelivered", OWNER.name, body, account=parcel.account, subject=parcel.topic)
        journal.append(session, note, now())
    show(f"{parcel.id} goes to {parcel.receiver} within a minute of a running daemon.")


@commands.command()
def secret(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="The name or id of the token that asks to be called.")],
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new one; the old signs for a day.")
    ] = False,
) -> None:
    """Print the secret that signs a token's callbacks, for Standard Webhooks libraries."""
    key = secret_key(context.obj.settings())
    with context.obj.store(writing=rotate) as store, store.transaction() as session:
        token_id = callback_secrets.named(session, token)
        if token_id is None:
            raise Failed(f"There is no token “{token[:80]}”: `reconciled tokens list` shows them.")
        if rotate:
            callback_secrets.rotate(session, token_id, now())
        newest, *_ = callback_secrets.holding(session, key, token_id, now())
        if rotate:
            note = Note(
                "callback_secret_rotated", OWNER.name, {"token": token_id}, subject=("token", token_id)
            )
            journal.append(session, note, now())
    if rotate:
        hours = int(BOTH_FOR.total_seconds() // 3_600)
        say(f"Callbacks are signed with the old and the new secret for {hours} hours, then with this one:")
    show(_spelled(newest))


def _spelled(secret: Secret) -> str:
    return secret.reveal()  # who asks for it here is the installation's owner, at the installation's machine


def _shown(parcel: Parcel) -> dict[str, Any]:
    shown = asdict(parcel)
    kind, about = shown.pop("topic")
    return shown | {"about": {"kind": kind, "id": about}}
