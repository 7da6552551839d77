"""`POST /webhooks/stripe/{account}`: takes an event, and answers 2xx only when it is stored and marked for a look.

It stands ahead of every framework, since each microsecond here is paid by every event. What it does is little: find
the door, bound the body, wait for the writer, answer, and only then wake whoever looks.
"""

import asyncio
import queue
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import structlog

from accounts.registry import Registry
from daemon.asgi import Answer, Message, Receive, Scope, Send
from daemon.receive import refusals
from daemon.receive.doors import Doors, doors_of
from daemon.receive.opening import Letter
from daemon.receive.refusals import BODY_BYTES_MAX, Refused
from daemon.receive.writer import Told, Writer
from daemon.store.db import Store

log = structlog.get_logger(__name__)

PREFIX = "/webhooks/stripe/"
BODY_S = 20  # for the rest of a body that has begun; Stripe gives up on an answer sooner
HELD_BYTES_MAX = (
    64 * 1024 * 1024
)  # of bodies that arrive or wait; two seconds of work, and then it says: come again
LET_BY_BYTES_MAX = 16 * BODY_BYTES_MAX  # of a body that is too large, so that its sender is told
WAKE_PAUSE_S = 0.01  # in a storm each commit would wake the same accounts again, hundreds of times a second

Future = asyncio.Future[Answer]


class HungUp(Exception):
    """Whoever was sending went away."""


class Receiver:
    """The ASGI callable, and the two threads behind it."""

    def __init__(
        self, store: Store, registry: Registry, now: Callable[[], datetime], wake: Callable[[str], None]
    ) -> None:
        """`wake` says that there is something to look at in an account; it is called on a thread of its own."""
        self._wake = wake
        self._writer: Writer[Future] = Writer(store, now, self._tell)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._marked: queue.SimpleQueue[frozenset[str] | None] = queue.SimpleQueue()
        self._held_bytes = 0
        self._doors = Doors({}, ())
        self.reload(registry)

    def reload(self, registry: Registry) -> None:
        """Takes accounts and secrets anew; requests under way are finished with the old ones."""
        doors = doors_of(registry)
        for sentence in doors.problems:
            log.error("webhook_secret_unreadable", because=sentence)
        self._doors = doors

    def start(self, start: Callable[[str, Callable[[], None]], None]) -> None:
        """Begins the threads with the supervisor's `start`. Until then nothing is answered that must be stored."""
        start("receive-writer", self._writer.run)
        start("receive-waker", self._wake_the_marked)

    def stop(self) -> None:
        """Ends the threads after all that was handed in. To be called when no more requests come."""
        self._writer.stop()
        self._marked.put(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            letter = await self._letter(scope, receive)
        except HungUp:
            return
        except Refused as refused:
            await refused.refusal.counted().send(send)
            return
        self._loop = asyncio.get_running_loop()
        future: Future = self._loop.create_future()
        self._held_bytes += len(letter.body)
        self._writer.put(letter, future)
        try:
            answer = await future
        finally:
            self._held_bytes -= len(letter.body)
        await answer.send(send)

    async def _letter(self, scope: Scope, receive: Receive) -> Letter:
        door = self._doors.by_name.get(scope["path"].removeprefix(PREFIX))
        if door is None:
            raise Refused(refusals.UNKNOWN_ACCOUNT)
        if scope["method"] != "POST":
            raise Refused(refusals.WRONG_METHOD)
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refused(refusals.ENCODED)
        if int(headers.get(b"content-length", b"0")) > BODY_BYTES_MAX:
            await _heard_out(receive)
            raise Refused(refusals.TOO_LARGE)
        message = await receive()
        whole = message["type"] == "http.request" and not message["more_body"]
        body = message["body"] if whole else await self._rest(message, receive)
        if len(body) > BODY_BYTES_MAX:
            raise Refused(refusals.TOO_LARGE)
        if self._held_bytes + len(body) > HELD_BYTES_MAX:
            raise Refused(refusals.BUSY)
        return Letter(door, headers.get(b"stripe-signature"), body)

    async def _rest(self, message: Message, receive: Receive) -> bytes:
        """A body that comes in pieces, read no further than to its limit."""
        body, counted = bytearray(), 0
        try:
            async with asyncio.timeout(BODY_S):
                while True:
                    if message["type"] == "http.disconnect":
                        raise HungUp
                    body += message["body"]
                    self._held_bytes += len(body) - counted
                    counted = len(body)
                    if not message["more_body"] or counted > BODY_BYTES_MAX:
                        return bytes(body)
                    if self._held_bytes > HELD_BYTES_MAX:
                        raise Refused(refusals.BUSY)
                    message = await receive()
        except TimeoutError:
            raise Refused(refusals.TOO_SLOW) from None
        finally:
            self._held_bytes -= counted

    def _tell(self, told: Told[Future]) -> None:
        """On the writer's thread."""
        if told.answers:
            assert self._loop is not None
            # A server that has ended cannot answer: what is stored is stored, and will come again as known.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._answer, told)

    def _answer(self, told: Told[Future]) -> None:
        for future, answer in told.answers:
            if not future.done():  # it is, where the server was told to wait no longer
                future.set_result(answer)
        if told.marked:
            # Those who waited go on first, since that was scheduled first: the wake follows the answers.
            asyncio.get_running_loop().call_soon(self._marked.put, told.marked)

    def _wake_the_marked(self) -> None:
        goes_on = True
        while goes_on:
            marked: set[str] = set()
            while goes_on and (not marked or not self._marked.empty()):
                more = self._marked.get()
                marked |= more or set()
                goes_on = more is not None
            for account in marked:
                try:
                    self._wake(account)
                except Exception:
                    # The mark stands in the database, and the next scan finds it; the others are woken all the same.
                    log.exception("wake_failed", account=account)
            time.sleep(WAKE_PAUSE_S)


async def _heard_out(receive: Receive) -> None:
    """Lets what nobody will read go by, for a while: who is closed upon while still sending hears no answer."""
    let_by = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(BODY_S):
            while let_by < LET_BY_BYTES_MAX:
                message = await receive()
                if message["type"] == "http.disconnect" or not message["more_body"]:
                    return
                let_by += len(message["body"])
