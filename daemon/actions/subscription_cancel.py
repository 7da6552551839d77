"""Cancels a subscription, at once or at the end of its period.

At once is a DELETE, for which Stripe keeps no idempotency key: it is sent once, and what a lost answer left behind is
seen in the subscription's state. Nothing is prorated and no last invoice is made; but Stripe then stops collecting all
of the customer's open invoices, which the sentence on the button says.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from accounts.stripe.decoding import OUR_TAG
from accounts.stripe.shapes import Subscription
from daemon.actions import details as given_as
from daemon.actions.reading import done, is_ours, still, writer_of
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace
from daemon.actions.subscription import OVER, seen, target, why_not
from daemon.core.canonical import Json

if TYPE_CHECKING:
    from accounts.stripe import params as p

name: Final = "subscription_cancel"
where: Final = "stripe"
repeatable: Final = False
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = ("subscription", "at_period_end")


def read(details: Mapping[str, Json], place: Place) -> Asked:
    given = given_as.known(details, name, FIELDS)
    if "at_period_end" not in given:
        raise BadDetails("at_period_end: true for the end of the period, false for now.")
    at_period_end = given_as.a_flag(given, "at_period_end", True)
    what = target(given)
    return Asked({"subscription": what.id, "at_period_end": at_period_end}, what)


def see(hands: Hands, asked: Asked) -> Seen:
    subscription, material = seen(hands, asked.target.id)
    return Seen(asked.target, material, subscription.customer, {"subscription": subscription})


def describe(asked: Asked, place: Place) -> str:
    whose = asked.target.id + given_as.of_customer(place)
    if asked.details["at_period_end"]:
        return given_as.button(f"Cancel {whose} at the end of its period", place)
    return given_as.button(
        f"Cancel {whose} now, and collect none of the customer's open invoices any more,", place
    )


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    subscription: Subscription = seen.objects["subscription"]
    if (problem := why_not(subscription)) is not None:
        return problem
    if asked.details["at_period_end"] and subscription.cancel_at_period_end:
        return f"{subscription.id} ends with its period already."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    if asked.details["at_period_end"]:
        return {"subscription": asked.target.id, "cancel_at_period_end": True, "metadata": {OUR_TAG: tag}}
    return {"subscription": asked.target.id, "invoice_now": False, "prorate": False}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    writer, id_ = writer_of(hands), asked.target.id
    params = {field: value for field, value in request.items() if field != "subscription"}
    if "cancel_at_period_end" in params:
        return done(writer.subscription_update(id_, cast("p.SubscriptionUpdateParams", params), key=key))
    return done(writer.subscription_cancel(id_, cast("p.SubscriptionCancelParams", params), key=key))


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    subscription = still(hands.reader, Subscription, asked.target)
    if subscription is None:
        return Trace.UNSURE
    if asked.details["at_period_end"]:
        happened = subscription.cancel_at_period_end and is_ours(subscription, sent.tag)
    else:
        happened = subscription.status in OVER
    return Done(subscription.id, subscription.status, replayed=True) if happened else Trace.ABSENT
