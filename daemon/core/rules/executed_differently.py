"""A caller did something else than what was approved: another amount or currency, or at once instead of at the end.

The effect lies on the approved object and inside the approval's time; nothing else explains it. It ends by dismissal.
Compare what was approved with what was done, and ask who runs the caller.
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.canonical import Json
from daemon.core.model import (
    CallerApproval,
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Money,
    Policy,
    Severity,
    Side,
    System,
    Unread,
    acknowledgement,
)
from daemon.core.moves import READ_FROM, Effect, Move, explanations, unread_for

needs = ()
only_with = "approvals"
about = ("customer", "charge", "payment_intent", "refund", "dispute", "subscription")


def executed_differently(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    for approval in facts.approvals:
        unread = unread_for(facts, approval)
        if unread is not None:
            yield Unread(unread)
            return
    approvals = {each.proposal_id: each for each in facts.approvals}
    for proposal_id, move in sorted(explanations(facts).differing.items()):
        yield _case(facts, approvals[proposal_id], move)


def _case(facts: Facts, approval: CallerApproval, move: Move) -> Disagreement:
    approved, done = _approved(approval), _done(move)
    return Disagreement(
        kind=Kind.EXECUTED_DIFFERENTLY,
        subject=facts.subject,
        per=("proposal", approval.proposal_id),
        title=f"{approval.action.replace('_', ' ').capitalize()} of {approval.target_id}: approved was "
        f"{_words(approved)}, done was {_words(done)} ({move.id})",
        severity=Severity.CRITICAL,
        sides=(Side(READ_FROM[approval.action][0], (move.id,)),),
        also_about=(approval.target_id, approval.proposal_id),
        facts={
            System.STRIPE: {
                "proposal": approval.proposal_id,
                "version": approval.version,
                "action": approval.action,
                "object": move.id,
                "approved": approved,
                "done": done,
            }
        },
        amount=_apart(approval, move),
        direction=Direction.US,
        recommended=acknowledgement(),
    )


def _approved(approval: CallerApproval) -> dict[str, Json]:
    if approval.action == "subscription_cancel":
        return {"at_period_end": approval.details.get("at_period_end")}
    return {"amount_minor": approval.amount_minor, "currency": approval.currency}


def _done(move: Move) -> dict[str, Json]:
    if move.effect is Effect.CANCELLATION:
        return {"at_period_end": move.at_period_end}
    return {"amount_minor": move.amount_minor, "currency": move.currency}


def _words(said: dict[str, Json]) -> str:
    if "at_period_end" in said:
        return "at the end of the period" if said["at_period_end"] else "at once"
    amount, currency = said["amount_minor"], said["currency"]
    return (
        str(Money(amount, currency)) if isinstance(amount, int) and isinstance(currency, str) else str(amount)
    )


def _apart(approval: CallerApproval, move: Move) -> Money | None:
    """By how much; of another currency all of it."""
    if move.amount_minor is None or move.currency is None:
        return None
    if approval.amount_minor is None or approval.currency not in {None, move.currency}:
        return Money(move.amount_minor, move.currency)
    return Money(abs(move.amount_minor - approval.amount_minor), move.currency)
