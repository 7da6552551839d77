"""A CRM record names a customer that Stripe deleted, or never had.

A record that maps to an account which we do not watch says nothing here: what we cannot see is not missing.
Where the customer exists, but in another account than the record says, `wrong_account` says so.
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.model import (
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
    task,
)

needs = (Source.CUSTOMERS, Source.CRM)
only_with = "records"
needs_whole = (Source.CUSTOMERS, Source.CRM)


def stripe_customer_missing(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    if facts.customer is not None:
        return
    if any(not each.deleted for each in facts.same_id):
        return
    why = "deleted" if facts.customer_deleted else "does not know"
    for filed in facts.records:
        if not _answers_for(facts, filed):
            continue
        record = filed.record
        title = f"The CRM's record {record.key} names {facts.subject.id}, which Stripe {why}"
        yield Disagreement(
            kind=Kind.STRIPE_CUSTOMER_MISSING,
            subject=facts.subject,
            per=("record", record.key),
            title=title,
            sides=(Side(Source.CUSTOMERS, (facts.subject.id,)), Side(Source.CRM, (record.key,))),
            facts={
                System.STRIPE: {"customer": None, "deleted": facts.customer_deleted},
                System.CRM: {record.key: {"stripe_customer": record.stripe_customer}},
            },
            differences=(Difference("customer", {System.STRIPE: None, System.CRM: record.stripe_customer}),),
            odd_one_out=System.CRM,
            direction=Direction.BOOKS,
            recommended=task(filed, f"Name the right customer instead of {facts.subject.id}", title),
        )


def _answers_for(facts: Facts, filed: Filed) -> bool:
    """A record that names no account, in a CRM that several use, stands once: on the smallest of them."""
    mapped = facts.mapped_account(filed)
    if mapped is not None:
        return facts.belongs(mapped)
    words = facts.words_of(filed)
    if words is None or words.mixed:
        return False  # it may be a customer of the other mode, whose accounts are not in sight here
    return facts.is_first(facts.estate.users_of_crm(filed.source))
