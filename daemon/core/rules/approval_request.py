"""Somebody, or an agent, asks for an action, and it is not decided and done yet.

One case per target and requester: a second request of the same requester for the same object joins the first. A request
that was drafted on another case belongs to that case. Once it is decided, executed, expired or withdrawn, it ends.
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.canonical import Json
from daemon.core.model import (
    Disagreement,
    Facts,
    Found,
    Kind,
    LiveProposal,
    Money,
    Policy,
    Recommendation,
    Substate,
    System,
)
from daemon.core.model.desk import UNSETTLED
from daemon.core.protocol import OVER

needs = ()
only_with = "proposals"
about = (
    "customer", "charge", "payment_intent", "refund", "dispute", "review", "radar.early_fraud_warning", "payout",
    "invoice", "subscription", "account",
)  # fmt: skip
ending = Substate.DISMISSED  # where it was executed, that says so instead

STANDS = {
    "pending": "waits for approval",
    "changes_requested": "waits for changes",
    "approved": "is approved",
    "executing": "is being carried out",
    "failed": "has failed",
    "unknown": "was sent, and nobody knows yet whether it happened",
}


def approval_request(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    asked: dict[tuple[str, str, str], list[LiveProposal]] = {}
    for each in facts.proposals:
        over = each.state in OVER and not _waits_for_stripe(facts, each)
        if over or each.case_kind not in {None, Kind.APPROVAL_REQUEST.value}:
            continue
        asked.setdefault((each.target_type, each.target_id, each.requested_by), []).append(each)
    for (target_type, target_id, requested_by), proposals in sorted(asked.items()):
        newest = max(proposals, key=lambda each: (each.created_at, each.id, each.version))
        amount = _amount(newest)
        yield Disagreement(
            kind=Kind.APPROVAL_REQUEST,
            subject=facts.subject,
            per=(f"{target_type} for {requested_by}", target_id),
            title=f"{newest.action.replace('_', ' ').capitalize()} of {target_id}"
            f"{f', {amount},' if amount is not None else ''} {STANDS.get(newest.state, 'waits for Stripe')}",
            also_about=(target_id,),
            facts={
                System.STRIPE: {
                    "target": target_id,
                    "requested_by": requested_by,
                    "proposals": {each.id: _asked(each) for each in proposals},
                }
            },
            amount=amount,
            due_at=newest.expires_at,
            recommended=Recommendation(newest.action, newest.details),
            notes={"states": {each.id: each.state for each in proposals}, "execution": newest.execution},
        )


def _waits_for_stripe(facts: Facts, proposal: LiveProposal) -> bool:
    """Whether it was done, and Stripe has not settled it: a refund may be pending for days, and fail then."""
    made = {each.object_id for each in facts.attempts if each.proposal_id == proposal.id and each.unsettled()}
    settled = {each.id for each in facts.refunds if each.status not in UNSETTLED}
    return bool(made - settled)


def _asked(proposal: LiveProposal) -> Json:
    return {"action": proposal.action, "amount_minor": proposal.amount_minor, "currency": proposal.currency}


def _amount(proposal: LiveProposal) -> Money | None:
    if proposal.amount_minor is None or proposal.currency is None:
        return None
    return Money(proposal.amount_minor, proposal.currency)
