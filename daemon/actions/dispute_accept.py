"""Accepts a dispute: it is lost at once and for good, and the money stays with the customer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from accounts.facts import Address
from accounts.stripe.shapes import Dispute
from daemon.actions import details as given_as
from daemon.actions.reading import done, payer_of, still, the, writer_of
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

name: Final = "dispute_accept"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

ACCEPTABLE: Final = ("needs_response", "warning_needs_response", "appeal_needs_response")
LOST: Final = "lost"


def read(details: Mapping[str, Json], place: Place) -> Asked:
    id_ = given_as.an_id(given_as.known(details, name, ("dispute",)), "dispute")
    return Asked({"dispute": id_}, Address("dispute", id_))


def see(hands: Hands, asked: Asked) -> Seen:
    dispute = the(hands.reader, Dispute, "dispute", asked.target.id)
    material: dict[str, Json] = {
        "dispute": dispute.id,
        "status": dispute.status,
        "reason": dispute.reason,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "submission_count": dispute.evidence_details.submission_count,
        "livemode": dispute.livemode,
    }
    return Seen(asked.target, material, payer_of(hands.reader, dispute), {"dispute": dispute})


def describe(asked: Asked, place: Place) -> str:
    return given_as.button(f"Accept {asked.target.id} as lost, for good,", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    dispute: Dispute = seen.objects["dispute"]
    if dispute.status not in ACCEPTABLE:
        return f"{dispute.id} cannot be accepted any more: it is {dispute.status.replace('_', ' ')}."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    return {"dispute": asked.target.id}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    return done(writer_of(hands).dispute_close(asked.target.id, key=key))


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    dispute = still(hands.reader, Dispute, asked.target)
    if dispute is None:
        return Trace.UNSURE
    return Done(dispute.id, LOST, replayed=True) if dispute.status == LOST else Trace.ABSENT
