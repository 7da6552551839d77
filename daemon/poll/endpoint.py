"""The webhook endpoint in Stripe: looked at when webhooks do not bring what they should, to tell why."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlmodel import Session

from accounts.budget import Purpose
from accounts.errors import ObservationError
from accounts.facts import Subject
from accounts.stripe.connection import API_VERSION
from accounts.stripe.reads import Reader
from accounts.stripe.resources import BY_NAME, EVENTS
from accounts.stripe.shapes import WebhookEndpoint
from daemon.observe.owners import ACCOUNT
from daemon.store import hearing, worklist
from daemon.store.db import Store
from daemon.store.hearing import Endpoint

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(minutes=15)  # while something is wrong; a person mends it, and wants to see that
USED: Final = frozenset(event.name for event in EVENTS)
ENDPOINTS: Final = BY_NAME["webhook_endpoints"]


class Hearers(Protocol):
    """Who is sent webhooks."""

    def hears_webhooks(self, account: str) -> bool:
        """Whether a secret is configured, so that Stripe should send us everything."""
        ...

    def webhook_paths(self, account: str) -> Sequence[str]:
        """Under which paths our endpoint for it may stand; none where that is a platform's affair."""
        ...


class Endpoints:
    def __init__(self, store: Store, hearers: Hearers, now: Callable[[], datetime]) -> None:
        self._store = store
        self._hearers = hearers
        self._now = now

    def look(self, account: str, reader: Reader) -> None:
        """Where events are missed, what may be the reason; where there was one, whether it is gone."""
        paths = self._hearers.webhook_paths(account)
        if not self._hearers.hears_webhooks(account) or not paths:
            return
        now = self._now()
        with self._store.reading() as session:
            known, position = hearing.endpoint(session, account), hearing.position(session, account)
        looked_lately = known is not None and now - known.looked_at < EVERY
        suspicious = known is None or known.trouble or (position is not None and position.missed)
        if looked_lately or not suspicious:
            return
        trouble = _trouble(self._read(account, reader, tuple(paths)))
        with self._store.transaction() as session:
            hearing.note_endpoint(session, account, Endpoint(trouble, now), now)
            if known is None or known.trouble != trouble:
                mark_account(session, account, now)

    def _read(self, account: str, reader: Reader, paths: tuple[str, ...]) -> Sequence[WebhookEndpoint]:
        """Those that may be ours; none where the key may not read them."""
        try:
            return [
                endpoint
                for page in reader.pages(ENDPOINTS, purpose=Purpose.POLL)
                for endpoint in page.items
                if endpoint.url.rstrip("/").endswith(paths)
            ]
        except ObservationError as problem:
            log.info("endpoint_not_read", account=account, because=str(problem))
            return ()


def mark_account(session: Session, account: str, now: datetime) -> None:
    """How well the account is seen is judged again."""
    worklist.mark(session, [Subject(account, ACCOUNT, account)], now, reading=False)


def _trouble(found: Sequence[WebhookEndpoint]) -> tuple[str, ...]:
    """What is wrong with our endpoint, in closed words; nothing, where it is not known which one is ours."""
    if not found:
        return ()
    best = max(found, key=lambda each: (each.status == "enabled", each.created))
    if best.status != "enabled":
        return ("disabled",)
    words = []
    if "*" not in best.enabled_events and USED - set(best.enabled_events):
        words.append("missing_types")
    if best.api_version is not None and best.api_version != API_VERSION:
        words.append("other_version")
    return tuple(words)
