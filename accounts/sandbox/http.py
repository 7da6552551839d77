"""Requests and responses as the sandbox's faces see them: a few values over plain ASGI."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # with a leading slash, without the query
    query: tuple[tuple[str, str], ...]  # decoded pairs in their order; Stripe's brackets stay in the names
    headers: dict[str, str]  # names in lower case
    body: bytes

    def param(self, name: str, default: str | None = None) -> str | None:
        return next((value for key, value in self.query if key == name), default)


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


class HungUp(Exception):
    """A face raises this to close the connection instead of answering; with bytes, after sending those."""

    def __init__(self, sent: bytes = b"") -> None:
        super().__init__("the connection was closed instead of an answer")
        self.sent = sent  # the beginning of a body that was promised to be longer


def answer(value: object, status: int = 200, **headers: str) -> Response:
    """A JSON response; underscores in header names become dashes."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, msgspec.json.encode(value), JSON | named)


Face = Callable[[Request], Response | Awaitable[Response]]
