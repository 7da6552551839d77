"""`reconciled login`: redeems a one-time link, or says who one is."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from accounts.secret import Secret
from daemon.cli import logins, remote
from daemon.cli.logins import Login
from daemon.cli.remote import Remote
from daemon.cli.terminal import Failed, show
from daemon.settings import Unusable


def login(
    context: typer.Context,
    link: Annotated[str | None, typer.Argument(help="The one-time link; without it: who you are.")] = None,
) -> None:
    """Redeem a one-time sign-in link for a token of your own, kept where only you can read it; or say who you are."""
    if link is None:
        me = remote.required(context.obj).get("/me")
        scope = "all accounts" if me["accounts"] is None else ", ".join(me["accounts"])
        show(f"You are {me['name']}, {me['role']}, for {scope}.")
        return
    address, code = _parted(link)
    made = _daemon_at(context, address).post("/login", {"code": code})
    path = logins.save(Login(address, made["user"], made["role"], Secret(made["token"])))
    show(f"You are signed in at {address} as {made['user']}, {made['role']}. The token is in {path}.")


def _parted(link: str) -> tuple[str, str]:
    address, _, code = link.strip().partition("#")
    address = address.rstrip("/").removesuffix("/login")
    if not code or urlsplit(address).scheme not in {"http", "https"}:
        raise Failed(
            "This is no sign-in link; one ends in /login#rcl_in_…, and `reconciled users add` prints it."
        )
    return address, code


def _daemon_at(context: typer.Context, address: str) -> Remote:
    """The daemon whose link it is: asked directly where this machine is its own."""
    try:
        settings = context.obj.settings()
    except Unusable:
        return Remote(address, remote.safe(address))
    ours = remote.named(settings) == address
    return Remote(address, remote.local(settings) if ours else remote.safe(address))
