"""Radar reviews: the only thing to do with one is to approve the payment."""

from accounts.sandbox.stripe.call import Answer, Call, writes
from accounts.sandbox.stripe.refusals import refused
from accounts.sandbox.stripe.resources import BY_CLASS


def _approve(call: Call) -> Answer:
    call.params.finish()
    review = call.one("review", call.id)
    if not review["open"]:
        raise refused(f"Review {call.id} is already closed.")
    approved = call.put(review | {"open": False, "closed_reason": "approved", "reason": "approved"})
    charge = review["charge"] and call.account.get("charge", review["charge"])
    if charge and charge["review"] == call.id:
        call.put(charge | {"review": None})
    call.emit("review.closed", approved)
    return approved


ENDPOINTS = (writes("/v1/reviews/{id}/approve", "review", BY_CLASS["review"].permissions, _approve),)
