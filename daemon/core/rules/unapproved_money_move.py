"""Money was refunded, or evidence submitted, and nothing that we know of allowed it.

What allows it: an attempt of ours, a caller's approval that it matches (or differs from: that is
`executed_differently`), Stripe itself, or a source that the policy trusts, `allow = ["metadata.source=backoffice"]`.
Our own tag on an object counts only if there is the attempt that it names. With `cancellations = true` subscriptions
that somebody ended are held to it too. It counts from the first complete pass, also for refunds that failed since:
who made them is still unknown. It ends by dismissal: what happened does not unhappen.
"""

from collections.abc import Iterator
from datetime import datetime

from accounts.stripe.shapes import Dispute, Refund, Subscription
from daemon.core.model import (
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    Money,
    Parameter,
    Policy,
    Severity,
    Side,
    Source,
    System,
    Unread,
    acknowledgement,
)
from daemon.core.moves import Effect, Move, explanations

needs = (Source.REFUNDS, Source.CHARGES, Source.DISPUTES)
parameters = {"cancellations": Parameter.SWITCH, "allow": Parameter.METADATA}
about = ("customer", "charge", "payment_intent", "refund", "dispute")

WORDS = {
    Effect.REFUND: "was made",
    Effect.EVIDENCE: "was answered with evidence",
    Effect.CANCELLATION: "was canceled",
}
SOURCE = {
    Effect.REFUND: Source.REFUNDS,
    Effect.EVIDENCE: Source.DISPUTES,
    Effect.CANCELLATION: Source.SUBSCRIPTIONS,
}


def unapproved_money_move(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    adopted = facts.account.adopted
    blind = Source.SUBSCRIPTIONS in facts.unread
    ended = blind or any(each.canceled_at is not None for each in facts.subscriptions)
    if adopted is None or not (ended or facts.refunds or facts.disputes):
        return
    cancellations = policy.parameter(Kind.UNAPPROVED_MONEY_MOVE, "cancellations", False) is True
    if cancellations and blind:
        yield Unread(Source.SUBSCRIPTIONS)
        return
    told: set[str] = set()
    for move in explanations(facts).unexplained:
        if move.at < adopted or move.id in told or (move.effect is Effect.CANCELLATION and not cancellations):
            continue
        if _allowed(facts, policy, move):
            continue
        told.add(move.id)
        yield _case(facts, move)


def _case(facts: Facts, move: Move) -> Disagreement:
    amount = _amount(facts, move)
    return Disagreement(
        kind=Kind.UNAPPROVED_MONEY_MOVE,
        subject=facts.subject,
        per=(move.object_type, move.id),
        title=f"The {move.object_type} {move.id}{f' ({amount})' if amount is not None else ''} "
        f"{WORDS[move.effect]}, and nobody approved it",
        severity=Severity.CRITICAL,
        sides=(Side(SOURCE[move.effect], (move.id,)),),
        also_about=tuple(sorted(move.targets)),
        facts={
            System.STRIPE: {
                "effect": move.effect.value,
                "object": move.id,
                "amount_minor": move.amount_minor,
                "currency": move.currency,
            }
        },
        amount=amount,
        direction=Direction.US,
        recommended=acknowledgement(),
        decided_by=f"unexplained.{move.effect.value}",
        notes={"at" if move.exact_time else "seen_at": move.at.isoformat(), "claims": move.tag},
    )


def _amount(facts: Facts, move: Move) -> Money | None:
    if move.amount_minor is not None and move.currency is not None:
        return Money(move.amount_minor, move.currency)
    disputed = next((each for each in facts.disputes if each.id == move.id), None)
    return Money(disputed.amount, disputed.currency) if disputed is not None else None


def _allowed(facts: Facts, policy: Policy, move: Move) -> bool:
    """Whether the object's metadata names a source that the policy trusts."""
    allow = policy.parameter(Kind.UNAPPROVED_MONEY_MOVE, "allow", ())
    if not isinstance(allow, list | tuple):
        return False
    known: tuple[Refund | Dispute | Subscription, ...] = (
        *facts.refunds,
        *facts.disputes,
        *facts.subscriptions,
    )
    metadata = next((each.metadata for each in known if each.id == move.id), None)
    if metadata is None:
        return False
    for line in allow:
        named, separator, value = str(line).partition("=")
        key = named.strip().removeprefix("metadata.")
        if separator and key != named.strip() and metadata.get(key) == value.strip():
            return True
    return False
