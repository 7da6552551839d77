"""A subscription is past due for longer than the grace period, and the product still lets the customer in.

The period is `[grace] past_due` of the policy. It is counted from the oldest open invoice of the subscription: from
when it was made, or from its due date where it was sent to be paid by then. `closed = "…"` is the word for an
entitlement without access that the recommended change writes (default: canceled).
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
    LookAgain,
    Money,
    Parameter,
    Policy,
    Severity,
    Side,
    Source,
    System,
    as_given,
    closing,
    moment,
)

needs = (Source.SUBSCRIPTIONS, Source.INVOICES, Source.PRODUCTS, Source.ENTITLEMENTS)
parameters = {"closed": Parameter.WORD}


def grace_expired(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    for subscription in facts.live:
        if subscription.status != "past_due":
            continue
        access = facts.access(now)
        unpaid = sorted(
            (one for one in facts.invoices if one.subscription == subscription.id and one.status == "open"),
            key=lambda one: (one.due_date or one.created, one.id),
        )
        if not access or not unpaid:
            continue
        oldest = unpaid[0]
        since = moment(oldest.due_date or oldest.created)
        ends = since + policy.grace_past_due
        if now < ends:
            yield LookAgain(ends)
            continue
        owed = Money(sum(each.amount_remaining for each in unpaid), oldest.currency)
        first = access[0]
        remedies = closing(facts, policy, Kind.GRACE_EXPIRED, access)
        yield Disagreement(
            kind=Kind.GRACE_EXPIRED,
            subject=facts.subject,
            per=("subscription", subscription.id),
            title=f"{subscription.id} ({facts.plan_of(subscription)}) is past due since {since:%Y-%m-%d} with {owed} "
            f"open ({oldest.id}), its grace is over, and {first.key} still gives access",
            severity=Severity.HIGH,
            sides=(
                Side(Source.SUBSCRIPTIONS, (subscription.id,)),
                Side(Source.INVOICES, tuple(each.id for each in unpaid)),
                Side(Source.ENTITLEMENTS, tuple(each.key for each in access)),
            ),
            facts={
                System.STRIPE: {
                    "subscription": subscription.id,
                    "status": subscription.status,
                    "open_invoices": {each.id: each.amount_remaining for each in unpaid},
                    "past_due_since": since.isoformat(),
                },
                System.ENTITLEMENT: as_given(access),
            },
            differences=(
                Difference("access", {System.STRIPE: subscription.status, System.ENTITLEMENT: first.status}),
            ),
            odd_one_out=System.ENTITLEMENT,
            amount=owed,
            direction=Direction.US,
            recommended=remedies[0],
            drafts=remedies[1:],
        )
