"""The few words of ASGI that we speak: an application, and an answer with a body that is known as a whole."""

from collections.abc import Awaitable, Callable, MutableMapping
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


def problem(status: int, code: str, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """A refusal as RFC 9457 writes it: a code for programs that never changes, and a sentence for people."""
    body = {"type": "about:blank", "title": TITLES[status], "status": status, "code": code, "detail": detail}
    return answer(status, msgspec.json.encode(body), PROBLEM, headers)


TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    503: "Service Unavailable",
}
