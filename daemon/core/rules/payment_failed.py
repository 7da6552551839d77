"""The latest invoice of a live subscription could not be collected and is still open.

Each failure is put into a bucket that says what helps next; the line that decided is on the case (`decided_by`):
`temporary_failure` (Stripe tries again), `missing_payment_method`, `authentication_needed`, `high_risk_churn` (fraud,
a dispute, or somebody who is leaving: a person looks first) and `unknown`. Paused collection silences it, and so does a
collection that is still under way. Drafted are a message for each channel, from the policy's `[templates]` where it
has them, and a task in the CRM. A customer is never told that a card was lost, stolen or suspected. Which cases
go to people, and by which rule (`escalated_by`), `[escalate]` of the policy and the built-in lines say.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from accounts.stripe.shapes import Invoice, Subscription
from daemon.core.classification import SEVERITY, classify, intent_of, may_be_told, signals_of
from daemon.core.context import beside, unread_beside
from daemon.core.drafts import recovery
from daemon.core.escalation import READS, escalated
from daemon.core.model import (
    Direction,
    Disagreement,
    Facts,
    Found,
    Kind,
    LookAgain,
    Money,
    Policy,
    Side,
    Source,
    System,
    Unread,
    moment,
)

needs = (Source.SUBSCRIPTIONS, Source.INVOICES)

OF_THE_PAYMENT: Final = (Source.INVOICE_PAYMENTS, Source.PAYMENT_INTENTS, Source.CHARGES)
BESIDE: Final = (*OF_THE_PAYMENT, Source.CUSTOMERS, Source.FRAUD_WARNINGS, Source.PRODUCTS, *READS)
UNDER_WAY: Final = frozenset({"processing", "requires_capture", "succeeded"})  # a bank debit takes days


def payment_failed(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    unpaid = [each for each in facts.invoices if each.status == "open"]
    if not unpaid:
        return
    for subscription in facts.live:
        if subscription.pause_collection is not None:
            continue
        invoice = _latest(facts, subscription)
        if invoice is None or invoice.status != "open":
            continue
        failed = _failed(facts, subscription, invoice)
        if isinstance(failed, Unread):
            yield failed
        elif failed:
            yield from _case(facts, policy, now, subscription, invoice)


def _latest(facts: Facts, subscription: Subscription) -> Invoice | None:
    own = [each for each in facts.invoices if each.subscription == subscription.id]
    named = [each for each in facts.invoices if each.id == subscription.latest_invoice]
    return max(named or own, key=lambda each: (each.created, each.id), default=None)


def _failed(facts: Facts, subscription: Subscription, invoice: Invoice) -> bool | Unread:
    """Stripe has no status for it: something was tried, it did not work, and nothing is under way."""
    intent = intent_of(facts, invoice)
    if intent is not None:
        if intent.status in UNDER_WAY:
            return False
        return invoice.attempt_count > 0 or intent.last_payment_error is not None
    if not invoice.attempt_count:
        return False
    if subscription.status != "past_due":  # which Stripe says itself only after a failure
        for source in (Source.INVOICE_PAYMENTS, Source.PAYMENT_INTENTS):
            if source in facts.unread:
                return Unread(source)
    return True


def _case(
    facts: Facts, policy: Policy, now: datetime, subscription: Subscription, invoice: Invoice
) -> Iterator[Found]:
    signals = signals_of(facts, subscription, invoice)
    line = classify(signals)
    told = may_be_told(signals)
    people = escalated(facts, subscription, policy, now)
    if people.look_again_at is not None:
        yield LookAgain(people.look_again_at)
    owed = Money(invoice.amount_remaining, invoice.currency)
    drafts = recovery.messages(facts, policy, subscription, invoice, line.bucket, told=told)
    task = recovery.crm_task(
        facts,
        subscription,
        invoice,
        line.bucket,
        why=_why(signals.codes) if told else "not to be told to the customer",
        escalated_by=people.by,
    )
    if task is not None:
        drafts = (*drafts, task)
    intent = intent_of(facts, invoice)
    yield Disagreement(
        kind=Kind.PAYMENT_FAILED,
        subject=facts.subject,
        per=("invoice", invoice.id),
        title=f"{owed} of {invoice.id} for {subscription.id} ({facts.plan_of(subscription)}) could not be collected",
        severity=SEVERITY[line.bucket],
        sides=(
            Side(Source.INVOICES, (invoice.id,)),
            Side(Source.SUBSCRIPTIONS, (subscription.id,)),
            Side(Source.PAYMENT_INTENTS, (intent.id,) if intent is not None else ()),
        ),
        also_about=(intent.latest_charge,) if intent is not None and intent.latest_charge is not None else (),
        facts={
            System.STRIPE: {
                "invoice": invoice.id,
                "subscription": subscription.id,
                "remaining_minor": invoice.amount_remaining,
                "currency": invoice.currency,
            }
        },
        amount=owed,
        direction=Direction.US,
        recommended=recovery.next_action(invoice, line.bucket, drafts, escalated=people.by is not None),
        drafts=drafts,
        bucket=line.bucket.value,
        decided_by=line.id,
        escalated_by=people.by,
        notes={
            **beside(facts),
            "codes": tuple(sorted(signals.codes)),
            "advice": tuple(sorted(signals.advice)),
            "attempts": invoice.attempt_count,
            "next_attempt": _moment(invoice.next_payment_attempt),
            "other_open_invoices": tuple(
                each.id
                for each in facts.invoices
                if each.subscription == subscription.id and each.status == "open" and each.id != invoice.id
            ),
        },
        without=unread_beside(facts, BESIDE),
    )


def _why(codes: frozenset[str]) -> str:
    return ", ".join(sorted(code.replace("_", " ") for code in codes)) or "no reason given"


def _moment(unix: int | None) -> str | None:
    return moment(unix).isoformat() if unix is not None else None
