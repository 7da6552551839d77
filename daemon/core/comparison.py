"""What comparing two systems about one subject came to: so that “no disagreement” is never “nothing was compared”."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from daemon.core.judge import Verdict
from daemon.core.model import Disagreement, Facts, Kind, Source, System


class Comparison(StrEnum):
    MATCH = "match"
    MISMATCH = "mismatch"
    MISSING_THERE = "missing_remote"  # Stripe knows the customer, and the other system has nothing for them
    MISSING_HERE = "missing_local"  # the other way round
    NOT_COMPARED = "incomparable"  # the other system, or Stripe, was not read


OTHERS: Final = ((Source.CRM, System.CRM), (Source.ENTITLEMENTS, System.ENTITLEMENT))
OF_STRIPE: Final = frozenset({Source.CUSTOMERS, Source.SUBSCRIPTIONS})
MISSING: Final = {
    Kind.CRM_RECORD_MISSING: (System.CRM, Comparison.MISSING_THERE),
    Kind.PAYMENT_WITHOUT_ACCESS: (System.ENTITLEMENT, Comparison.MISSING_THERE),
    Kind.STRIPE_CUSTOMER_MISSING: (System.CRM, Comparison.MISSING_HERE),
}


def compared(verdict: Verdict) -> Iterator[tuple[System, Comparison]]:
    """With which of the account's other systems this customer was compared. Of whom neither knows, nothing is said."""
    facts = verdict.facts
    if facts.subject.kind != "customer":
        return
    for source, system in OTHERS:
        if not _has(facts, source):
            continue
        if facts.unread & {source, *OF_STRIPE}:
            yield system, Comparison.NOT_COMPARED
            continue
        found = [_says(each.disagreement, system) for each in verdict.wanted]
        results = [each for each in found if each is not None]
        if results:
            yield system, results[0]
        elif facts.live or (facts.records if source is Source.CRM else facts.entitlements):
            yield system, Comparison.MATCH


def _says(disagreement: Disagreement, system: System) -> Comparison | None:
    """What a disagreement is between Stripe and this system; None where this system has no part in it."""
    if disagreement.kind in MISSING:
        of, result = MISSING[disagreement.kind]
        return result if of is system else None
    return Comparison.MISMATCH if any(system in each.says for each in disagreement.differences) else None


def _has(facts: Facts, source: Source) -> bool:
    """Whether the account has such a system at all."""
    return (facts.account.crm if source is Source.CRM else facts.account.entitlements) is not None
