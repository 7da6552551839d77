"""A caller got an approval, and by its expiry nothing on Stripe shows that it was used.

Only actions that leave a trace are judged: refunds, evidence, accepted disputes, cancellations, invoices paid, voided
or written off, canceled payouts. Usual causes: the caller crashed, or acted too late: what comes after the expiry is
not covered by the approval. Ask for a new one; an expired approval is never used again.
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.model import (
    CallerApproval,
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    LookAgain,
    Money,
    Policy,
    Side,
    System,
    Unread,
    acknowledgement,
)
from daemon.core.moves import DONE_WHEN, READ_FROM, explanations, state_of, unread_for

needs = ()
only_with = "approvals"
about = ("customer", "charge", "payment_intent", "refund", "dispute", "payout", "invoice", "subscription")


def approved_not_executed(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    found = explanations(facts)
    for approval in facts.approvals:
        if approval.action not in READ_FROM or approval.proposal_id in {*found.matching, *found.differing}:
            continue
        unread = unread_for(facts, approval)
        if unread is not None:
            yield Unread(unread)
        elif now < approval.expires_at:
            yield LookAgain(approval.expires_at)
        elif not _done(facts, approval):
            yield _case(facts, approval)


def _done(facts: Facts, approval: CallerApproval) -> bool:
    """Verified by its target's state; a target that is not ours to see is not held against the caller."""
    if approval.action not in DONE_WHEN:
        return False
    state = state_of(facts, approval)
    return state is None or state == DONE_WHEN[approval.action]


def _case(facts: Facts, approval: CallerApproval) -> Disagreement:
    amount = None
    if approval.amount_minor is not None and approval.currency is not None:
        amount = Money(approval.amount_minor, approval.currency)
    return Disagreement(
        kind=Kind.APPROVED_NOT_EXECUTED,
        subject=facts.subject,
        per=("proposal", approval.proposal_id),
        title=f"{approval.action.replace('_', ' ').capitalize()} of {approval.target_id}"
        f"{f', {amount},' if amount is not None else ''} was approved and never done",
        sides=(Side(READ_FROM[approval.action][0]),),
        also_about=(approval.target_id, approval.proposal_id),
        facts={
            System.STRIPE: {
                "proposal": approval.proposal_id,
                "version": approval.version,
                "action": approval.action,
                "target": approval.target_id,
                "amount_minor": approval.amount_minor,
                "currency": approval.currency,
                "expired_at": approval.expires_at.isoformat(),
            }
        },
        amount=amount,
        direction=Direction.CUSTOMER if approval.action == "refund" else None,
        recommended=acknowledgement(),
    )
