"""A paying customer has no record in any account's CRM.

Paying means a live subscription. A record that maps the customer to another account is a record:
`wrong_account` says that. Turn it off for shops whose private customers are in no CRM.
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
    Monthly,
    Policy,
    Side,
    Source,
    System,
    acknowledgement,
    monthly_of,
    sum_of,
)

needs = (Source.CUSTOMERS, Source.SUBSCRIPTIONS, Source.PRODUCTS, Source.CRM)
needs_whole = (Source.CRM,)


def crm_record_missing(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    if facts.own_records or not facts.live or facts.account.crm is None:
        return
    if facts.customer is None or facts.stray_records:
        return
    plans = ", ".join(f"{facts.plan_of(each)} ({each.id})" for each in facts.live)
    monthly = sum_of(monthly_of(each, facts.customer) for each in facts.live)
    yield Disagreement(
        kind=Kind.CRM_RECORD_MISSING,
        subject=facts.subject,
        per=("customer", facts.subject.id),
        title=f"{facts.subject.id} pays for {plans} and has no record in any CRM",
        sides=(
            Side(Source.SUBSCRIPTIONS, tuple(each.id for each in facts.live)),
            Side(Source.CRM),
        ),
        facts={System.STRIPE: {"subscriptions": [each.id for each in facts.live]}},
        differences=(Difference("record", {System.STRIPE: facts.subject.id, System.CRM: None}),),
        odd_one_out=System.CRM,
        amount=monthly.rounded() if isinstance(monthly, Monthly) else None,
        direction=Direction.BOOKS,
        recommended=acknowledgement(),
    )
