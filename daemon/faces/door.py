"""The door before every face: who comes in, how often, and with how much.

A plain ASGI callable, so that nothing of a framework runs for whoever does not come in. It says who asks, bounds what
is sent, wants JSON for what changes something, and turns what escapes from behind it into an answer without internals.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import structlog
from starlette.concurrency import run_in_threadpool

from daemon.asgi import Answer, App, Message, Receive, Scope, Send, problem
from daemon.core.approval.principal import Principal
from daemon.desk.authority import Unauthorised
from daemon.faces.rates import Rates
from daemon.overview import StoreError

log = structlog.get_logger(__name__)

BODY_BYTES_MAX: Final = 1024 * 1024  # evidence for a dispute has at most 150,000 characters
BODY_S: Final = 20  # for the rest of a body that has begun
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SENDING: Final = frozenset({"POST", "PUT", "PATCH"})  # the methods that come with a body
ANONYMOUS_PER_S: Final = (
    5.0  # sign-ins and wrong tokens from one address; nobody guesses 256 bits, but it costs us
)
ANONYMOUS_BURST: Final = 50.0
# What is personal stays in no cache between us and them, and nothing is taken for what it does not say it is.
ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="reconciled"')

Refuse = Callable[[int, str, str, tuple[tuple[bytes, bytes], ...]], Answer]


class Keys(Protocol):
    def principal(self, bearer: str) -> Principal:
        """Who shows this. Raises Unauthorised, or StoreError."""
        ...


class Turned(Exception):
    """Whoever came was turned away with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class HungUp(Exception):
    """Whoever was sending went away."""


class Door:
    def __init__(
        self,
        app: App,
        keys: Keys,
        *,
        open_to_all: frozenset[tuple[str, str]] = frozenset(),
        rates: Rates | None = None,
        refuse: Refuse = problem,
    ) -> None:
        """`open_to_all` are methods and paths for which nobody has to show anything; `refuse` renders a refusal."""
        self._app = app
        self._keys = keys
        self._open = open_to_all
        self._rates = rates or Rates()
        self._strangers = Rates(ANONYMOUS_PER_S, ANONYMOUS_BURST)
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *ALWAYS]}
            await send(message)

        try:
            await self._let_in(scope, receive, sending)
        except Turned as turned:
            await turned.answer.send(sending)
        except HungUp:
            return
        except Exception:
            # What it was belongs into the log and never into the answer.
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if not begun:
                sentence = "This is a fault of ours, and the log has the details."
                await self._refuse(500, "internal", sentence, ()).send(sending)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            raise self._turned(400, "bad_text", "An address has no NUL in it.")
        if scope["method"] in SENDING:
            self._look_at_headers(headers)
        if (scope["method"], scope["path"]) in self._open:
            if scope["method"] not in READING:
                self._count(self._strangers, _address(scope))
        else:
            scope.setdefault("state", {})["who"] = await self._who(scope, headers)
        if scope["method"] not in READING:
            receive = _again(await self._body(receive), receive)
        await self._app(scope, receive, send)

    async def _who(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Principal:
        try:
            who = await run_in_threadpool(self._keys.principal, _shown(headers))
        except Unauthorised as unauthorised:
            self._count(self._strangers, _address(scope))
            raise self._turned(401, unauthorised.code, str(unauthorised), CHALLENGE) from None
        except StoreError:
            sentence = "The database does not answer now. Try again."
            raise self._turned(503, "store_unavailable", sentence, (b"retry-after", b"5")) from None
        self._count(self._rates, who.token_id or who.id)
        return who

    def _count(self, rates: Rates, key: str) -> None:
        wait_s = rates.wait_s(key)
        if wait_s:
            sentence = f"That was too often. Come again in {wait_s} s."
            raise self._turned(429, "too_many_requests", sentence, (b"retry-after", b"%d" % wait_s))

    def _look_at_headers(self, headers: Mapping[bytes, bytes]) -> None:
        declared = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if declared != b"application/json":
            raise self._turned(415, "not_json", "Send JSON, and say so: Content-Type: application/json.")
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise self._turned(415, "encoded_body", "Send the body as it is, not compressed.")
        if int(headers.get(b"content-length", b"0")) > BODY_BYTES_MAX:
            raise self._too_large()

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise HungUp
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > BODY_BYTES_MAX:
                        raise self._too_large()
        except TimeoutError:
            raise self._turned(408, "too_slow", "The body did not arrive in time.") from None
        return bytes(body)

    def _too_large(self) -> Turned:
        return self._turned(413, "too_large", f"The body is larger than {BODY_BYTES_MAX} bytes.")

    def _turned(self, status: int, code: str, sentence: str, *headers: tuple[bytes, bytes]) -> Turned:
        return Turned(self._refuse(status, code, sentence, headers))


def _shown(headers: Mapping[bytes, bytes]) -> str:
    """The token, from whichever of the two headers has it."""
    scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
    found = bearer if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
    return found.decode("latin-1").strip()


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return f"from {client[0]}" if client else "from somewhere"


def _again(body: bytes, receive: Receive) -> Receive:
    """A receiver that gives the body that was read, and then whatever comes after it: that they hung up."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving
