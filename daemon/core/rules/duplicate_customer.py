"""One person pays twice: two customers with one e-mail address both have live subscriptions.

Within one account or across several, but never across live and test mode. The address itself is not kept, only
its keyed hash. Of the customers concerned the case stands on the one with the smallest account and id.
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.model import (
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Policy,
    Side,
    Source,
    System,
    acknowledgement,
)

needs = (Source.CUSTOMERS, Source.SUBSCRIPTIONS)
only_with = "same_person"
needs_whole = (Source.CUSTOMERS, Source.SUBSCRIPTIONS)


def duplicate_customer(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    if not facts.live or facts.person is None:
        return
    own = (facts.account.stripe_account, facts.subject.id)
    others = sorted((each.stripe_account, each.id) for each in facts.same_person if each.paying)
    if not others or others[0] < own:
        return
    told = ", ".join(f"{customer} ({account})" for account, customer in (own, *others))
    yield Disagreement(
        kind=Kind.DUPLICATE_CUSTOMER,
        subject=facts.subject,
        per=("person", facts.person),
        title=f"One person pays as {len(others) + 1} customers: {told}",
        sides=(
            Side(Source.CUSTOMERS, (facts.subject.id, *(customer for _, customer in others))),
            Side(Source.SUBSCRIPTIONS, tuple(each.id for each in facts.live)),
        ),
        facts={System.STRIPE: {"customers": [own, *others]}},
        direction=Direction.CUSTOMER,
        recommended=acknowledgement(),
    )
