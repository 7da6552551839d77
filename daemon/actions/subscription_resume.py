"""Resumes a subscription that is paused: its service, where that was stopped, else its collection.

A service that resumes may charge the customer at once. Where Stripe cannot collect then, it pauses it again.
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

name: Final = "subscription_resume"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

PAUSED: Final = "paused"
ON_ATTEMPT: Final = "resume_on_payment_attempt"  # Stripe's default, said so that it cannot change under us


def read(details: Mapping[str, Json], place: Place) -> Asked:
    what = target(given_as.known(details, name, ("subscription",)))
    return Asked({"subscription": what.id}, what)


def see(hands: Hands, asked: Asked) -> Seen:
    subscription, material = seen(hands, asked.target.id)
    material["collection_method"] = subscription.collection_method
    return Seen(asked.target, material, subscription.customer, {"subscription": subscription})


def describe(asked: Asked, place: Place) -> str:
    return given_as.button(f"Resume {asked.target.id}{given_as.of_customer(place)}", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    subscription: Subscription = seen.objects["subscription"]
    if (problem := why_not(subscription)) is not None:
        return problem
    if subscription.status != PAUSED:
        running = subscription.pause_collection is None
        return f"{subscription.id} is not paused ({subscription.status})." if running else None
    if subscription.collection_method != "charge_automatically":
        return f"{subscription.id} is paid by invoice; Stripe resumes only what it charges automatically."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    subscription: Subscription = seen.objects["subscription"]
    if subscription.status == PAUSED:
        return {"subscription": asked.target.id, "payment_behavior": ON_ATTEMPT}
    return {"subscription": asked.target.id, "pause_collection": "", "metadata": {OUR_TAG: tag}}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    writer, id_ = writer_of(hands), asked.target.id
    params = {field: value for field, value in request.items() if field != "subscription"}
    if "payment_behavior" in params:
        return done(writer.subscription_resume(id_, cast("p.SubscriptionResumeParams", params), key=key))
    return done(writer.subscription_update(id_, cast("p.SubscriptionUpdateParams", params), key=key))


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    subscription = still(hands.reader, Subscription, asked.target)
    if subscription is None:
        return Trace.UNSURE
    if "payment_behavior" in sent.request:
        happened = subscription.status != PAUSED
    else:
        happened = subscription.pause_collection is None and is_ours(subscription, sent.tag)
    return Done(subscription.id, subscription.status, replayed=True) if happened else Trace.ABSENT
