"""Which decision explains which effect on Stripe: one effect answers to at most one attempt or approval.

Our own attempts come first: by the object that they made, by our tag on it (a tag without an attempt proves nothing),
or, while an answer is lost, by target, amount and time. Then the approvals whose execution is the caller's own affair:
those that an effect matches exactly, and only then those that it differs from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from accounts.stripe.decoding import OUR_TAG
from accounts.stripe.shapes import Dispute, Invoice, Payout, Refund, Subscription
from daemon.core.context import charge_of, invoice_of
from daemon.core.model import CallerApproval, Facts, Source, Tried, moment

CLOCKS_DIFFER_MAX: Final = timedelta(seconds=60)  # Stripe's and ours, and Stripe's whole seconds
AT_ONCE_MAX: Final = timedelta(minutes=1)  # between the request to cancel and the end
SENT: Final = frozenset({"sent", "unknown", "succeeded"})
MADE_BY_STRIPE: Final = frozenset({"expired_uncaptured_charge"})  # refunds of money that was never taken
ENDED_BY_STRIPE: Final = frozenset({"payment_failed", "payment_disputed"})  # subscriptions that dunning ended
SUBMITTED_BY_STRIPE: Final = "smart_disputes"  # as the account's own settings say


class Effect(StrEnum):
    REFUND = "refund"
    EVIDENCE = "evidence"
    CANCELLATION = "cancellation"


EXPLAINED_BY: Final[Mapping[Effect, frozenset[str]]] = {
    Effect.REFUND: frozenset({"refund", "credit_note"}),
    Effect.EVIDENCE: frozenset({"dispute_evidence"}),
    Effect.CANCELLATION: frozenset({"subscription_cancel"}),
}
READ_FROM: Final[Mapping[str, tuple[Source, ...]]] = {
    "refund": (Source.REFUNDS, Source.CHARGES),
    "credit_note": (Source.REFUNDS, Source.CHARGES, Source.INVOICES, Source.INVOICE_PAYMENTS),
    "dispute_evidence": (Source.DISPUTES,),
    "dispute_accept": (Source.DISPUTES,),
    "subscription_cancel": (Source.SUBSCRIPTIONS,),
    "invoice_pay": (Source.INVOICES,),
    "invoice_void": (Source.INVOICES,),
    "invoice_uncollectible": (Source.INVOICES,),
    "payout_cancel": (Source.PAYOUTS,),
}  # approvals of other actions cannot be verified, and are not judged
DONE_WHEN: Final = {
    "dispute_accept": "lost",
    "invoice_pay": "paid",
    "invoice_void": "void",
    "invoice_uncollectible": "uncollectible",
    "payout_cancel": "canceled",
}  # verified by the state of their target alone


class Move(NamedTuple):
    """One effect on Stripe that somebody must have decided."""

    effect: Effect
    object_type: str
    id: str
    number: int  # of several submissions for one dispute; otherwise 1
    at: datetime
    exact_time: bool  # False: when we saw it, some time after it happened
    targets: frozenset[str]
    amount_minor: int | None = None
    currency: str | None = None
    tag: str | None = None
    at_period_end: bool | None = None
    by_stripe: bool = False


@dataclass(frozen=True, slots=True)
class Explanations:
    """What explains what."""

    unexplained: tuple[Move, ...] = ()
    matching: Mapping[str, Move] = field(default_factory=dict)  # by the approval's proposal
    differing: Mapping[str, Move] = field(default_factory=dict)


def explanations(facts: Facts) -> Explanations:
    """Assigns every effect of this subject to what explains it."""
    left = _without_ours(facts.attempts, [each for each in moves(facts) if not each.by_stripe])
    matching, left = _assigned(facts.approvals, left, exactly=True)
    others = tuple(each for each in facts.approvals if each.proposal_id not in matching)
    differing, left = _assigned(others, left, exactly=False)
    return Explanations(tuple(left), matching, differing)


def moves(facts: Facts) -> Iterator[Move]:
    """Every effect of this subject, whenever it was, oldest first."""
    found = [_refunded(facts, each) for each in facts.refunds]
    for dispute in facts.disputes:
        found += _submitted(facts, dispute)
    found += [_canceled(each) for each in facts.subscriptions if each.canceled_at is not None]
    yield from sorted(found, key=lambda each: (each.at, each.id, each.number))


def unread_for(facts: Facts, approval: CallerApproval) -> Source | None:
    """A source without which nobody can say what became of this approval."""
    return next((each for each in READ_FROM.get(approval.action, ()) if each in facts.unread), None)


def state_of(facts: Facts, approval: CallerApproval) -> str | None:
    """The state of an approval's target; None where the target was not found."""
    known: tuple[Dispute | Invoice | Payout, ...] = (*facts.disputes, *facts.invoices, *facts.payouts)
    return next((each.status for each in known if each.id == approval.target_id), None)


