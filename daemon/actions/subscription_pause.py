"""Pauses a subscription: its collection, as Stripe's dashboard means it, or the service itself.

With paused collection it stays active, access goes on, and its invoices are kept as drafts, so that nothing is lost:
they can still be finalized or deleted. `service` stops it wholly, which Stripe does in flexible billing mode only.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from accounts.stripe.decoding import OUR_TAG
from accounts.stripe.shapes import Subscription
from daemon.actions import details as given_as
from daemon.actions.reading import done, is_ours, still, writer_of
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace
from daemon.actions.subscription import seen, target, why_not
from daemon.core.canonical import Json

if TYPE_CHECKING:
    from accounts.stripe import params as p

name: Final = "subscription_pause"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = ("subscription", "service")
PAUSABLE: Final = ("active", "past_due", "trialing", "unpaid")
KEPT: Final = "keep_as_draft"  # of Stripe's three ways the only one that can be taken back


def read(details: Mapping[str, Json], place: Place) -> Asked:
    given = given_as.known(details, name, FIELDS)
    what = target(given)
    return Asked({"subscription": what.id, "service": given_as.a_flag(given, "service", False)}, what)


def see(hands: Hands, asked: Asked) -> Seen:
    subscription, material = seen(hands, asked.target.id)
    return Seen(asked.target, material, subscription.customer, {"subscription": subscription})


def describe(asked: Asked, place: Place) -> str:
    whose = asked.target.id + given_as.of_customer(place)
    what = f"Pause {whose} and its service" if asked.details["service"] else f"Pause collecting for {whose}"
    return given_as.button(what, place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    subscription: Subscription = seen.objects["subscription"]
    if (problem := why_not(subscription)) is not None:
        return problem
    if subscription.status not in PAUSABLE:
        return f"{subscription.id} is {subscription.status}, and only a running subscription can be paused."
    if not asked.details["service"] and subscription.pause_collection is not None:
        return f"Collecting for {subscription.id} is paused already."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    if asked.details["service"]:
        return {"subscription": asked.target.id}
    return {
        "subscription": asked.target.id,
        "pause_collection": {"behavior": KEPT},
        "metadata": {OUR_TAG: tag},
    }


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    writer, id_ = writer_of(hands), asked.target.id
    if asked.details["service"]:
        return done(writer.subscription_pause(id_, {}, key=key))
    params = {field: value for field, value in request.items() if field != "subscription"}
    return done(writer.subscription_update(id_, cast("p.SubscriptionUpdateParams", params), key=key))


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    subscription = still(hands.reader, Subscription, asked.target)
    if subscription is None:
        return Trace.UNSURE
    if asked.details["service"]:
        happened = subscription.status == "paused"
    else:
        happened = subscription.pause_collection is not None and is_ours(subscription, sent.tag)
    return Done(subscription.id, subscription.status, replayed=True) if happened else Trace.ABSENT
