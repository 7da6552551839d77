"""A mail server that keeps what it is given: real SMTP on this machine, with or without encryption and good manners."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

HOST = "127.0.0.1"


class Postbox:
    """What arrived, and how the server behaves."""

    def __init__(self) -> None:
        self.port = 0
        self.empty()

    def empty(self) -> None:
        """As new: nothing arrived, and the server is well."""
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.refuses: dict[str, str] = {}  # by address: the answer to it
        self.answer = "250 OK"
        self.hangs_up = False  # after it took the message, before it says so

    @property
    def url(self) -> str:
        return f"smtp://{HOST}:{self.port}"

    async def handle_RCPT(  # noqa: N802 - named by the server
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address not in self.refuses:
            envelope.rcpt_tos.append(address)
        return self.refuses.get(address, "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            message = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
            self.recipients.append(list(envelope.rcpt_tos))
            self.encrypted.append(session.ssl is not None)
        if self.hangs_up:
            server.transport.abort()
        return self.answer


@contextmanager
def postbox(tls: ssl.SSLContext | None = None, *, user: str | None = None) -> Iterator[Postbox]:
    box = Postbox()
    with socket.socket() as free:
        free.bind((HOST, 0))
        box.port = free.getsockname()[1]

    def known(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        good = isinstance(given, LoginPassword) and given.login == (user or "").encode()
        return AuthResult(success=good and given.password == b"open sesame", handled=False)

    controller = Controller(
        box,
        hostname=HOST,
        port=box.port,
        tls_context=tls,
        require_starttls=tls is not None,
        authenticator=known if user else None,
        auth_required=user is not None,
        auth_require_tls=tls is not None,
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