def _refunded(facts: Facts, refund: Refund) -> Move:
    charge = charge_of(facts, refund.charge)
    invoice = invoice_of(facts, charge) if charge is not None else None
    intent = refund.payment_intent or (charge.payment_intent if charge is not None else None)
    targets = {refund.charge, intent, invoice.id if invoice is not None else None}
    return Move(
        Effect.REFUND,
        "refund",
        refund.id,
        1,
        moment(refund.created),
        True,
        frozenset(each for each in targets if each is not None),
        refund.amount,
        refund.currency,
        refund.metadata.get(OUR_TAG) if refund.metadata is not None else None,
        by_stripe=refund.reason in MADE_BY_STRIPE,
    )


def _submitted(facts: Facts, dispute: Dispute) -> list[Move]:
    details = dispute.evidence_details
    return [
        Move(
            Effect.EVIDENCE,
            "dispute",
            dispute.id,
            number,
            facts.in_state_since(Source.DISPUTES, dispute, f"submitted:{number}"),
            False,
            frozenset({dispute.id}),
            by_stripe=number == details.submission_count and details.submission_method == SUBMITTED_BY_STRIPE,
        )
        for number in range(1, details.submission_count + 1)
    ]


def _canceled(subscription: Subscription) -> Move:
    at = moment(subscription.canceled_at or 0)
    ended = moment(subscription.ended_at) if subscription.ended_at is not None else None
    details = subscription.cancellation_details
    return Move(
        Effect.CANCELLATION,
        "subscription",
        subscription.id,
        1,
        at,
        True,
        frozenset({subscription.id}),
        at_period_end=ended is None or ended - at > AT_ONCE_MAX,
        by_stripe=details is not None and details.reason in ENDED_BY_STRIPE,
    )


def _without_ours(attempts: tuple[Tried, ...], left: list[Move]) -> list[Move]:
    """What remains when each of our attempts has taken the effect that it had."""
    waiting = list(attempts)
    for surely in (_made, _tagged, _as_sent):
        for move in list(left):
            ours = next((each for each in waiting if surely(each, move)), None)
            if ours is not None:
                waiting.remove(ours)
                left.remove(move)
    return left


def _made(attempt: Tried, move: Move) -> bool:
    return _fits(attempt, move) and attempt.object_id == move.id and move.effect is not Effect.EVIDENCE


def _tagged(attempt: Tried, move: Move) -> bool:
    return _fits(attempt, move) and attempt.sent_at is not None and move.tag == attempt.proposal_id


def _as_sent(attempt: Tried, move: Move) -> bool:
    if not _fits(attempt, move) or attempt.sent_at is None or attempt.state not in SENT:
        return False
    if attempt.object_id is not None and attempt.action == "refund":
        return False  # it made another one
    return _amounts_agree(attempt, move) and move.at >= attempt.sent_at - CLOCKS_DIFFER_MAX


def _assigned(
    approvals: tuple[CallerApproval, ...], left: list[Move], *, exactly: bool
) -> tuple[dict[str, Move], list[Move]]:
    """Each effect goes to the approval that expires first of those it fits: so as many as can be are explained."""
    assigned: dict[str, Move] = {}
    remaining = []
    for move in left:
        fitting = [
            each
            for each in approvals
            if each.proposal_id not in assigned
            and _fits(each, move)
            and _in_time(each, move)
            and (_as_approved(each, move) or not exactly)
        ]
        named = [each for each in fitting if each.proposal_id == move.tag] or fitting
        if named:
            first = min(named, key=lambda each: (each.expires_at, each.approved_at, each.proposal_id))
            assigned[first.proposal_id] = move
        else:
            remaining.append(move)
    return assigned, remaining


def _fits(decided: Tried | CallerApproval, move: Move) -> bool:
    return decided.action in EXPLAINED_BY[move.effect] and decided.target_id in move.targets


def _in_time(approval: CallerApproval, move: Move) -> bool:
    if move.at < approval.approved_at - CLOCKS_DIFFER_MAX:
        return False
    return not move.exact_time or move.at <= approval.expires_at + CLOCKS_DIFFER_MAX


def _as_approved(approval: CallerApproval, move: Move) -> bool:
    if move.effect is Effect.CANCELLATION:
        wanted = approval.details.get("at_period_end")
        return not isinstance(wanted, bool) or wanted == move.at_period_end
    return _amounts_agree(approval, move)


def _amounts_agree(decided: Tried | CallerApproval, move: Move) -> bool:
    """An amount that was left open is all that remained."""
    if decided.amount_minor is not None and decided.amount_minor != move.amount_minor:
        return move.effect is not Effect.REFUND
    return decided.currency is None or move.currency is None or decided.currency == move.currency
