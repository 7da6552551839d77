"""Changes the price or the quantity of one item of a subscription; what was paid ahead is prorated."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from accounts.stripe.decoding import OUR_TAG
from accounts.stripe.shapes import Price, Subscription, SubscriptionItem
from daemon.actions import details as given_as
from daemon.actions.reading import done, is_ours, still, the, writer_of
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace
from daemon.actions.subscription import seen as subscription_seen
from daemon.actions.subscription import target, why_not
from daemon.core.canonical import Json

if TYPE_CHECKING:
    from accounts.stripe import params as p

name: Final = "subscription_change"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = ("subscription", "item", "price", "quantity")
PRORATION: Final = "create_prorations"  # Stripe's default, said so that it cannot change under us


def read(details: Mapping[str, Json], place: Place) -> Asked:
    """A price or a quantity that is not named stays as it is."""
    given = given_as.known(details, name, FIELDS)
    what = target(given)
    if "price" not in given and "quantity" not in given:
        raise BadDetails("price, quantity: name what is to change, or both.")
    complete: dict[str, Json] = {
        "subscription": what.id,
        "item": given_as.an_id(given, "item"),
        "price": given_as.an_id(given, "price") if "price" in given else None,
        "quantity": given_as.a_quantity(given, "quantity") if "quantity" in given else None,
    }
    return Asked(complete, what)


def see(hands: Hands, asked: Asked) -> Seen:
    subscription, material = subscription_seen(hands, asked.target.id)
    item = _item(subscription, asked)
    if item is None:
        raise BadDetails(f"item: {subscription.id} has no {asked.details['item']}.")
    price = item.price
    if asked.details["price"] is not None:
        price = the(hands.reader, Price, "price", str(asked.details["price"]))
        material["price"] = {
            "id": price.id,
            "active": price.active,
            "currency": price.currency,
            "unit_amount": price.unit_amount,
            "interval": price.recurring.interval if price.recurring else None,
        }
    objects = {"subscription": subscription, "item": item, "price": price}
    return Seen(asked.target, material, subscription.customer, objects)


def describe(asked: Asked, place: Place) -> str:
    price, quantity = asked.details["price"], asked.details["quantity"]
    parts = [f"price {price}"] if price is not None else []
    parts += [f"quantity {quantity}"] if quantity is not None else []
    whose = asked.target.id + given_as.of_customer(place)
    return given_as.button(f"Change {asked.details['item']} of {whose} to {' and '.join(parts)}", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    subscription: Subscription = seen.objects["subscription"]
    item: SubscriptionItem = seen.objects["item"]
    price: Price = seen.objects["price"]
    if (problem := why_not(subscription)) is not None:
        return problem
    if not price.active:
        return f"{price.id} is no longer sold."
    if price.recurring is None:
        return f"{price.id} is paid once and cannot be subscribed to."
    if item.price is not None and price.currency != item.price.currency:
        billed, named = item.price.currency.upper(), price.currency.upper()
        return f"{subscription.id} is billed in {billed}, and {price.id} is in {named}."
    if price.recurring.usage_type == "metered" and asked.details["quantity"] is not None:
        return f"{price.id} is billed by usage and has no quantity."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    item = {
        "id": asked.details["item"],
        "price": asked.details["price"],
        "quantity": asked.details["quantity"],
    }
    return {
        "subscription": asked.target.id,
        "items": [{field: value for field, value in item.items() if value is not None}],
        "proration_behavior": PRORATION,
        "metadata": {OUR_TAG: tag},
    }


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    params = {field: value for field, value in request.items() if field != "subscription"}
    return done(
        writer_of(hands).subscription_update(
            asked.target.id, cast("p.SubscriptionUpdateParams", params), key=key
        )
    )


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    """Our tag came with the change, in one call: it is on the subscription only if the change is."""
    subscription = still(hands.reader, Subscription, asked.target)
    if subscription is None:
        return Trace.UNSURE
    if not is_ours(subscription, sent.tag):
        return Trace.ABSENT
    return Done(subscription.id, subscription.status, replayed=True)


def _item(subscription: Subscription, asked: Asked) -> SubscriptionItem | None:
    return next((each for each in subscription.items.data if each.id == asked.details["item"]), None)
