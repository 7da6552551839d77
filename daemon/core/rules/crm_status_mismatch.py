"""The CRM says that a customer left who has a live subscription, or that one is active who has nothing.

Which of its words mean what is said by `churned_states` and `active_states` of the CRM; other words say nothing. A
customer without a live subscription whom the product still lets in is no matter of the CRM.
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.model import (
    BY_AGE,
    Difference,
    Direction,
    Disagreement,
    Facts,
    Filed,
    Found,
    Kind,
    Policy,
    Side,
    Source,
    System,
    correction,
    task,
)

needs = (Source.CUSTOMERS, Source.SUBSCRIPTIONS, Source.CRM, Source.ENTITLEMENTS)
only_with = "records"


def crm_status_mismatch(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    filed = facts.record
    if filed is None:
        return
    words = facts.words_of(filed)
    status = filed.record.status
    if words is None or status is None:
        return
    if facts.live:
        if status in words.churned:
            yield _mismatch(facts, filed, words.active[:1], now)
    elif status in words.active and not facts.access(now):
        yield _mismatch(facts, filed, words.churned[:1], now)


def _mismatch(facts: Facts, filed: Filed, right: tuple[str, ...], now: datetime) -> Disagreement:
    status = filed.record.status
    shown = facts.live or sorted(facts.subscriptions, key=BY_AGE)
    states = ", ".join(f"{each.id} is {each.status}" for each in shown) or "no subscription"
    title = f"The CRM says {status} ({filed.record.key}); Stripe says: {states}"
    return Disagreement(
        kind=Kind.CRM_STATUS_MISMATCH,
        subject=facts.subject,
        per=("customer", facts.subject.id),
        title=title,
        sides=(
            Side(Source.SUBSCRIPTIONS, tuple(each.id for each in shown)),
            Side(Source.CRM, (filed.record.key,)),
            # That the product is closed is part of it only where there is one, and nothing is live.
            *(
                ()
                if facts.live or facts.account.entitlements is None
                else (Side(Source.ENTITLEMENTS, tuple(sorted(e.key for e in facts.entitlements))),)
            ),
        ),
        facts={
            System.STRIPE: {"subscriptions": {each.id: each.status for each in shown}},
            System.CRM: {filed.record.key: {"status": status}},
        },
        differences=(
            Difference("status", {System.STRIPE: shown[0].status if shown else None, System.CRM: status}),
        ),
        odd_one_out=System.CRM,
        direction=Direction.BOOKS,
        settled_from=None if facts.live else facts.access_ran_out_at(now),
        recommended=correction(filed, status=right[0])
        if right
        else task(filed, f"Correct the status of {facts.subject.id}", title),
    )
