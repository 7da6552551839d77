"""Speaks to a running sandbox: what the command line and the demo use. It needs nothing but the address."""

from typing import Any

import httpx
import msgspec

from accounts.errors import Explained

Json = dict[str, Any]

CALL_S = 30.0  # the clock may have a month of callbacks to go through


class SandboxUnreachable(Explained):
    """There is no sandbox at this address, or it refused; the message says which."""


def _call(method: str, url: str, path: str, sent: Json | None = None, **query: str | None) -> Json:
    params = {name: value for name, value in query.items() if value is not None}
    try:
        response = httpx.request(
            method,
            f"{url.rstrip('/')}/_sandbox{path}",
            json=sent,
            params=params,
            timeout=CALL_S,
            trust_env=False,
        )
        found: Json = msgspec.json.decode(response.content, type=dict[str, Any])
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError):
        raise SandboxUnreachable(f"No sandbox answers at {url}. Start one with: reconciled demo") from None
    if response.status_code != 200:
        raise SandboxUnreachable(str(found.get("message", response.status_code)))
    return found


def describe(url: str) -> list[Json]:
    """The accounts and how many objects of each class are in them."""
    accounts: list[Json] = state(url)["accounts"]
    return accounts


def state(url: str) -> Json:
    return _call("GET", url, "")


def list_incidents(url: str) -> Json:
    return _call("GET", url, "/incidents")


def start_incident(url: str, name: str, account: str | None = None) -> None:
    _call("POST", url, "/incidents", {"name": name, "account": account})


def end_incident(url: str, name: str, account: str | None = None) -> None:
    _call("DELETE", url, "/incidents", name=name, account=account)


def advance(url: str, ahead_s: int) -> None:
    """Moves the world's clock ahead."""
    _call("POST", url, "/clock", {"advance_s": ahead_s})


def listen(url: str, daemon: str) -> None:
    """Sends all webhooks to the daemon at this address."""
    _call("POST", url, "/webhooks", {"url": daemon})
