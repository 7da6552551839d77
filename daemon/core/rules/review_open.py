"""A payment waits for somebody to review it in Radar.

Approving is recommended where the customer has paid before without trouble and Stripe sees no elevated risk;
otherwise somebody looks first. A refund closes the review by itself.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from accounts.stripe.shapes import Charge, Review
from daemon.core.context import charge_of, good_payments, unread_beside
from daemon.core.model import (
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Money,
    Policy,
    Recommendation,
    Side,
    Source,
    System,
    acknowledgement,
)

needs = (Source.REVIEWS,)
only_with = "reviews"
about = ("customer", "review", "charge", "payment_intent")

RISKY: Final = frozenset({"elevated", "highest"})
BESIDE: Final = (Source.CHARGES, Source.DISPUTES, Source.FRAUD_WARNINGS)


def review_open(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    told: set[str] = set()
    for review in sorted(facts.reviews, key=lambda each: (each.created, each.id)):
        charge = _reviewed(facts, review)
        of_charge = charge.id if charge is not None else review.charge
        of = ("charge", of_charge) if of_charge is not None else ("review", review.id)
        if not review.open or of[1] in told:
            continue
        told.add(of[1])
        amount = Money(charge.amount, charge.currency) if charge is not None else None
        trusted = charge is not None and _trusted(facts, charge)
        yield Disagreement(
            kind=Kind.REVIEW_OPEN,
            subject=facts.subject,
            per=of,
            title=f"{of[1]}{f', {amount},' if amount is not None else ''} waits for a review in Radar",
            sides=(
                Side(Source.REVIEWS, (review.id,)),
                Side(Source.CHARGES, (of_charge,) if of_charge is not None else ()),
            ),
            facts={System.STRIPE: {"review": review.id, "opened_reason": review.opened_reason}},
            amount=amount,
            direction=Direction.US,
            recommended=Recommendation("review_approve", {"review": review.id})
            if trusted
            else acknowledgement(),
            notes={
                "risk_level": charge.outcome.risk_level if charge is not None and charge.outcome else None,
                "earlier_good_payments": len(good_payments(facts, charge.created)) if charge else None,
            },
            without=unread_beside(facts, BESIDE),
        )


def _reviewed(facts: Facts, review: Review) -> Charge | None:
    named = charge_of(facts, review.charge)
    if named is not None or review.charge is not None or review.payment_intent is None:
        return named
    of_intent = [each for each in facts.charges if each.payment_intent == review.payment_intent]
    return max(of_intent, key=lambda each: (each.created, each.id), default=None)


def _trusted(facts: Facts, charge: Charge) -> bool:
    risk_level = charge.outcome.risk_level if charge.outcome is not None else None
    contested = facts.disputes or any(each.actionable for each in facts.fraud_warnings)
    return risk_level not in RISKY and not contested and bool(good_payments(facts, charge.created))
