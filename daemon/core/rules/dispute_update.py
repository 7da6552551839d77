"""News about a dispute that asks for no answer: it takes none, was lost, or was appealed after we began to watch.

Only information, so it ends when somebody marks it read. That is kept as a dismissal of exactly this state: if the
dispute moves on (appealed, then lost), the same case comes back. Won, prevented and closed inquiries are no news here.
A state that this version does not know is shown too, for a person to judge.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from accounts.stripe.shapes import Dispute
from daemon.core.deadlines import due_of
from daemon.core.model import (
    Disagreement,
    Facts,
    Found,
    Kind,
    Money,
    Policy,
    Severity,
    Side,
    Source,
    System,
    acknowledgement,
)

needs = (Source.DISPUTES,)
only_with = "disputes"
about = ("customer", "dispute", "charge", "payment_intent")

NO_ANSWER_TAKEN: Final = 0  # Stripe's `due_by` then
OPEN: Final = frozenset({"needs_response", "warning_needs_response", "under_review", "warning_under_review"})
QUIET: Final = frozenset({"won", "prevented", "warning_closed"})
APPEALED: Final = frozenset({"appeal_needs_response", "appeal_under_review"})


def dispute_update(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    for dispute in facts.disputes:
        news = _news(facts, dispute)
        if news is None:
            continue
        amount = Money(dispute.amount, dispute.currency)
        yield Disagreement(
            kind=Kind.DISPUTE_UPDATE,
            subject=facts.subject,
            per=("dispute", dispute.id),
            title=f"The dispute {dispute.id} over {amount} ({dispute.reason}) {news}",
            severity=Severity.LOW,
            sides=(Side(Source.DISPUTES, (dispute.id,)), Side(Source.CHARGES, (dispute.charge,))),
            facts={
                System.STRIPE: {
                    "dispute": dispute.id,
                    "charge": dispute.charge,
                    "status": dispute.status,
                    "reason": dispute.reason,
                }
            },
            amount=amount,
            due_at=due_of(dispute.evidence_details.due_by)
            if dispute.status == "appeal_needs_response"
            else None,
            recommended=acknowledgement(),
            notes={"network_reason": dispute.network_reason_code},
        )


def _news(facts: Facts, dispute: Dispute) -> str | None:
    details, status = dispute.evidence_details, dispute.status
    if status in OPEN:
        takes_none = details.due_by == NO_ANSWER_TAKEN and not details.submission_count
        return "takes no answer" if takes_none else None
    if status in QUIET or not facts.since_adoption(Source.DISPUTES, dispute, status):
        return None
    if status == "lost":
        return "was lost"
    if status in APPEALED:
        return "was appealed"
    return f"is in a state that we do not know, “{status}”"
