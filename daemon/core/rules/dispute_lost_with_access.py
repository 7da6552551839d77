"""The customer's latest payment was lost in a dispute, and the product still lets them in.

It wins over `refunded_with_access` and `access_without_payment`. Only the status `lost` counts: a closed inquiry
and a prevented dispute lost nothing. `closed = "…"` is the word for an entitlement without access that the
recommended change writes (default: canceled).
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.model import (
    Difference,
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Money,
    Parameter,
    Policy,
    Severity,
    Side,
    Source,
    System,
    as_given,
    closing,
)

needs = (Source.CHARGES, Source.DISPUTES, Source.ENTITLEMENTS)
only_with = "disputes"
parameters = {"closed": Parameter.WORD}


def dispute_lost_with_access(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    lost = facts.lost_dispute
    if lost is None:
        return
    access = facts.access(now)
    if not access:
        return
    amount = Money(lost.amount, lost.currency)
    first = access[0]
    remedies = closing(facts, policy, Kind.DISPUTE_LOST_WITH_ACCESS, access)
    yield Disagreement(
        kind=Kind.DISPUTE_LOST_WITH_ACCESS,
        subject=facts.subject,
        per=("dispute", lost.id),
        title=f"The latest payment of {facts.subject.id} was lost in the dispute {lost.id} ({amount}), "
        f"and {first.key} still gives access to {first.plan or first.feature or 'the product'}",
        severity=Severity.HIGH,
        sides=(
            Side(Source.DISPUTES, (lost.id,)),
            Side(Source.CHARGES, (lost.charge,)),
            Side(Source.ENTITLEMENTS, tuple(each.key for each in access)),
        ),
        facts={
            System.STRIPE: {"charge": lost.charge, "dispute": lost.id, "status": lost.status},
            System.ENTITLEMENT: as_given(access),
        },
        differences=(
            Difference("access", {System.STRIPE: "dispute lost", System.ENTITLEMENT: first.status}),
        ),
        odd_one_out=System.ENTITLEMENT,
        amount=amount,
        direction=Direction.US,
        recommended=remedies[0],
        drafts=remedies[1:],
    )
