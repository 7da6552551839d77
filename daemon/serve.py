"""The HTTP server: uvicorn in a thread, and what it serves ahead of every framework.

`POST /webhooks/stripe/…` goes to the receiver before anything else is asked. `/healthz` says whether this process
lives, `/readyz` whether it can do its work, `/metrics` what it did. Whatever else there is comes after them.
"""

import asyncio
import gc
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

import msgspec
import uvicorn
from structlog.contextvars import bound_contextvars

from accounts.errors import Explained
from daemon.asgi import Answer, App, Receive, Scope, Send, answer, problem
from daemon.receive.route import PREFIX
from metrics.exporter import exposition

BACKLOG = 4_096  # connections that wait to be accepted: a burst arrives faster than Python accepts
KEEP_ALIVE_S = 75  # longer than what stands before us keeps its connections, so that it is the one who closes
DRAIN_S = 20  # for requests under way, when the server is stopped
CHECKS_S = 5  # for all that readiness asks; who asks does not wait much longer

Page = Callable[[Scope], Awaitable[Answer]]
Checks = Mapping[str, Callable[[], str | None]]  # by what is checked: a sentence if something is wrong

LIVE = answer(200, b'{"status":"ok"}')
NOWHERE = problem(404, "unknown_path", "There is nothing at this path.")
READ_ONLY = problem(
    405, "method_not_allowed", "This path is only read, with GET.", ((b"allow", b"GET, HEAD"),)
)


class CannotListen(Explained):
    """The address to listen on cannot be had, or its certificate cannot be used."""


class Certificates(Protocol):
    """Files: ours, its key, and whose certificates a client must show; None: it need not show any."""

    @property
    def certificate(self) -> Path: ...

    @property
    def key(self) -> Path: ...

    @property
    def client_ca(self) -> Path | None: ...


class Server:
    """One application at one address. The address is taken at once, so that a mistake is seen before all else."""

    def __init__(self, listen: str, app: App, tls: Certificates | None = None) -> None:
        """Raises CannotListen with a sentence."""
        spoken = _spoken(listen, tls) if tls is not None else {}
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
        except OSError as error:
            raise CannotListen(
                f"{listen} cannot be listened on: {error.strerror}. Is another daemon running there?"
            ) from None
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                **spoken,
                http="httptools",
                loop="auto",
                ws="none",
                lifespan="off",
                log_config=None,  # its lines go through our own chain
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )

    def run(self) -> None:
        """Serves until `stop` is called, and then what was begun. A supervised thread's work."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        self._server.should_exit = True


def _spoken(listen: str, tls: Certificates) -> dict[str, Any]:
    """What uvicorn is told; the files are tried here, where a sentence can still be said."""
    try:
        tried = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tried.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca is not None:
            tried.load_verify_locations(tls.client_ca)
    except (OSError, ssl.SSLError) as error:
        raise CannotListen(
            f"{listen} cannot speak TLS: {tls.certificate}, its key or its client_ca cannot be used ({error.strerror})."
        ) from None
    return {
        "ssl_certfile": tls.certificate,
        "ssl_keyfile": tls.key,
        "ssl_ca_certs": tls.client_ca,
        "ssl_cert_reqs": ssl.CERT_NONE if tls.client_ca is None else ssl.CERT_REQUIRED,
    }


def keep_for_good() -> None:
    """Tells the collector that what is loaded by now stays: to be called once, before serving.

    Otherwise it walks through all of it whenever a burst has made enough new objects, for a tenth of a second.
    """
    gc.collect()
    gc.freeze()


class Site:
    """What is served at an address, in the order in which it is asked for."""

    def __init__(
        self,
        *,
        webhooks: App | None = None,
        alive: Callable[[], str | None] = lambda: None,
        checks: Checks | None = None,
        metrics: bool = False,
        rest: App | None = None,
    ) -> None:
        """`alive` gives a sentence if the process is broken; `checks` belong to `/readyz`; `rest` is a framework."""
        self._webhooks = webhooks
        self._alive = alive
        self._checks = checks
        self._metrics = metrics
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if self._webhooks is not None and path.startswith(PREFIX):
            await self._webhooks(scope, receive, send)
            return
        page = self._page(path)
        if page is not None:
            shown = await page(scope) if scope["method"] in {"GET", "HEAD"} else READ_ONLY
            await shown.send(send)
        elif self._rest is not None:
            with bound_contextvars(
                request_id=secrets.token_hex(8)
            ):  # on every line that is logged because of it
                await self._rest(scope, receive, send)
        else:
            await NOWHERE.send(send)

    def _page(self, path: str) -> Page | None:
        match path:
            case "/healthz":
                return self._health
            case "/readyz" if self._checks is not None:
                return self._readiness
            case "/metrics" if self._metrics:
                return _show_metrics
        return None

    async def _health(self, scope: Scope) -> Answer:
        broken = self._alive()
        return LIVE if broken is None else problem(503, "broken", broken)

    async def _readiness(self, scope: Scope) -> Answer:
        # In a thread: a database that hangs must not keep webhooks waiting.
        try:
            found = await asyncio.wait_for(asyncio.to_thread(self._checked), CHECKS_S)
        except TimeoutError:
            return problem(503, "not_ready", f"The checks took more than {CHECKS_S} s.")
        wrong = [sentence for sentence in found.values() if sentence is not None]
        if wrong:
            return problem(503, "not_ready", " ".join(wrong))
        return answer(200, msgspec.json.encode({"status": "ready", "checked": list(found)}))

    def _checked(self) -> dict[str, str | None]:
        return {name: check() for name, check in (self._checks or {}).items()}


async def _show_metrics(scope: Scope) -> Answer:
    accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
    names = parse_qs(scope["query_string"].decode("latin-1")).get("name[]", [])
    shown = await asyncio.to_thread(exposition, accept, names)
    return answer(200, shown.body, shown.content_type.encode())
