"""Stripe's objects for scenarios, with what a scenario does not care about filled in; and the cases of a kind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.facts import Entitlement, Record, Subject
from accounts.stripe.shapes import (
    Charge,
    Customer,
    Dispute,
    EarlyFraudWarning,
    Invoice,
    InvoicePayment,
    PaymentIntent,
    Payout,
    Price,
    Refund,
    Review,
    Subscription,
)
from accounts.stripe.shapes.base import Embedded
from accounts.stripe.shapes.billing import InvoicePaid, PaymentDefaults, SubscriptionItem
from accounts.stripe.shapes.payments import EvidenceDetails, Outcome, PaymentError
from daemon.core.judge import Verdict, judge
from daemon.core.model import (
    AccessWords,
    AccountFacts,
    CrmWords,
    Disagreement,
    Estate,
    Facts,
    Filed,
    Kind,
    Policy,
    Switch,
)

NOW = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)  # a Wednesday
ADOPTED = NOW - timedelta(days=10)
POLICY = Policy(version="p1")
CUSTOMER = Subject("acme", "customer", "cus_1")


def at(when: datetime) -> int:
    return int(when.timestamp())


def ago(**span: int) -> int:
    return at(NOW - timedelta(**span))


def ahead(**span: int) -> int:
    return at(NOW + timedelta(**span))


def account(**changes: Any) -> AccountFacts:
    given: dict[str, Any] = {
        "slug": "acme",
        "stripe_account": "acct_1",
        "livemode": True,
        "adopted": ADOPTED,
        "crm": CrmWords("hubspot", ("churned",), ("active",)),
        "entitlements": AccessWords("app", ("active", "grace")),
    }
    return AccountFacts(**given | changes)


def facts(subject: Subject = CUSTOMER, **parts: Any) -> Facts:
    own = parts.pop("account", None) or account()
    if subject.kind == "customer":
        parts.setdefault("customer", customer())
    return Facts(subject=subject, account=own, estate=Estate((own,)), **parts)


def judged(kind: Kind, known: Facts, policy: Policy = POLICY, now: datetime = NOW) -> Verdict:
    others = {each: Switch(on=False) for each in Kind if each is not kind}
    return judge(known, replace(policy, rules=dict(policy.rules) | others), now)


def cases(kind: Kind, known: Facts, policy: Policy = POLICY, now: datetime = NOW) -> list[Disagreement]:
    """What should stand of one kind."""
    return [each.disagreement for each in judged(kind, known, policy, now).wanted]


def case(kind: Kind, known: Facts, policy: Policy = POLICY, now: datetime = NOW) -> Disagreement:
    (one,) = cases(kind, known, policy, now)
    return one


def customer(**changes: Any) -> Customer:
    on_file = PaymentDefaults(default_payment_method="pm_1")
    given: dict[str, Any] = {
        "id": "cus_1",
        "created": ago(days=400),
        "livemode": True,
        "invoice_settings": on_file,
    }
    return Customer(**given | changes)


def subscription(**changes: Any) -> Subscription:
    price = Price(id="price_1", currency="eur", product="prod_1", lookup_key="pro", unit_amount=4900)
    given: dict[str, Any] = {
        "id": "sub_1",
        "created": ago(days=300),
        "customer": "cus_1",
        "items": Embedded((SubscriptionItem(id="si_1", price=price, quantity=1),)),
        "livemode": True,
        "status": "active",
        "latest_invoice": "in_1",
    }
    return Subscription(**given | changes)


def invoice(**changes: Any) -> Invoice:
    amount = changes.pop("amount", 4900)
    given: dict[str, Any] = {
        "id": "in_1",
        "amount_due": amount,
        "amount_paid": 0,
        "amount_remaining": amount,
        "created": ago(days=3),
        "currency": "eur",
        "customer": "cus_1",
        "livemode": True,
        "total": amount,
        "status": "open",
        "subscription": "sub_1",
        "attempt_count": 1,
        "attempted": True,
        "next_payment_attempt": ahead(days=2),
        "period_start": ago(days=33),
        "period_end": ago(days=3),
    }
    return Invoice(**given | changes)


def invoice_payment(invoice: str = "in_1", intent: str = "pi_1", **changes: Any) -> InvoicePayment:
    given: dict[str, Any] = {
        "id": f"inpay_{intent}",
        "amount_requested": 4900,
        "created": ago(days=3),
        "currency": "eur",
        "invoice": invoice,
        "is_default": True,
        "livemode": True,
        "payment": InvoicePaid(type="payment_intent", payment_intent=intent),
        "status": "open",
    }
    return InvoicePayment(**given | changes)


def intent(error: PaymentError | None = None, **changes: Any) -> PaymentIntent:
    given: dict[str, Any] = {
        "id": "pi_1",
        "amount": 4900,
        "created": ago(days=3),
        "currency": "eur",
        "livemode": True,
        "status": "requires_payment_method",
        "customer": "cus_1",
        "last_payment_error": error,
        "latest_charge": "ch_1",
    }
    return PaymentIntent(**given | changes)


def charge(id: str = "ch_1", **changes: Any) -> Charge:
    amount = changes.get("amount", 4900)
    given: dict[str, Any] = {
        "id": id,
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": 0,
        "captured": True,
        "created": ago(days=3),
        "currency": "eur",
        "disputed": False,
        "livemode": True,
        "paid": True,
        "refunded": False,
        "status": "succeeded",
        "customer": "cus_1",
        "payment_intent": id.replace("ch_", "pi_"),
    }
    return Charge(**given | changes)


def declined(code: str | None = "generic_decline", **outcome: Any) -> Charge:
    said: dict[str, Any] = {"type": "issuer_declined", "reason": code, "risk_level": "normal"} | outcome
    return charge(
        paid=False, captured=False, status="failed", failure_code="card_declined", outcome=Outcome(**said)
    )


def refund(id: str = "re_1", **changes: Any) -> Refund:
    given: dict[str, Any] = {
        "id": id,
        "amount": 2000,
        "created": ago(days=1),
        "currency": "eur",
        "charge": "ch_1",
        "customer": "cus_1",
        "status": "succeeded",
    }
    return Refund(**given | changes)


def dispute(id: str = "dp_1", *, due_by: int | None = None, submitted: int = 0, **changes: Any) -> Dispute:
    details = EvidenceDetails(
        due_by=due_by,
        has_evidence=changes.pop("has_evidence", submitted > 0),
        past_due=changes.pop("past_due", False),
        submission_count=submitted,
        submission_method=changes.pop("submission_method", None),
    )
    given: dict[str, Any] = {
        "id": id,
        "amount": 4900,
        "charge": "ch_1",
        "created": ago(days=5),
        "currency": "eur",
        "evidence_details": details,
        "is_charge_refundable": False,
        "livemode": True,
        "reason": "fraudulent",
        "status": "needs_response",
    }
    return Dispute(**given | changes)


def warning(id: str = "issfr_1", **changes: Any) -> EarlyFraudWarning:
    given: dict[str, Any] = {
        "id": id,
        "actionable": True,
        "charge": "ch_1",
        "created": ago(days=1),
        "fraud_type": "made_with_stolen_card",
        "livemode": True,
    }
    return EarlyFraudWarning(**given | changes)


def review(id: str = "prv_1", **changes: Any) -> Review:
    given: dict[str, Any] = {
        "id": id,
        "created": ago(days=1),
        "livemode": True,
        "open": True,
        "reason": "rule",
        "charge": "ch_1",
        "opened_reason": "rule",
    }
    return Review(**given | changes)


def payout(id: str = "po_1", **changes: Any) -> Payout:
    given: dict[str, Any] = {
        "id": id,
        "amount": 90_000,
        "arrival_date": ago(days=1),
        "automatic": True,
        "created": ago(days=3),
        "currency": "eur",
        "livemode": True,
        "status": "failed",
        "failure_code": "account_closed",
    }
    return Payout(**given | changes)


def entitlement(**changes: Any) -> Entitlement:
    given: dict[str, Any] = {
        "key": "ent_1",
        "stripe_customer": "cus_1",
        "stripe_account": "acct_1",
        "feature": "app",
        "plan": "pro",
        "status": "active",
        "quantity": 1,
    }
    return Entitlement(**given | changes)


def filed(**changes: Any) -> Filed:
    given: dict[str, Any] = {
        "key": "rec_1",
        "stripe_customer": "cus_1",
        "stripe_account": "acct_1",
        "owner": "owner-7",
        "status": "active",
        "plan": "pro",
    }
    return Filed("hubspot", Record(**given | changes))
