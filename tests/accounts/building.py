"""What the tests of Stripe's side are built from: clocks that obey, keys, and a Stripe that answers one thing."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from accounts.budget import MemoryLedger, ReadBudget
from accounts.facts import Address
from accounts.limits import Limiter
from accounts.registry import Key, KeyOwner
from accounts.secret import Secret
from accounts.stripe.connection import Connection, open_client
from accounts.stripe.decoding import Decoding
from accounts.stripe.identity import Proven, prove
from accounts.stripe.permissions import Permissions
from accounts.stripe.reads import Reader

ACCT = "acct_1Here"
ELSEWHERE = "acct_2Elsewhere"
HASH_KEY = b"a key of the installation"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)

Handler = Callable[[httpx.Request], httpx.Response]


class Clock:
    """Stands still until somebody waits or advances it."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s

    def wait(self, seconds: float) -> None:
        self.s += max(seconds, 0.0)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.s - 1_000.0)


def key(value: str = "rk_live_readerreader", owner: str = ACCT, on_behalf_of: str | None = None) -> Key:
    return Key(Secret(value), value.startswith("rk_live_"), KeyOwner(owner), on_behalf_of)


def connection(
    handler: Handler, *, by: Key | None = None, clock: Clock | None = None, account: str = "here"
) -> Connection:
    clock = clock or Clock()
    opened = by or key()
    return Connection(
        account,
        opened,
        "https://stripe.invalid",
        httpx.Client(transport=httpx.MockTransport(handler)),
        Limiter(opened.livemode, 1.0, clock=clock, wait=clock.wait),
        ReadBudget(opened.owner, MemoryLedger(), clock.now),
        now=clock.now,
    )


def reader(handler: Handler, *, clock: Clock | None = None, permissions: Permissions | None = None) -> Reader:
    clock = clock or Clock()
    over = connection(handler, clock=clock)
    return Reader(
        over,
        Proven(over.account, ACCT, over.key, "account"),
        permissions or Permissions(over.account, clock=clock),
        Decoding(HASH_KEY, ["source", "plan"]),
    )


def respond(body: object, status: int = 200, **headers: str) -> httpx.Response:
    """A response as it comes from a network: bytes that nobody has read yet, or JSON made of anything else."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.Response(status, headers=named, stream=httpx.ByteStream(content))


def refusal(status: int, code: str | None = None, message: str = "No.", **more: str) -> Handler:
    error = {"type": "invalid_request_error", "message": message} | ({"code": code} if code else {}) | more
    return lambda request: respond({"error": error}, status, request_id="req_1")


class Opened:
    """An account of the sandbox, opened as the program does it."""

    def __init__(
        self,
        url: str,
        account: str,
        value: str,
        *,
        share: float = 1.0,
        raised: float = 1.0,
        owner: str | None = None,
    ) -> None:
        self.http = open_client()
        opened = key(value, owner or account, on_behalf_of=account if owner else None)
        self.ledger = MemoryLedger(transactions=10_000)
        self.permissions_clock = Clock()
        self.permissions = Permissions("here", clock=self.permissions_clock)
        self.limiter = Limiter(opened.livemode, share, raised=raised)
        self.connection = Connection(
            "here", opened, url, self.http, self.limiter, ReadBudget(opened.owner, self.ledger, lambda: NOON)
        )
        self.stripe_account = account

    def prove(self, known: Address | None = None) -> Proven:
        return prove(self.connection, self.stripe_account, known)

    def reader(self, proven: Proven | None = None) -> Reader:
        return Reader(self.connection, proven or self.prove(), self.permissions, Decoding(HASH_KEY))


@contextmanager
def opened(
    url: str, account: str, value: str, *, share: float = 1.0, raised: float = 1.0, owner: str | None = None
) -> Iterator[Opened]:
    """Closed at the end, as a socket left open is an error."""
    one = Opened(url, account, value, share=share, raised=raised, owner=owner)
    try:
        yield one
    finally:
        one.http.close()
