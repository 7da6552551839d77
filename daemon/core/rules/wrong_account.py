"""A CRM record maps a customer to a Stripe account that is not the customer's own.

A record maps by the account it names, or, where it names none, because only one account uses its CRM. It
stands on the account that has the customer.
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
    Policy,
    Side,
    Source,
    System,
    correction,
)

needs = (Source.CUSTOMERS, Source.CRM)
only_with = "records"
needs_whole = (Source.CUSTOMERS, Source.CRM)


def wrong_account(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    strays = facts.stray_records
    if not strays:
        return
    own = facts.account.stripe_account
    mapped = {each.record.key: facts.mapped_account(each) for each in strays}
    first = strays[0].record.key
    remedies = [correction(each, stripe_account=own) for each in strays]
    yield Disagreement(
        kind=Kind.WRONG_ACCOUNT,
        subject=facts.subject,
        per=("customer", facts.subject.id),
        title=f"{facts.subject.id} is a customer of {own}; the CRM's record {first} says {mapped[first]}",
        sides=(Side(Source.CUSTOMERS, (facts.subject.id,)), Side(Source.CRM, tuple(mapped))),
        facts={System.STRIPE: {"account": own}, System.CRM: {"accounts": mapped}},
        differences=(Difference("account", {System.STRIPE: own, System.CRM: mapped[first]}),),
        odd_one_out=System.CRM,
        direction=Direction.BOOKS,
        recommended=remedies[0],
        drafts=tuple(remedies[1:]),
    )
