"""The card network warns that a payment was fraudulent, and nobody has refunded or disputed it yet.

Once it was refunded whole or disputed there is nothing left to prevent. A refund costs the payment; a dispute costs the
payment and its fee. So a refund is recommended where what is left of the payment is not more than the fee
(`dispute_fee = "15 USD"` says what it is); otherwise somebody looks.
"""

from collections.abc import Iterator
from datetime import datetime

from accounts.stripe.shapes import Charge, EarlyFraudWarning
from daemon.core.canonical import Json
from daemon.core.context import charge_of, good_payments, unread_beside
from daemon.core.fees import received_fee
from daemon.core.model import (
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Money,
    Parameter,
    Policy,
    Recommendation,
    Severity,
    Side,
    Source,
    System,
    Unread,
    acknowledgement,
)

needs = (Source.FRAUD_WARNINGS, Source.CHARGES)
only_with = "fraud_warnings"
parameters = {"dispute_fee": Parameter.AMOUNTS}
about = ("customer", "radar.early_fraud_warning", "charge", "payment_intent")


def fraud_warning(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    told: set[str] = set()
    for warning in sorted(facts.fraud_warnings, key=lambda each: (each.created, each.id)):
        if not warning.actionable or warning.charge in told:
            continue
        charge = charge_of(facts, warning.charge)
        if any(each.charge == warning.charge for each in facts.disputes) or (charge and charge.disputed):
            continue
        if charge is not None and charge.refunded:
            continue
        if Source.DISPUTES in facts.unread and charge is None:
            yield Unread(Source.DISPUTES)  # the charge would have told
            continue
        told.add(warning.charge)
        yield _case(facts, policy, warning, charge)


def _case(facts: Facts, policy: Policy, warning: EarlyFraudWarning, charge: Charge | None) -> Disagreement:
    left = Money(charge.amount - charge.amount_refunded, charge.currency) if charge is not None else None
    fee = received_fee(policy, left.currency) if left is not None else None
    cheap = left is not None and fee is not None and 0 < left.amount_minor <= fee.amount_minor
    recommended = acknowledgement()
    if cheap and charge is not None and left is not None and charge.captured:
        details: dict[str, Json] = {
            "charge": charge.id,
            "amount": left.amount_minor,
            "currency": left.currency,
            "reason": "fraudulent",
        }
        recommended = Recommendation("refund", details)
    return Disagreement(
        kind=Kind.FRAUD_WARNING,
        subject=facts.subject,
        per=("charge", warning.charge),
        title=f"The card network warns of fraud ({warning.fraud_type.replace('_', ' ')}) "
        f"with {warning.charge}{f', {left}' if left is not None else ''}",
        severity=Severity.HIGH,
        sides=(
            Side(Source.CHARGES, (warning.charge,)),
            Side(
                Source.FRAUD_WARNINGS,
                tuple(each.id for each in facts.fraud_warnings if each.charge == warning.charge),
            ),
        ),
        facts={
            System.STRIPE: {
                "charge": warning.charge,
                "fraud_type": warning.fraud_type,
                "left_minor": left.amount_minor if left is not None else None,
                "currency": left.currency if left is not None else None,
            }
        },
        amount=left,
        direction=Direction.US,
        recommended=recommended,
        decided_by="fraud_warning.cheaper_than_a_dispute" if recommended.action == "refund" else None,
        notes={
            "fee_of_a_dispute": str(fee) if fee is not None else None,
            "earlier_good_payments": len(good_payments(facts, charge.created))
            if charge is not None
            else None,
            "subscriptions": {each.id: each.status for each in facts.subscriptions},
        },
        without=unread_beside(facts, (Source.SUBSCRIPTIONS,)),
    )
