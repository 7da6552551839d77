"""Posts one message to one address: to exactly the address that was looked at, within bounds, and without following.

The name is resolved here and nowhere else, so what was checked is what is connected to; certificate and Host are the
name's. A redirect is an answer like any other that is not 2xx. Of the answer a little is read and dropped: it decides
nothing, and whoever sends more or slower is hung up on.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import httpcore

from accounts.callbacks.addresses import Allowed, Blocked, Place, Resolve, by_the_system, resolved

STEP_S: Final = 10.0  # to connect, and of silence
WHOLE_S: Final = 30.0  # for all of it: an answer of one letter every nine seconds is no answer
ANSWER_BYTES_MAX: Final = 4_096

_CLOSE: Final = (b"connection", b"close")


class NotTaken(Exception):
    """It did not arrive, or they did not take it. A sentence that names the host, and nothing of the path."""


class Caller:
    """Safe for any number of threads: every call has a connection of its own."""

    def __init__(
        self,
        allowed: Allowed,
        *,
        resolve: Resolve = by_the_system,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._trust = trust
        self._monotonic = monotonic

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Raises Blocked or NotTaken; returns where they took it."""
        place = self._allowed.place(url)
        try:
            address = resolved(place, self._resolve)
        except OSError:
            raise NotTaken(f"The host {place.host} cannot be resolved.") from None
        status = self._status(url, headers, body, _Pinned(place, address, self._monotonic))
        if not 200 <= status < 300:
            aside = "; redirects are not followed" if 300 <= status < 400 else ""
            raise NotTaken(f"{place.host} answered {status}{aside}.")

    def _status(self, url: str, headers: Mapping[str, str], body: bytes, network: "_Pinned") -> int:
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        host = network.place.host
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._trust(), network_backend=network) as pool,
                pool.stream(
                    "POST",
                    url,
                    headers=[(b"host", network.named), *given, _CLOSE],
                    content=body,
                    extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), STEP_S)},
                ) as answer,
            ):
                _drop(answer)
                return answer.status
        except httpcore.TimeoutException:
            raise NotTaken(f"{host} did not answer in time.") from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
        ) as broken:
            raise NotTaken(f"{host} could not be called ({type(broken).__name__}).") from None


def _drop(answer: httpcore.Response) -> None:
    """Reads a little, so that a receiver that is still writing is not cut off at the first word."""
    left = ANSWER_BYTES_MAX
    for chunk in answer.iter_stream():
        left -= len(chunk)
        if left <= 0:
            return


class _Pinned(httpcore.NetworkBackend):
    """A network in which there is one address."""

    def __init__(self, place: Place, address: str, monotonic: Callable[[], float]) -> None:
        self.place = place
        self._address = address
        self._monotonic = monotonic
        self._until_s = monotonic() + WHOLE_S
        self._inner = httpcore.SyncBackend()

    @property
    def named(self) -> bytes:
        host = f"[{self.place.host}]" if ":" in self.place.host else self.place.host
        usual = {"https": 443, "http": 80}[self.place.scheme]
        return (host if self.place.port == usual else f"{host}:{self.place.port}").encode()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        if (host.strip("[]").rstrip("."), port) != (self.place.host, self.place.port):
            raise Blocked(f"{host[:100]} is not what was looked at.")
        stream = self._inner.connect_tcp(self._address, port, self.left_s(timeout))
        return _Bounded(stream, self)

    def left_s(self, timeout: float | None) -> float:
        left_s = self._until_s - self._monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout("it took too long")
        return left_s if timeout is None else min(timeout, left_s)


class _Bounded(httpcore.NetworkStream):
    """A connection on which no step outlasts the whole call."""

    def __init__(self, inner: httpcore.NetworkStream, network: _Pinned) -> None:
        self._inner = inner
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._network.left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._network.left_s(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            stream = self._inner.start_tls(ssl_context, server_hostname, self._network.left_s(timeout))
        except httpcore.ConnectError as broken:
            why = broken.__cause__
            if not isinstance(why, ssl.SSLCertVerificationError):
                raise
            named = self._network.place.host
            told = why.verify_message.rstrip(".")
            raise NotTaken(f"The certificate of {named} is not accepted: {told}.") from None
        return _Bounded(stream, self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
