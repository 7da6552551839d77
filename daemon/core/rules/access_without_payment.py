"""The product lets a customer in who has no live subscription.

Live is active, trialing or past due. Where the latest payment was refunded whole, or lost in a dispute, that
explains it, and `refunded_with_access` or `dispute_lost_with_access` says so instead. Usual cause: the product did
not hear of a cancellation. Turn it off where the product gives access for other reasons; `closed = "…"` is the
word for an entitlement without access that the recommended change writes (default: canceled).
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

needs = (Source.SUBSCRIPTIONS, Source.CHARGES, Source.ENTITLEMENTS)
parameters = {"closed": Parameter.WORD}


def access_without_payment(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    if facts.live or not facts.entitlements:
        return
    access = facts.access(now)
    if not access:
        return
    latest = facts.latest_payment
    if latest is not None:
        if latest.refunded:
            return
        if latest.disputed and Source.DISPUTES in facts.unread:
            yield Unread(Source.DISPUTES)
            return
        if facts.lost_dispute is not None:
            return
    ended = max(facts.subscriptions, key=lambda each: (each.ended_at or each.created, each.id), default=None)
    why = f"{ended.id} is {ended.status}" if ended is not None else "Stripe has no subscription"
    first = access[0]
    remedies = closing(facts, policy, Kind.ACCESS_WITHOUT_PAYMENT, access)
    yield Disagreement(
        kind=Kind.ACCESS_WITHOUT_PAYMENT,
        subject=facts.subject,
        per=("customer", facts.subject.id),
        title=f"{facts.subject.id} has access to {first.plan or first.feature or first.key} ({first.key}), but {why}",
        severity=Severity.HIGH,
        sides=(
            Side(Source.SUBSCRIPTIONS, (ended.id,) if ended is not None else ()),
            Side(Source.ENTITLEMENTS, tuple(each.key for each in access)),
        ),
        facts={
            System.STRIPE: {"subscriptions": {each.id: each.status for each in facts.subscriptions}},
            System.ENTITLEMENT: as_given(access),
        },
        differences=(
            Difference(
                "access",
                {
                    System.STRIPE: ended.status if ended is not None else None,
                    System.ENTITLEMENT: first.status,
                },
            ),
        ),
        odd_one_out=System.ENTITLEMENT,
        amount=facts.monthly_of(ended) if ended is not None else None,
        direction=Direction.US,
        recommended=remedies[0],
        drafts=remedies[1:],
    )
