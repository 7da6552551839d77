"""A dispute needs an answer, and the time for it is running out, is over, or is unknown.

It stands while Stripe waits for an answer (`needs_response`, or `warning_needs_response` for an inquiry), no evidence
was submitted (what is only staged is not), and the deadline lies within the widest of `[deadlines] windows`. Where
Stripe names no deadline it is critical at once. A missed one stays critical until Stripe closes the dispute: late
evidence is not surely delivered, but sometimes it is. A `due_by` of 0 takes no answer: that is `dispute_update`.

What is drafted is evidence: a narrative from the payment, its subscription, earlier payments and access, and what this
reason still needs. Accepting is recommended only where an answer would have to win more often than not to pay for
itself; `counter_fee = "15 USD"` says what an answer costs. An inquiry has taken no money yet.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from accounts.stripe.shapes import Dispute
from daemon.core.canonical import Json
from daemon.core.context import beside, charge_of, invoice_of, subscription_of, unread_beside
from daemon.core.deadlines import changes_at, due_of, severity_of
from daemon.core.drafts import evidence
from daemon.core.escalation import escalated
from daemon.core.fees import break_even_percent, counter_fee
from daemon.core.model import (
    Direction,
    Disagreement,
    Due,
    Facts,
    Found,
    Kind,
    LookAgain,
    Money,
    Parameter,
    Policy,
    Recommendation,
    Severity,
    Side,
    Source,
    Standing,
    Substate,
    System,
    fingerprint,
)

needs = (Source.DISPUTES,)
only_with = "disputes"
parameters = {"counter_fee": Parameter.AMOUNTS}
about = ("customer", "dispute", "charge", "payment_intent")

ANSWERABLE: Final = frozenset({"needs_response", "warning_needs_response"})
BESIDE: Final = (
    Source.CHARGES,
    Source.REFUNDS,
    Source.INVOICES,
    Source.INVOICE_PAYMENTS,
    Source.SUBSCRIPTIONS,
    Source.PRODUCTS,
    Source.CRM,
    Source.ENTITLEMENTS,
)
ACCEPT_FROM_PERCENT: Final = 50  # of a hundred answers, so many would have to win


def dispute_deadline(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    for dispute in facts.disputes:
        if dispute.status not in ANSWERABLE or dispute.evidence_details.submission_count:
            continue
        due = due_of(dispute.evidence_details.due_by)
        if due is None:
            continue
        timezone = facts.account.timezone
        changes = changes_at(due, now, policy.deadlines, timezone)
        if changes is not None:
            yield LookAgain(changes)
        severity = severity_of(due, now, policy.deadlines, timezone)
        if severity is not None:
            yield from _case(facts, policy, now, dispute, due, severity)


def ending_of(facts: Facts, standing: Standing, now: datetime) -> Substate:
    """What became of it: answered in the dashboard, closed unanswered, or answered no more because it is over."""
    own = facts.account
    for dispute in facts.disputes:
        if (
            fingerprint(own.livemode, own.stripe_account, Kind.DISPUTE_DEADLINE, "dispute", dispute.id)
            != standing.fingerprint
        ):
            continue
        if dispute.evidence_details.submission_count or dispute.status in {"won", "prevented"}:
            return Substate.DONE_ELSEWHERE
        due = due_of(dispute.evidence_details.due_by)
        if dispute.status in {"lost", "warning_closed"} and isinstance(due, datetime) and now >= due:
            return Substate.MISSED_DEADLINE
    return Substate.AGREEMENT_RETURNED


def _case(
    facts: Facts, policy: Policy, now: datetime, dispute: Dispute, due: datetime | Due, severity: Severity
) -> Iterator[Found]:
    inquiry = dispute.status == "warning_needs_response"
    charge = charge_of(facts, dispute.charge)
    invoice = invoice_of(facts, charge) if charge is not None else None
    subscription = subscription_of(facts, invoice)
    amount = Money(dispute.amount, dispute.currency)
    drafted = evidence.draft(facts, dispute)
    answer = drafted.recommendation(dispute)
    arithmetic = _arithmetic(policy, dispute, amount, inquiry=inquiry)
    accept = Recommendation("dispute_accept", {"dispute": dispute.id})
    cheaper = arithmetic.get("recommended") == "accept"
    people = escalated(facts, subscription, policy, now, about_dispute=dispute.id)
    if people.look_again_at is not None:
        yield LookAgain(people.look_again_at)
    what = "inquiry" if inquiry else "dispute"
    taken = ", no money was withdrawn" if inquiry else ""
    unknown = ", and nobody knows until when" if isinstance(due, Due) else ""
    yield Disagreement(
        kind=Kind.DISPUTE_DEADLINE,
        subject=facts.subject,
        per=("dispute", dispute.id),
        title=f"The {what} {dispute.id} over {amount} ({dispute.reason}) needs an answer{unknown}{taken}",
        severity=severity,
        sides=(Side(Source.DISPUTES, (dispute.id,)), Side(Source.CHARGES, (dispute.charge,))),
        also_about=tuple(each.id for each in (invoice, subscription) if each is not None),
        facts={
            System.STRIPE: {
                "dispute": dispute.id,
                "charge": dispute.charge,
                "status": dispute.status,
                "reason": dispute.reason,
                "amount_minor": dispute.amount,
                "currency": dispute.currency,
                "due_by": due.isoformat() if isinstance(due, datetime) else due.value,
            }
        },
        amount=amount,
        direction=Direction.US,
        due_at=due,
        recommended=accept if cheaper else answer,
        drafts=(answer,) if cheaper else () if inquiry else (accept,),
        decided_by=f"deadline.{severity.value}",
        escalated_by=people.by,
        notes={
            **beside(facts),
            "evidence": drafted.completeness(),
            "staged_evidence": dispute.evidence_details.has_evidence,
            "if_nobody_answers": dispute.intended_submission_method,
            "late": dispute.evidence_details.past_due,
            "network_reason": dispute.network_reason_code,
            "money_withdrawn": any(each.amount < 0 for each in dispute.balance_transactions),
            "fees": [
                f"{Money(each.fee, each.currency)}" for each in dispute.balance_transactions if each.fee
            ],
            "still_refundable": dispute.is_charge_refundable,
            "arithmetic": arithmetic,
        },
        without=unread_beside(facts, BESIDE),
    )


def _arithmetic(policy: Policy, dispute: Dispute, amount: Money, *, inquiry: bool) -> dict[str, Json]:
    """What accepting costs, what answering costs, and how often an answer would have to win."""
    if inquiry:
        return {"if_unanswered": "it may become a chargeback", "fee_of_an_answer": None}
    fee = counter_fee(policy, dispute.currency)
    if fee is None:
        return {"accepting_loses": str(amount), "fee_of_an_answer": None}
    must_win = break_even_percent(amount, fee)
    return {
        "accepting_loses": str(amount),
        "fee_of_an_answer": str(fee),  # it comes back if the dispute is won
        "answers_must_win_percent": must_win,
        "recommended": "accept" if must_win > ACCEPT_FROM_PERCENT else "answer",
    }
