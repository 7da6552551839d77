"""Two records of the CRM name one customer.

Records that map to another account or name a customer that is gone are other cases. The other rules judge the
record with the smallest key, so the case proposes to keep that one.
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
    task,
)

needs = (Source.CUSTOMERS, Source.CRM)
only_with = "records"
needs_whole = (Source.CRM,)


def duplicate_record(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    if len(facts.records) < 2 or facts.customer is None or len(facts.own_records) < 2:
        return
    first, *others = facts.own_records
    keys = tuple(each.record.key for each in facts.own_records)
    title = f"{len(keys)} records of the CRM name {facts.subject.id}: {', '.join(keys)}"
    remedies = [task(each, f"Merge this record into {first.record.key}", title) for each in others]
    yield Disagreement(
        kind=Kind.DUPLICATE_RECORD,
        subject=facts.subject,
        per=("customer", facts.subject.id),
        title=title,
        sides=(Side(Source.CRM, keys),),
        facts={
            System.STRIPE: {"customer": facts.subject.id},
            System.CRM: {"records": [[each.source, each.record.key] for each in facts.own_records]},
        },
        differences=(Difference("records", {System.STRIPE: 1, System.CRM: len(keys)}),),
        odd_one_out=System.CRM,
        direction=Direction.BOOKS,
        recommended=remedies[0],
        drafts=tuple(remedies[1:]),
    )
