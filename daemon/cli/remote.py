"""The daemon over HTTP, as the person who is signed in: what a command asks, and its refusals as sentences."""

import os
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from accounts.configuration import LOOPBACK
from accounts.secret import Secret, redact
from daemon.cli import logins
from daemon.cli.options import Options
from daemon.cli.terminal import Failed
from daemon.settings import Settings, Unusable

TIMEOUT_S: Final = 60.0  # approving reads Stripe first
EVERY_INTERFACE: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - what to call instead


class Remote:
    """One daemon. `name` is the address that people know it by, `base` the one that is asked."""

    def __init__(self, name: str, base: str, token: Secret | None = None) -> None:
        self.name = name
        self._base = base
        self._token = token

    def by(self, token: Secret) -> "Remote":
        """The same, asked by whoever has this token."""
        return Remote(self.name, self._base, token)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._token.reveal()}"} if self._token is not None else {}
        # What stands in the environment may know a way to the outside, but none to this machine.
        direct = urlsplit(self._base).hostname in LOOPBACK
        try:
            with httpx.Client(base_url=self._base, timeout=TIMEOUT_S, trust_env=not direct) as client:
                answer = client.request(method, f"/api/v1{path}", headers=headers, **more)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Unanswered(
                f"No daemon answers at {self._base}. Is `reconciled run` running there?"
            ) from None
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Failed(f"{self._base} answered {answer.status_code} and nothing that we understand.")
        if answer.is_error:
            raise Failed(f"{redact(str(found.get('detail', '')))} ({found.get('code', answer.status_code)})")
        return found


class Unanswered(Failed):
    """Nobody answered at all."""


def named(settings: Settings) -> str:
    """How people know the daemon of this configuration; links begin with it."""
    return (settings.daemon.public_url or local(settings)).rstrip("/")


def daemon_of(options: Options) -> Remote:
    """The daemon that this command is for, without saying who asks."""
    given = os.environ.get("RECONCILED_URL", "").rstrip("/")
    if given:
        return Remote(given, safe(given))
    try:
        settings = options.settings()
    except Unusable:
        known = logins.addresses()
        if options.config.exists() or len(known) != 1:
            raise
        return Remote(known[0], safe(known[0]))
    return Remote(named(settings), local(settings))


def signed_in(options: Options) -> Remote | None:
    """The same as whoever is signed in there; None where nobody is."""
    daemon = daemon_of(options)
    given = os.environ.get("RECONCILED_TOKEN")
    if given:
        return daemon.by(Secret(given))
    login = logins.load(daemon.name)
    return daemon.by(login.token) if login is not None else None


def required(options: Options) -> Remote:
    """The same for what only a person may do. Raises Failed."""
    remote = signed_in(options)
    if remote is None:
        raise Failed(
            f"You are not signed in at {daemon_of(options).name}. `reconciled users add NAME --role ROLE` prints a "
            "link, `reconciled login LINK` redeems it; or set RECONCILED_TOKEN."
        )
    return remote


def local(settings: Settings) -> str:
    """Where the daemon of this configuration answers on this machine, past whatever stands before it."""
    host, _, port = settings.daemon.listen.rpartition(":")
    return f"http://{EVERY_INTERFACE.get(host, host)}:{port}"


def safe(address: str) -> str:
    """An address to which a token may be sent. Raises Failed."""
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise Failed(f"{address[:100]} is neither https nor this machine, and a token is not sent there.")
    return address


def part(text: str) -> str:
    """One part of a path, whatever was typed."""
    return quote(text, safe="")
