"""A customer pays or is on trial, and the product does not let them in.

It looks at active and trialing subscriptions; while collection is paused, nothing is owed and nothing is said.
Usual cause: the product missed the sign-up, or its access ran out before the renewal reached it.
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.model import (
    BY_KEY,
    Difference,
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Policy,
    Severity,
    Side,
    Source,
    System,
    acknowledgement,
    as_given,
    entitlement_set,
)

needs = (Source.SUBSCRIPTIONS, Source.PRODUCTS, Source.ENTITLEMENTS)


def payment_without_access(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    words = facts.account.entitlements
    if words is None or not facts.live or facts.access(now):
        return
    closed = sorted(facts.entitlements, key=BY_KEY)
    for subscription in facts.live:
        if subscription.status == "past_due" or subscription.pause_collection is not None:
            continue
        plan = facts.plan_of(subscription)
        found = next((each for each in closed if each.plan == plan), closed[0] if len(closed) == 1 else None)
        # Where the time ran out, another status would not open the door.
        ran_out = found is not None and found.expires_at is not None and found.expires_at <= now
        opening = entitlement_set(
            facts,
            feature=found.feature if found is not None else None,
            status=words.access[0] if words.access else None,
            plan=plan,
            quantity=sum(item.quantity or 0 for item in subscription.items.data) or None,
        )
        state = (
            f"{found.key} is {'expired' if ran_out else found.status}" if found else "it has no entitlement"
        )
        yield Disagreement(
            kind=Kind.PAYMENT_WITHOUT_ACCESS,
            subject=facts.subject,
            per=("subscription", subscription.id),
            title=f"{facts.subject.id} has {subscription.id} ({plan}, {subscription.status}) and no access: {state}",
            severity=Severity.HIGH,
            sides=(
                Side(Source.SUBSCRIPTIONS, (subscription.id,)),
                Side(Source.ENTITLEMENTS, tuple(each.key for each in closed)),
            ),
            facts={
                System.STRIPE: {"subscription": subscription.id, "status": subscription.status, "plan": plan},
                System.ENTITLEMENT: as_given(closed),
            },
            differences=(
                Difference(
                    "access",
                    {
                        System.STRIPE: subscription.status,
                        System.ENTITLEMENT: ("expired" if ran_out else found.status) if found else None,
                    },
                ),
            ),
            odd_one_out=System.ENTITLEMENT,
            amount=facts.monthly_of(subscription),
            direction=Direction.CUSTOMER,
            settled_from=facts.access_ran_out_at(now),
            recommended=acknowledgement() if ran_out else opening,
        )
