"""Somebody who is called: a real HTTP server on this machine that keeps what it gets and answers as it is told."""

import json
import ssl
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    headers: dict[str, str]  # in small letters
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Takes everything, unless there are other answers in line; while it is held, it keeps its callers waiting."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self.names: list[str | None] = []  # which server each caller meant, before anything else was said
        self.answers: deque[int] = deque()
        self.location = "http://127.0.0.1:1/"
        self.asked = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()
        us = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                us.take(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        if tls is not None:
            tls.sni_callback = lambda connection, name, context: self.names.append(name)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.host, self.port = host, int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hook"

    def take(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.rfile.read(int(headers.get("content-length", "0")))
        self.calls.append(Call(request.path, headers, body))
        self.asked.set()
        self.goes_on.wait(PATIENCE_S)
        status = self.answers.popleft() if self.answers else 204
        request.send_response(status)
        if 300 <= status < 400:
            request.send_header("Location", self.location)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.goes_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
