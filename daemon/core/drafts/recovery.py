"""What is drafted for a failed payment: a message for each channel, a task in the CRM, and the next step itself.

A customer is never told that a card was lost, stolen or suspected; such a payment gets the quiet wording, and nobody
writes to a customer whose payments look like fraud, or who is leaving, before a person has looked.
"""

from datetime import timedelta
from typing import Final

from accounts.money import Money
from accounts.stripe.shapes import Invoice, Subscription
from daemon.core.canonical import Json
from daemon.core.classification import Bucket
from daemon.core.context import day
from daemon.core.drafts.wording import write
from daemon.core.model import Facts, Policy, Recommendation, moment

TEMPLATE: Final = {
    Bucket.TEMPORARY_FAILURE: "payment_failed_temporary",
    Bucket.MISSING_PAYMENT_METHOD: "payment_failed_payment_method",
    Bucket.AUTHENTICATION_NEEDED: "payment_failed_authentication",
    Bucket.UNKNOWN: "payment_failed_unknown",
}
QUIET: Final = "payment_failed_quiet"
TO_OWNER: Final = "payment_failed"
TO_CUSTOMER: Final = ("email", "chat")

TASK_WITHIN: Final = {
    Bucket.HIGH_RISK_CHURN: timedelta(days=1),
    Bucket.AUTHENTICATION_NEEDED: timedelta(days=2),
    Bucket.MISSING_PAYMENT_METHOD: timedelta(days=2),
    Bucket.UNKNOWN: timedelta(days=3),
    Bucket.TEMPORARY_FAILURE: timedelta(days=5),
}  # counted from the invoice, since a draft must not change with the day on which it is looked at


def messages(
    facts: Facts,
    policy: Policy,
    subscription: Subscription,
    invoice: Invoice,
    bucket: Bucket,
    *,
    told: bool,
) -> tuple[Recommendation, ...]:
    """To the customer by each channel, and to whoever looks after them."""
    filed = facts.record
    fields = {
        "amount": str(Money(invoice.amount_remaining, invoice.currency)),
        "invoice": invoice.number or invoice.id,
        "plan": facts.plan_of(subscription),
        "next_step": _next_step(invoice),
        "owner": (filed.record.owner if filed is not None else None) or "Account owner",
    }
    drafts = []
    if bucket is not Bucket.HIGH_RISK_CHURN:
        name = TEMPLATE[bucket] if told else QUIET
        drafts += [_message(policy, name, channel, "customer", fields) for channel in TO_CUSTOMER]
    drafts.append(_message(policy, TO_OWNER, "csm", "account_owner", fields))
    return tuple(drafts)


def crm_task(
    facts: Facts,
    subscription: Subscription,
    invoice: Invoice,
    bucket: Bucket,
    *,
    why: str,
    escalated_by: str | None,
) -> Recommendation | None:
    """None where the CRM has no record to hang it on."""
    filed = facts.record
    if filed is None:
        return None
    record = filed.record
    owed = Money(invoice.amount_remaining, invoice.currency)
    worth = record.mrr_in(invoice.currency)
    lines = [
        f"{owed} of {invoice.id} for {facts.plan_of(subscription)} ({subscription.id}) is open.",
        f"Reason: {bucket.value.replace('_', ' ')} ({why}).",
        f"Worth: {worth} a month." if worth is not None else "",
        f"Renewal: {record.renewal:%Y-%m-%d}." if record.renewal is not None else "",
        f"Owner: {record.owner}." if record.owner is not None else "",
        f"Decided by people because of: {escalated_by}." if escalated_by is not None else "",
        _next_step(invoice),
    ]
    details: dict[str, Json] = {
        "key": record.key,
        "title": f"Payment of {owed} failed ({invoice.id})",
        "body": "\n".join(line for line in lines if line),
        "due": f"{moment(invoice.created) + TASK_WITHIN[bucket]:%Y-%m-%d}",
    }
    return Recommendation("crm_task", details, personal=("body",))


def next_action(
    invoice: Invoice, bucket: Bucket, drafts: tuple[Recommendation, ...], *, escalated: bool
) -> Recommendation:
    """What is recommended first. An attempt to collect is only ever offered where another one may succeed."""
    to_owner = drafts[-1] if drafts[-1].action == "crm_task" else next(d for d in drafts if _is_for(d, "csm"))
    if bucket is Bucket.HIGH_RISK_CHURN or escalated:
        return to_owner
    if bucket is Bucket.TEMPORARY_FAILURE:
        if invoice.next_payment_attempt is not None:
            return Recommendation("acknowledge", {})  # Stripe tries again by itself
        return Recommendation("invoice_pay", {"invoice": invoice.id})
    return drafts[0]


def _message(policy: Policy, name: str, channel: str, to_role: str, fields: dict[str, str]) -> Recommendation:
    message = write(policy, name, channel, fields)
    details: dict[str, Json] = {
        "channel": channel,
        "template": message.template,
        "to_role": to_role,
        "fields": dict(fields),
        "subject": message.subject,
        "body": message.body,
    }
    return Recommendation("message", details, personal=("fields", "subject", "body"))


def _next_step(invoice: Invoice) -> str:
    if invoice.next_payment_attempt is None:
        return "We do not try again by ourselves."
    return f"We try again on {day(invoice.next_payment_attempt)}."


def _is_for(draft: Recommendation, channel: str) -> bool:
    return draft.details.get("channel") == channel
