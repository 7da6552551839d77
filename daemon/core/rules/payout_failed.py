"""A payout failed after we began to watch, perhaps days after it was called paid: the bank sent it back.

The money is on the Stripe balance again. It ends when a payout of at least this amount, made after the failure, is
paid, or when somebody dismisses it. Usual cause: the bank account was closed or mistyped.
"""

from collections.abc import Iterator
from datetime import datetime

from accounts.stripe.shapes import Payout
from daemon.core.model import (
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Money,
    Policy,
    Severity,
    Side,
    Source,
    System,
    acknowledgement,
    moment,
)

needs = (Source.PAYOUTS,)
about = ("payout",)


def payout_failed(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    for payout in facts.payouts:
        if payout.id != facts.subject.id:
            continue  # the others are here to tell whether the money went out later
        if payout.status != "failed" or not facts.since_adoption(Source.PAYOUTS, payout, "failed"):
            continue
        if _went_out_later(facts, payout):
            continue
        amount = Money(payout.amount, payout.currency)
        why = f" ({payout.failure_code.replace('_', ' ')})" if payout.failure_code else ""
        yield Disagreement(
            kind=Kind.PAYOUT_FAILED,
            subject=facts.subject,
            per=("payout", payout.id),
            title=f"The payout {payout.id} of {amount} failed{why}",
            severity=Severity.HIGH,
            sides=(Side(Source.PAYOUTS, (payout.id,)),),
            facts={
                System.STRIPE: {
                    "payout": payout.id,
                    "status": payout.status,
                    "failure_code": payout.failure_code,
                    "amount_minor": payout.amount,
                    "currency": payout.currency,
                }
            },
            amount=amount,
            direction=Direction.US,
            recommended=acknowledgement(),
            notes={"automatic": payout.automatic, "method": payout.method},
        )


def _went_out_later(facts: Facts, failed: Payout) -> bool:
    """One that was already under way when this one failed does not hold its money."""
    failed_at = facts.in_state_since(Source.PAYOUTS, failed, "failed")
    return any(
        each.status == "paid"
        and each.id != failed.id
        and each.currency == failed.currency
        and each.amount >= failed.amount
        and moment(each.created) >= failed_at
        for each in facts.payouts
    )
