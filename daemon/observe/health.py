"""How well an account is seen: the facts of a subject of kind `account`."""

from sqlmodel import Session

from accounts.stripe.resources import BY_NAME
from daemon.core.model import AccountHealth, Source
from daemon.observe.landscape import NO_PERMISSION, Land
from daemon.store import hearing, held


def health_of(session: Session, land: Land) -> AccountHealth:
    account, key = land.facts.slug, land.troubles.get("key")
    position, gap = hearing.position(session, account), hearing.gap(session, account)
    endpoint = hearing.endpoint(session, account)
    lacking = {source for source, outage in land.failing.items() if outage.reason == NO_PERMISSION}
    return AccountHealth(
        key_trouble=key.reason if key is not None else None,
        missing_permissions={source: _permissions(source) for source in lacking},
        unread_since={
            source: outage.since for source, outage in land.failing.items() if source not in lacking
        },
        events_missed=position.missed if position is not None else 0,
        gap_from=gap.since if gap is not None else None,
        gap_until=gap.until if gap is not None else None,
        endpoint_trouble=endpoint.trouble if endpoint is not None else (),
        held=held.rules(session, account),
    )


def _permissions(source: Source) -> tuple[str, ...]:
    """Any one of these would do."""
    if source is Source.COUPONS:
        inside = BY_NAME["subscriptions"].expansion
        return inside.permissions if inside is not None else ()
    return BY_NAME[source.value].permissions
