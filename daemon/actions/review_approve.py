"""Approves a payment that Radar holds for review: it stands, and the review is closed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from accounts.facts import Address
from accounts.stripe.shapes import Charge, Review
from daemon.actions import details as given_as
from daemon.actions.reading import done, still, the, writer_of
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

name: Final = "review_approve"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

APPROVED: Final = "approved"


def read(details: Mapping[str, Json], place: Place) -> Asked:
    id_ = given_as.an_id(given_as.known(details, name, ("review",)), "review")
    return Asked({"review": id_}, Address("review", id_))


def see(hands: Hands, asked: Asked) -> Seen:
    review = the(hands.reader, Review, "review", asked.target.id)
    material: dict[str, Json] = {
        "review": review.id,
        "open": review.open,
        "reason": review.reason,
        "charge": None,
        "livemode": review.livemode,
    }
    customer = None
    if review.charge is not None:
        charge = the(hands.reader, Charge, "charge", review.charge)
        customer = charge.customer
        material["charge"] = {
            "id": charge.id,
            "status": charge.status,
            "amount": charge.amount,
            "currency": charge.currency,
            "amount_refunded": charge.amount_refunded,
            "disputed": charge.disputed,
        }
    return Seen(asked.target, material, customer, {"review": review})


def describe(asked: Asked, place: Place) -> str:
    return given_as.button(f"Approve the payment under {asked.target.id}{given_as.of_customer(place)}", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    review: Review = seen.objects["review"]
    if not review.open:
        return f"{review.id} is closed ({(review.closed_reason or review.reason).replace('_', ' ')})."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    return {"review": asked.target.id}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    return done(writer_of(hands).review_approve(asked.target.id, key=key))


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    review = still(hands.reader, Review, asked.target)
    if review is None:
        return Trace.UNSURE
    if review.closed_reason == APPROVED:
        return Done(review.id, APPROVED, replayed=True)
    return Trace.ABSENT
