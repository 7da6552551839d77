"""What a case shows beside its own facts: how the objects hang together, and what the other systems know.

None of this decides whether a case stands. What could not be read is named, so that a case that stands already
keeps what it says.
"""

from collections.abc import Iterable
from typing import Final

from accounts.stripe.shapes import Charge, Dispute, Invoice, Subscription
from daemon.core.canonical import Json
from daemon.core.model import Facts, Source, moment

OPEN_DISPUTES: Final = frozenset(
    {
        "needs_response", "warning_needs_response", "appeal_needs_response",
        "under_review", "warning_under_review", "appeal_under_review",
    }
)  # fmt: skip


def unread_beside(facts: Facts, sources: Iterable[Source]) -> tuple[Source, ...]:
    """Which of these were not read, of those that this account has at all."""
    account = facts.account
    absent = {Source.CRM: account.crm is None, Source.ENTITLEMENTS: account.entitlements is None}
    absent[Source.PRODUCTS] = not account.plans.by_product
    return tuple(each for each in sources if each in facts.unread and not absent.get(each, False))


def charge_of(facts: Facts, id: str | None) -> Charge | None:
    return next((each for each in facts.charges if each.id == id), None)


def invoice_of(facts: Facts, charge: Charge) -> Invoice | None:
    """The invoice that a charge paid, or was to pay."""
    paid_by = {charge.id, charge.payment_intent} - {None}
    named = {
        each.invoice
        for each in facts.invoice_payments
        if each.payment.payment_intent in paid_by or each.payment.charge in paid_by
    }
    for invoice in facts.invoices:
        if invoice.id in named or paid_by & set(invoice.paid_through or ()):
            return invoice
    return None


def subscription_of(facts: Facts, invoice: Invoice | None) -> Subscription | None:
    if invoice is None:
        return None
    return next((each for each in facts.subscriptions if each.id == invoice.subscription), None)


def good_payments(facts: Facts, before: int) -> list[Charge]:
    """Payments before this second that went through and were neither disputed nor refunded whole, newest first."""
    good = [
        each
        for each in facts.charges
        if each.paid and each.captured and each.created < before and not each.disputed and not each.refunded
    ]
    return sorted(good, key=lambda each: (each.created, each.id), reverse=True)


def open_disputes(facts: Facts) -> list[Dispute]:
    return [each for each in facts.disputes if each.status in OPEN_DISPUTES]


def crm_says(facts: Facts) -> dict[str, Json]:
    """The customer's record without its name: account value, owner, segment and renewal."""
    filed = facts.record
    if filed is None:
        return {}
    record = filed.record
    return {
        "key": record.key,
        "status": record.status,
        "plan": record.plan,
        "segment": record.segment,
        "owner": record.owner,
        "mrr": None if record.mrr is None else str(record.mrr),
        "mrr_unit": record.mrr_unit,
        "currency": record.currency,
        "renewal": record.renewal.isoformat() if record.renewal else None,
    }


def product_says(facts: Facts) -> list[Json]:
    """What the product gives the customer, as it words it."""
    return [
        {
            "key": each.key,
            "feature": each.feature,
            "plan": each.plan,
            "status": each.status,
            "quantity": each.quantity,
            "expires_at": each.expires_at.isoformat() if each.expires_at else None,
        }
        for each in sorted(facts.entitlements, key=lambda each: each.key)
    ]


def beside(facts: Facts) -> dict[str, Json]:
    """The notes that every case about a payment carries."""
    return {
        "crm": crm_says(facts),
        "entitlements": product_says(facts),
        "subscriptions": {each.id: each.status for each in facts.subscriptions},
    }


def day(unix: int) -> str:
    return f"{moment(unix):%Y-%m-%d}"
