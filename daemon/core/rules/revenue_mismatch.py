"""The CRM's monthly revenue of a customer is not what Stripe bills.

Stripe's is the sum of unit amount × quantity a month over the customer's active subscriptions: a year ÷ 12, a week
× 52 ÷ 12, after discounts that last for ever, before tax. Metered and tiered prices, several currencies and
paused collection silence it. The tolerance is `[tolerance] revenue` of the policy: the larger of the absolute and
the relative one, in the subscription's currency; what lies exactly on it is within.
"""

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction

from accounts.money import exponent
from daemon.core.model import (
    Difference,
    Direction,
    Disagreement,
    Facts,
    Filed,
    Found,
    Kind,
    Money,
    Monthly,
    Policy,
    Record,
    Side,
    Source,
    System,
    Unknowable,
    Unread,
    correction,
    monthly_of,
    sum_of,
)

needs = (Source.CUSTOMERS, Source.SUBSCRIPTIONS, Source.CRM)
only_with = "records"


def revenue_mismatch(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    filed = facts.record
    if filed is None or filed.record.mrr is None:
        return
    active = [each for each in facts.live if each.status == "active"]
    for each in active:
        if each.pause_collection is not None:
            return
    monthly = (
        monthly_of(active[0], facts.customer)
        if len(active) == 1
        else sum_of(monthly_of(each, facts.customer) for each in active)
    )
    if isinstance(monthly, Unknowable):
        if monthly is Unknowable.DISCOUNT:
            yield Unread(Source.COUPONS)
        return
    if _agree_to_the_letter(filed.record, monthly):
        return
    recorded = filed.record.mrr_in(monthly.currency)
    if recorded is None or recorded.currency != monthly.currency:
        return
    apart = abs(Fraction(recorded.amount_minor) - monthly.minor)
    if apart > policy.revenue.minor(monthly.minor, monthly.currency):
        yield _mismatch(facts, filed, recorded, monthly, apart)


def _agree_to_the_letter(record: Record, monthly: Monthly) -> bool:
    """Most records count exactly what is billed: then no tolerance is to be worked out."""
    if record.mrr is None or record.currency not in (None, monthly.currency):
        return False
    minor = record.mrr if record.mrr_unit == "minor" else record.mrr.scaleb(exponent(monthly.currency))
    return minor == monthly.minor


def _mismatch(facts: Facts, filed: Filed, recorded: Money, monthly: Monthly, apart: Fraction) -> Disagreement:
    billed = monthly.rounded()
    record = filed.record
    active = tuple(each.id for each in facts.live if each.status == "active")
    in_their_unit = str(billed.amount_minor) if record.mrr_unit == "minor" else str(billed.major())
    return Disagreement(
        kind=Kind.REVENUE_MISMATCH,
        subject=facts.subject,
        per=("customer", facts.subject.id),
        title=f"Stripe bills {facts.subject.id} {billed} a month ({', '.join(active)}), "
        f"the CRM counts {recorded} ({record.key})",
        sides=(Side(Source.SUBSCRIPTIONS, active), Side(Source.CRM, (record.key,))),
        facts={
            System.STRIPE: {
                "subscriptions": list(active),
                "monthly_minor": billed.amount_minor,
                "currency": billed.currency,
            },
            System.CRM: {record.key: {"monthly_minor": recorded.amount_minor, "currency": recorded.currency}},
        },
        differences=(Difference("mrr", {System.STRIPE: str(billed), System.CRM: str(recorded)}),),
        odd_one_out=System.CRM,
        amount=Money(round(apart), monthly.currency),
        direction=Direction.BOOKS,
        recommended=correction(filed, mrr=in_their_unit),
    )
