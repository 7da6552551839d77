"""From an event of Stripe's to what is kept of it: its id, its type, and the address of what it is about.

Every word that goes into a row or a URL is checked here, once, on whichever way the event came: a signature says
who speaks, not that all is well.
"""

import re
from datetime import UTC, datetime
from typing import Literal

from accounts.facts import ID_PATTERN
from accounts.stripe.shapes import Event
from daemon.store.inbox import Received

# Types of events and of objects, and API versions: `v1.charge.dispute.created`, `2026-10-28.endive`.
_is_word = re.compile(r"[A-Za-z0-9_.\-]{1,255}", re.ASCII).fullmatch
_is_id = ID_PATTERN.fullmatch


class NotKept(Exception):
    """An event without a usable id or type: nothing can be said about it later."""


def kept(
    event: Event, account: str, source: Literal["webhook", "poll", "replay"], *, is_foreign: bool = False
) -> Received:
    """What the inbox holds of this event. Raises NotKept."""
    if not _is_id(event.id) or not _is_word(event.type):
        raise NotKept("the event's id or type is not one of Stripe's")
    object_type, object_id = event.object_type or "", event.object_id or ""
    if not _is_id(object_id) or not _is_word(object_type):
        # An upcoming invoice has no id, and a plan's may be any text that somebody chose. Neither can be read by it;
        # but to refuse the event would be worse: Stripe would send it for days, and then close the endpoint.
        object_type, object_id = object_type if _is_word(object_type) else "", ""
    try:
        created = datetime.fromtimestamp(event.created, UTC)
    except (OverflowError, ValueError):
        raise NotKept("the event's time is out of range") from None
    customer, version, key, twin = (
        event.customer,
        event.api_version,
        event.idempotency_key,
        event.snapshot_event,
    )
    return Received(
        account=account,
        event_id=event.id,
        type=event.type,
        object_type=object_type,
        object_id=object_id,
        created=created,
        livemode=event.livemode,
        source=source,
        customer=customer if customer and _is_id(customer) else None,
        is_foreign=is_foreign,
        api_version=version if version and _is_word(version) else None,
        # Chosen by whoever made the request. Ours are printable; no other is looked for.
        idempotency_key=key if key and key.isprintable() else None,
        twin_id=twin if twin and _is_id(twin) else None,
    )


def account_of(event: Event) -> str | None:
    """Stripe's id of the account whose event it is, where the event says so."""
    if event.account is not None:
        return event.account
    innermost = (event.context or "").rpartition("/")[2]
    return innermost if innermost.startswith("acct_") else None
