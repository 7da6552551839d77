"""A subscription as an approval depends on it: for every action that changes one."""

from collections.abc import Mapping
from typing import Final

from accounts.facts import Address
from accounts.stripe.shapes import Invoice, Subscription
from daemon.actions import details as given_as
from daemon.actions.reading import the
from daemon.actions.shape import Hands
from daemon.core.canonical import Json

OVER: Final = ("canceled", "incomplete_expired")


def target(given: Mapping[str, Json]) -> Address:
    return Address("subscription", given_as.an_id(given, "subscription"))


def seen(hands: Hands, id_: str) -> tuple[Subscription, dict[str, Json]]:
    subscription = the(hands.reader, Subscription, "subscription", id_)
    return subscription, {
        "subscription": subscription.id,
        "status": subscription.status,
        "items": [
            {
                "id": each.id,
                "price": each.price.id if each.price else None,
                "quantity": each.quantity,
                "period_end": each.current_period_end,
            }
            for each in sorted(subscription.items.data, key=lambda each: each.id)
        ],
        "cancel_at": subscription.cancel_at,
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "collection_paused": _paused(subscription),
        "schedule": subscription.schedule,
        "latest_invoice": _latest_invoice(hands, subscription),
        "livemode": subscription.livemode,
    }


def why_not(subscription: Subscription) -> str | None:
    """Why nothing about it can be changed."""
    if subscription.status in OVER:
        return f"{subscription.id} is {subscription.status.replace('_', ' ')} already."
    if subscription.schedule is not None:
        return f"{subscription.id} is managed by {subscription.schedule}; change the schedule in Stripe's dashboard."
    return None


def _paused(subscription: Subscription) -> str | None:
    return subscription.pause_collection.behavior if subscription.pause_collection is not None else None


def _latest_invoice(hands: Hands, subscription: Subscription) -> Json:
    if subscription.latest_invoice is None:
        return None
    invoice = the(hands.reader, Invoice, "invoice", subscription.latest_invoice)
    return {"id": invoice.id, "status": invoice.status}
