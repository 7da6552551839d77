"""Runs the pretend world over real HTTP on loopback: one event loop in a thread, and every face under its path."""

import asyncio
import concurrent.futures
import inspect
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from accounts.sandbox import control, crm, hubspot, incidents, product, salesforce, seeding, stripe_api
from accounts.sandbox.clock import seconds
from accounts.sandbox.http import Face, HungUp, Request, Response
from accounts.sandbox.webhooks import delivering
from accounts.sandbox.world import World

# A path belongs to the first face whose prefix it begins with; a face is made from the world.
FACES: tuple[tuple[str, Callable[[World], Face]], ...] = (
    ("/v1/", stripe_api.face),
    ("/v2/", stripe_api.face),
    ("/crm/", crm.face),
    ("/hubspot/", hubspot.face),
    ("/salesforce/services/oauth2/token", salesforce.token_face),
    ("/salesforce/", salesforce.face),
    ("/oauth/token", salesforce.token_face),
    ("/product/", product.face),
    ("/_sandbox", control.face),
)

TICK_S = 0.02  # how late the clock's callbacks may be
CALL_S = 30.0  # how long another thread waits for the loop before it calls the world stuck
KEEP_ALIVE_S = 75  # clients hold their connections for a minute at most
START_S = 300.0  # for a large world to be planted

T = TypeVar("T")


class Sandbox:
    """The running world, as tests and the demo hold it."""

    def __init__(self, world: World, plant: Callable[[World], None], host: str, port: int) -> None:
        self.world = world
        self._plant = plant
        self._socket = socket.create_server((host, port), backlog=2048)
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self._app = _App(world)
        self._loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    @classmethod
    @contextmanager
    def start(
        cls,
        seed: int = 7,
        accounts: int = 3,
        customers: int = 50,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        enforce_limits: bool = False,
        at: int | None = None,
        real: Callable[[], float] = time.monotonic,
    ) -> "Iterator[Sandbox]":
        world = World(seed, int(time.time()) if at is None else at, real)
        world.enforce_limits = enforce_limits
        sandbox = cls(world, lambda world: seeding.plant(world, accounts, customers), host, port)
        try:
            sandbox.open()
            yield sandbox
        finally:
            sandbox.close()

    def on_loop(self, fn: Callable[[], T]) -> T:
        """Runs `fn` on the loop's thread, where all state is touched, and gives back its result."""
        if threading.current_thread() is self._thread:
            return fn()
        result: concurrent.futures.Future[T] = concurrent.futures.Future()

        def call() -> None:
            try:
                result.set_result(fn())
            except BaseException as failure:
                result.set_exception(failure)

        self._loop.call_soon_threadsafe(call)
        return result.result(CALL_S)

    def advance(self, duration: str) -> None:
        """Moves the world's clock ahead: `25h`, `90s`, `30d`."""
        self.on_loop(lambda: self.world.clock.advance(seconds(duration)))

    def incident(self, name: str, account: str | None = None) -> None:
        self.on_loop(lambda: incidents.start(self.world, name, account))

    def end_incident(self, name: str, account: str | None = None) -> None:
        self.on_loop(lambda: incidents.end(self.world, name, account))

    def open(self) -> None:
        self._thread.start()
        self._started.wait(START_S)
        self._rethrow()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(CALL_S)
        self._socket.close()
        self._rethrow()

    def _rethrow(self) -> None:
        for failure in (self._failure, *self._app.mistakes):
            if failure is not None:
                raise failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._started.set()

    async def _serve(self) -> None:
        config = uvicorn.Config(
            self._app,
            http=_Protocol,
            lifespan="off",
            log_config=None,
            log_level="critical",  # a connection cut on purpose is no error
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._plant(self.world)
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[self._socket])
        try:
            async with delivering(self.world):
                self._started.set()
                while not self._stop.is_set():
                    self.world.clock.tick()
                    await asyncio.sleep(TICK_S)
        finally:
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(TICK_S)  # else uvicorn waits five times as long for them to go
            await server.shutdown(sockets=[self._socket])


class _Protocol(HttpToolsProtocol):
    """Uvicorn's own, but a face may hang up."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"hang_up": {"close": self.transport.close}}


class _App:
    """From ASGI to the faces and back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dated = 0, b""
        self.mistakes: list[Exception] = []  # our own; they rise when the sandbox is closed
        made = {make: make(world) for _, make in FACES}
        self._faces = [(prefix, made[make]) for prefix, make in FACES]

    def _date(self) -> bytes:
        """By the world's clock, as all else in it: a daemon compares its own with it."""
        now = self._world.clock.now()
        if now != self._dated[0]:
            self._dated = now, formatdate(now, usegmt=True).encode()
        return self._dated[1]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(
            method=scope["method"],
            path=scope["path"],
            query=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]},
            body=b"" if scope["method"] == "GET" else await _body(receive),
        )
        face = next((face for prefix, face in self._faces if request.path.startswith(prefix)), _nobody)
        try:
            answered = face(request)
            response = await answered if inspect.isawaitable(answered) else answered
        except HungUp as hung:
            await _hang_up(hung, scope, receive, send)
            return
        except Exception as mistake:
            self.mistakes.append(mistake)
            raise
        headers = [
            (name.encode("latin-1"), text.encode("latin-1")) for name, text in response.headers.items()
        ]
        headers += ((b"content-length", b"%d" % len(response.body)), (b"date", self._date()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})


async def _body(receive: Any) -> bytes:
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _hang_up(hung: HungUp, scope: Any, receive: Any, send: Any) -> None:
    if hung.sent:
        promised = [(b"content-type", b"application/json"), (b"content-length", b"%d" % (2 * len(hung.sent)))]
        await send({"type": "http.response.start", "status": 200, "headers": promised})
        await send({"type": "http.response.body", "body": hung.sent, "more_body": True})
    scope["extensions"]["hang_up"]["close"]()
    while (await receive())["type"] != "http.disconnect":  # until uvicorn knows, it would answer 500
        pass


def _nobody(request: Request) -> Response:
    return Response(404, b'{"error":{"message":"The sandbox has nothing at this path."}}')
