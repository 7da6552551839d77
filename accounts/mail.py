"""Sends mail over SMTP: encrypted, once, and without a word of it in an error or a log.

SMTP has no idempotency. What breaks before the message is handed over was certainly not sent; what breaks
while it is, is Uncertain, and only a person sends again. The message's id is made of its key, so that the same
message would be known as the same by whoever receives it.
"""

import hashlib
import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from accounts.configuration import LOOPBACK
from accounts.errors import Refused, Uncertain
from accounts.secret import Secret

ANSWER_S: Final = 30.0  # of silence at any step; a mail server that greylists says so sooner
PORT: Final = {
    "smtp": 587,
    "smtps": 465,
}  # where mail is submitted, with STARTTLS and with TLS from the start
SUBJECT_CHARACTERS_MAX: Final = 200  # longer ones are cut wherever they are shown
# Plainer than the standards allow: what is stranger is a mistake, or meant to become another header.
ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)

_TAKEN, _LATER = range(200, 300), range(400, 500)


def _no_password() -> Secret | None:
    return None


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, as whom, and for whom besides the customers."""

    smtp: str  # smtp://host:port or smtps://host:port
    finance: tuple[str, ...]
    sender: str | None = None
    user: str | None = None
    password: Callable[[], Secret | None] = (
        _no_password  # read anew for each message, so that it may be rolled
    )
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context


class Mailer:
    """Safe for any number of threads: every message has a connection of its own."""

    def __init__(
        self, server: MailServer, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        parts = urlsplit(server.smtp)
        self._scheme, self._host = parts.scheme, parts.hostname or ""
        self._port = parts.port or PORT[parts.scheme]
        self._server = server
        self._sender = server.sender or f"reconciled@{self._host}"
        self._now = now

    @property
    def finance(self) -> Sequence[str]:
        return self._server.finance

    def send(self, to: Sequence[str], subject: str, body: str, *, key: str) -> str:
        """One message to these addresses, or to none of them: its id. Raises Refused or Uncertain."""
        if not to or not all(ADDRESS.fullmatch(each) for each in to):
            raise Refused(
                "Mail: there is no address that could be written to. Nothing was sent.", code="address"
            )
        message = self._message(to, subject, body, key)
        connection = self._connected()
        try:
            self._introduced(connection)
            self._addressed(connection, to)
            self._handed_over(connection, message)
        finally:
            connection.close()
        return str(message["Message-ID"])

    def _message(self, to: Sequence[str], subject: str, body: str, key: str) -> EmailMessage:
        domain = self._sender.rpartition("@")[2]
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = ", ".join(to)
        # One line: a line break in what an agent wrote must not become a header.
        message["Subject"] = " ".join(subject.split())[:SUBJECT_CHARACTERS_MAX]
        message["Date"] = format_datetime(self._now())
        message["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"
        asked = (self._server.finance or (self._sender,))[0]
        message["List-Unsubscribe"] = f"<mailto:{asked}?subject=unsubscribe>"
        message["Auto-Submitted"] = "auto-generated"  # so that nobody's holiday notice answers it
        message.set_content(body, cte="quoted-printable")
        return message

    def _connected(self) -> smtplib.SMTP:
        named = self._sender.rpartition("@")[2]  # else every message would ask the DNS who we are
        try:
            if self._scheme == "smtps":
                return smtplib.SMTP_SSL(
                    self._host, self._port, named, timeout=ANSWER_S, context=self._server.trust()
                )
            return smtplib.SMTP(self._host, self._port, named, timeout=ANSWER_S)
        except ssl.SSLError:
            raise self._refused("its certificate is not to be trusted", "tls") from None
        except (smtplib.SMTPException, OSError) as broken:
            raise self._not_sent(broken) from None

    def _introduced(self, connection: smtplib.SMTP) -> None:
        try:
            connection.ehlo()
            if self._scheme == "smtp" and (connection.has_extn("starttls") or self._host not in LOOPBACK):
                if not connection.has_extn("starttls"):
                    raise self._refused("it offers no encryption (STARTTLS)", "tls")
                connection.starttls(context=self._server.trust())
                connection.ehlo()
            password = self._server.password()
            if self._server.user is not None and password is not None:
                connection.login(self._server.user, password.reveal())
        except ssl.SSLError:
            raise self._refused("its certificate is not to be trusted", "tls") from None
        except smtplib.SMTPAuthenticationError:
            raise self._refused("it does not take our user and password", "credentials") from None
        except (smtplib.SMTPException, OSError) as broken:
            raise self._not_sent(broken) from None

    def _addressed(self, connection: smtplib.SMTP, to: Sequence[str]) -> None:
        try:
            answers = [connection.mail(self._sender), *(connection.rcpt(each) for each in to)]
        except (smtplib.SMTPException, OSError) as broken:
            raise self._not_sent(broken) from None
        for code, _ in answers:
            self._judged(code, "an address")

    def _handed_over(self, connection: smtplib.SMTP, message: EmailMessage) -> None:
        try:
            code, _ = connection.data(message.as_bytes(policy=SMTP))
        except smtplib.SMTPDataError as refused:
            code = refused.smtp_code  # before a word of the message was sent
        except (smtplib.SMTPException, OSError) as broken:
            raise Uncertain(
                f"Mail: the connection to {self._host} broke while the message was handed over "
                f"({type(broken).__name__}). Nobody knows whether it was sent; only a person sends it again."
            ) from None
        self._judged(code, "the message")

    def _judged(self, code: int, what: str) -> None:
        """Their words are left out: they repeat addresses."""
        if code in _LATER:
            raise Uncertain(
                f"Mail: {self._host} takes {what} later (code {code}). Nothing was sent.", nothing_done=True
            )
        if code not in _TAKEN:
            raise self._refused(f"it does not take {what} (code {code})", str(code))

    def _refused(self, why: str, code: str) -> Refused:
        return Refused(f"Mail: {self._host}: {why}. Nothing was sent.", code=code)

    def _not_sent(self, broken: Exception) -> Uncertain:
        return Uncertain(
            f"Mail: {self._host} could not be spoken to ({type(broken).__name__}). Nothing was sent.",
            nothing_done=True,
        )
