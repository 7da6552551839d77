"""A refund failed after we began to watch, perhaps weeks after it was called done: the customer never got the money.

The money is on the Stripe balance again. It ends when a refund of at least this amount on the same payment, made after
the failure, succeeds, or when somebody dismisses it, for example because the money was sent another way.
"""

from collections.abc import Iterator
from datetime import datetime

from accounts.stripe.shapes import Refund
from daemon.core.canonical import Json
from daemon.core.context import charge_of, unread_beside
from daemon.core.model import (
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Money,
    Policy,
    Recommendation,
    Severity,
    Side,
    Source,
    System,
    acknowledgement,
    moment,
)

needs = (Source.REFUNDS,)
only_with = "refunds"
about = ("customer", "refund", "charge", "payment_intent")


def refund_failed(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    made_good: set[str] = set()  # a later refund makes good at most one that failed
    for refund in sorted(facts.refunds, key=lambda each: (each.created, each.id)):
        if refund.status != "failed" or not facts.since_adoption(Source.REFUNDS, refund, "failed"):
            continue
        later = _made_good_by(facts, refund, made_good)
        if later is not None:
            made_good.add(later)
            continue
        amount = Money(refund.amount, refund.currency)
        why = f" ({refund.failure_reason.replace('_', ' ')})" if refund.failure_reason else ""
        yield Disagreement(
            kind=Kind.REFUND_FAILED,
            subject=facts.subject,
            per=("refund", refund.id),
            title=f"The refund {refund.id} of {amount} failed{why}: the customer does not have the money",
            severity=Severity.HIGH,
            sides=(
                Side(Source.REFUNDS, (refund.id,)),
                Side(Source.CHARGES, (refund.charge,) if refund.charge is not None else ()),
            ),
            facts={
                System.STRIPE: {
                    "refund": refund.id,
                    "charge": refund.charge,
                    "status": refund.status,
                    "failure_reason": refund.failure_reason,
                    "amount_minor": refund.amount,
                    "currency": refund.currency,
                }
            },
            amount=amount,
            direction=Direction.CUSTOMER,
            recommended=_again(facts, refund),
            notes={"reason": refund.reason},
            without=unread_beside(facts, (Source.CHARGES,)),
        )


def _made_good_by(facts: Facts, failed: Refund, taken: set[str]) -> str | None:
    failed_at = facts.in_state_since(Source.REFUNDS, failed, "failed")
    later = [
        each
        for each in facts.refunds
        if each.status == "succeeded"
        and each.id != failed.id
        and each.id not in taken
        and (each.charge, each.currency) == (failed.charge, failed.currency)
        and each.amount >= failed.amount
        and moment(each.created) >= failed_at
    ]
    first = min(later, key=lambda each: (each.created, each.id), default=None)
    return first.id if first is not None else None


def _again(facts: Facts, failed: Refund) -> Recommendation:
    """The same refund once more, where the payment still bears it; to another account it can only go by hand."""
    charge = charge_of(facts, failed.charge)
    if charge is None or charge.disputed or charge.amount - charge.amount_refunded < failed.amount:
        return acknowledgement()
    details: dict[str, Json] = {
        "charge": charge.id,
        "amount": failed.amount,
        "currency": failed.currency,
        "reason": failed.reason,
    }
    return Recommendation("refund", details)
