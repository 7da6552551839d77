"""The customer's latest payment was refunded whole, and the product still lets them in.

A later payment that goes through ends it, and so does closing the access. A partial refund is none of this.
`closed = "…"` is the word for an entitlement without access that the recommended change writes (default: canceled).
"""

from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter

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
    Unread,
    as_given,
    closing,
)

needs = (Source.CHARGES, Source.ENTITLEMENTS)
only_with = "charges"
REFUNDED = attrgetter("refunded")
parameters = {"closed": Parameter.WORD}


def refunded_with_access(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    if not any(map(REFUNDED, facts.charges)):
        return
    latest = facts.latest_payment
    if latest is None or not latest.refunded:
        return
    access = facts.access(now)
    if not access:
        return
    if latest.disputed and Source.DISPUTES in facts.unread:
        yield Unread(Source.DISPUTES)
        return
    if facts.lost_dispute is not None:
        return
    refunded = Money(latest.amount_refunded, latest.currency)
    first = access[0]
    remedies = closing(facts, policy, Kind.REFUNDED_WITH_ACCESS, access)
    refunds = tuple(sorted(each.id for each in facts.refunds if each.charge == latest.id))
    yield Disagreement(
        kind=Kind.REFUNDED_WITH_ACCESS,
        subject=facts.subject,
        per=("charge", latest.id),
        title=f"The latest payment of {facts.subject.id}, {refunded} ({latest.id}), was refunded whole, "
        f"and {first.key} still gives access to {first.plan or first.feature or 'the product'}",
        severity=Severity.HIGH,
        sides=(
            Side(Source.CHARGES, (latest.id,)),
            Side(Source.ENTITLEMENTS, tuple(each.key for each in access)),
        ),
        also_about=refunds,
        facts={
            System.STRIPE: {"charge": latest.id, "refunded_minor": latest.amount_refunded},
            System.ENTITLEMENT: as_given(access),
        },
        differences=(
            Difference("access", {System.STRIPE: "refunded whole", System.ENTITLEMENT: first.status}),
        ),
        odd_one_out=System.ENTITLEMENT,
        amount=refunded,
        direction=Direction.US,
        recommended=remedies[0],
        drafts=remedies[1:],
    )
