"""The few words of ASGI that we speak: an application, and an answer with a body that is known as a whole."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json"
PROBLEM = b"application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, rendered once and sent as often as it is needed."""

    start: Message
    body: Message

    async def send(self, send: Send) -> None:
        await send(self.start)
        await send(self.body)


def answer(
    status: int, body: bytes, content_type: bytes = JSON, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Answer:
    described = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    return Answer(
        {"type": "http.response.start", "status": status, "headers": described},
        {"type": "http.response.body", "body": body},
    )


def problem(
    status: int,
    code: str,
    detail: str,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    extra: Mapping[str, Any] | None = None,
) -> Answer:
    """A refusal as RFC 9457 writes it: a code for programs that never changes, and a sentence for people."""
    body = {"type": "about:blank", "title": TITLES[status], "status": status, "code": code, "detail": detail}
    return answer(status, msgspec.json.encode({**(extra or {}), **body}), PROBLEM, headers)


TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
