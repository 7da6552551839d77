"""Puts together what goes out: callbacks and mail from the outbox, notices of cases, the journal's head."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from accounts.callbacks import Allowed, Caller
from accounts.mail import Mailer, MailServer
from daemon.deliver import AT_ONCE, DELIVER, Deliver, Hook
from daemon.engine.local import Kind
from daemon.heads import HEAD, Heads
from daemon.notices import NOTICES, Notices
from daemon.scan import Due
from daemon.settings import Settings
from daemon.store.db import Store
from daemon.wiring import secret_key


@dataclass(frozen=True, slots=True)
class Outward:
    deliver: Deliver
    notices: Notices
    heads: Heads

    def kinds(self) -> Mapping[str, Kind]:
        return {
            DELIVER: Kind(self.deliver.run, AT_ONCE),
            NOTICES: Kind(self.notices.run),
            HEAD: Kind(self.heads.run),
        }

    def due(self) -> Sequence[Due]:
        return (self.notices.due, self.deliver.due, self.heads.due)


def outward(settings: Settings, store: Store, now: Callable[[], datetime], stop: threading.Event) -> Outward:
    """Raises SecretUnreadable with a sentence."""
    caller = Caller(Allowed(settings.callbacks.allow))
    deliver = Deliver(
        store,
        secret_key=secret_key(settings),
        caller=caller,
        mailer=mailer(settings, now),
        hook=hook(settings),
        now=now,
        stop=stop,
    )
    notices = Notices(store, settings.notify, settings.daemon.public_url, now)
    return Outward(deliver, notices, Heads(store, settings.journal.head, now))


def hook(settings: Settings) -> Hook | None:
    """The program that is told of cases. Its host is the only one that its caller may call."""
    configured = settings.notify.webhook
    if configured is None:
        return None
    only = Allowed([urlsplit(configured.url).netloc])
    return Hook(configured.url, lambda: [each.read() for each in configured.secrets], Caller(only))


def mailer(settings: Settings, now: Callable[[], datetime]) -> Mailer | None:
    """Whoever sends mail for this installation."""
    email = settings.notify.email
    if email is None:
        return None
    password = email.password
    server = MailServer(
        smtp=email.smtp,
        finance=email.to,
        sender=email.sender,
        user=email.user,
        password=lambda: password.read() if password is not None else None,
    )
    return Mailer(server, now=now)
