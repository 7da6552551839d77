"""`reconciled policy activate` and `confirm`: how another policy comes into force."""

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli import remote
from daemon.cli.people import governing
from daemon.cli.terminal import Failed, say, show
from daemon.core.approval.principal import OWNER


def activate(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The policy.")],
    name: Annotated[str, typer.Option(help="Which one it is, as [policies] names it.")] = "default",
    owner: Annotated[
        bool, typer.Option("--owner", help="At the machine itself, past whoever is signed in.")
    ] = False,
) -> None:
    """Put a policy in force: at once, or once another admin confirms it where two admins have signed in."""
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        raise Failed(f"{file} cannot be read as text.") from None
    daemon = None if owner else remote.signed_in(context.obj)
    if daemon is not None:
        done = daemon.post(f"/policies/{remote.part(name)}/activate", {"text": text})
    else:
        done = _as_owner(context, name, text)
    show(*done["differences"])
    if done["change"] is not None:
        show(f"This waits for another admin: `reconciled policy confirm {done['version']}`.")
        return
    show(f"{name}: version {done['version']} is in force.")
    if done["automatic_refunds"]:
        say(
            "Its automatic refunds wait until a second admin stands for it: `reconciled policy confirm HASH`."
        )


def confirm(
    context: typer.Context, version: Annotated[str, typer.Argument(help="Its hash, or the beginning of it.")]
) -> None:
    """Confirm a policy that somebody else wants in force; as the admin who is signed in here."""
    done = remote.required(context.obj).post(f"/policies/versions/{remote.part(version)}/confirm", {})
    show(f"Confirmed: version {done['version']} is in force.")


def install(commands: typer.Typer) -> None:
    """Adds these to the `policy` commands."""
    commands.command("activate")(activate)
    commands.command("confirm")(confirm)


def _as_owner(context: typer.Context, name: str, text: str) -> dict[str, Any]:
    with governing(context) as desk:
        done = desk.activate_policy(OWNER, name, text)
    return {
        "version": done.version, "differences": done.differences, "change": done.change,
        "automatic_refunds": done.automatic_refunds,
    }  # fmt: skip
