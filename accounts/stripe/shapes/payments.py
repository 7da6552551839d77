"""What was paid, and what may be taken back: payment intents, charges, refunds, disputes, warnings, reviews."""

from typing import ClassVar

from msgspec.structs import force_setattr

from accounts.stripe.shapes.base import (
    Code,
    Count,
    EvidenceHash,
    Id,
    Metadata,
    Minor,
    Part,
    Ref,
    Shape,
    Unix,
)
from accounts.stripe.shapes.funds import BalanceTransaction


class PaymentError(Part, frozen=True, kw_only=True):
    """Codes only: the payment method that comes with it is personal, and the message is for the payer."""

    advice_code: Code | None = None
    code: Code | None = None
    decline_code: Code | None = None
    network_advice_code: Code | None = None
    network_decline_code: Code | None = None
    payment_method_type: Code | None = None
    type: Code | None = None


class PaymentIntent(Shape, frozen=True, kw_only=True, tag="payment_intent"):
    refs: ClassVar = ("customer", "latest_charge", "payment_method", "review")

    id: Id
    amount: Minor
    created: Unix
    currency: Code
    livemode: bool
    status: Code
    amount_capturable: Minor = 0
    amount_received: Minor = 0
    canceled_at: Unix | None = None
    cancellation_reason: Code | None = None
    capture_method: Code | None = None
    customer: Ref | None = None
    customer_account: Id | None = None
    last_payment_error: PaymentError | None = None  # cleared by any later update; the charge's outcome stays
    latest_charge: Ref | None = None
    metadata: Metadata | None = None
    payment_method: Ref | None = None
    review: Ref | None = None


class Outcome(Part, frozen=True, kw_only=True):
    advice_code: Code | None = None
    network_advice_code: Code | None = None
    network_decline_code: Code | None = None
    network_status: Code | None = None
    reason: Code | None = None
    risk_level: Code | None = None
    risk_score: Count | None = None
    type: Code | None = None


class Card(Part, frozen=True, kw_only=True):
    """All of a card that we keep: its last digits, fingerprint and expiry are close enough to the card itself."""

    brand: Code | None = None
    country: Code | None = None
    funding: Code | None = None


class PaidWith(Part, frozen=True, kw_only=True):
    type: Code | None = None
    card: Card | None = None


class Charge(Shape, frozen=True, kw_only=True, tag="charge"):
    refs: ClassVar = (
        "balance_transaction", "customer", "failure_balance_transaction", "payment_intent", "review",
    )  # fmt: skip

    id: Id
    amount: Minor
    created: Unix
    currency: Code
    livemode: bool
    refunded: bool  # in full
    status: Code
    amount_captured: Minor = 0
    amount_refunded: Minor = 0
    captured: bool = True
    disputed: bool = False
    paid: bool = False
    balance_transaction: Ref | None = None
    customer: Ref | None = None
    failure_balance_transaction: Ref | None = None
    failure_code: Code | None = None
    metadata: Metadata | None = None
    outcome: Outcome | None = None
    payment_intent: Ref | None = None
    payment_method: Id | None = None
    payment_method_details: PaidWith | None = None
    review: Ref | None = None

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        if self.captured and not self.amount_captured and self.status == "succeeded":
            force_setattr(self, "amount_captured", self.amount)


class Refund(Shape, frozen=True, kw_only=True, tag="refund"):
    """Stripe's refunds do not say whether they are live; their charge does."""

    refs: ClassVar = (
        "balance_transaction", "charge", "customer", "failure_balance_transaction", "payment_intent",
    )  # fmt: skip

    id: Id
    amount: Minor
    created: Unix
    currency: Code
    balance_transaction: Ref | None = None
    charge: Ref | None = None
    customer: Ref | None = None
    customer_account: Id | None = None
    failure_balance_transaction: Ref | None = None
    failure_reason: Code | None = None
    metadata: Metadata | None = None
    payment_intent: Ref | None = None
    pending_reason: Code | None = None
    reason: Code | None = None
    status: Code | None = None  # succeeded may still become failed, weeks later


class Eligibility(Part, frozen=True, kw_only=True):
    status: Code
    required_actions: tuple[Code, ...] = ()


class EnhancedEligibility(Part, frozen=True, kw_only=True):
    mastercard_compliance: Eligibility | None = None
    visa_compelling_evidence_3: Eligibility | None = None
    visa_compliance: Eligibility | None = None


class EvidenceDetails(Part, frozen=True, kw_only=True):
    due_by: Unix | None = None  # 0: no answer is possible; None: not known, which is worse
    has_evidence: bool = False
    past_due: bool = False
    submission_count: Count = 0
    enhanced_eligibility: EnhancedEligibility | None = None
    submission_method: Code | None = None


class DisputedCard(Part, frozen=True, kw_only=True):
    brand: Code | None = None
    case_type: Code | None = None
    network: Code | None = None
    network_reason_code: Code | None = None


class DisputedOther(Part, frozen=True, kw_only=True):
    chargeback_loss_reason_code: Code | None = None
    dispute_type: Code | None = None
    reason_code: Code | None = None


class DisputedWith(Part, frozen=True, kw_only=True):
    type: Code
    amazon_pay: DisputedOther | None = None
    card: DisputedCard | None = None
    klarna: DisputedOther | None = None
    paypal: DisputedOther | None = None


class Dispute(Shape, frozen=True, kw_only=True, tag="dispute"):
    refs: ClassVar = ("charge", "payment_intent")

    id: Id
    amount: Minor  # may differ from the charge's
    charge: Ref
    created: Unix
    currency: Code
    livemode: bool
    status: Code
    evidence_details: EvidenceDetails = EvidenceDetails()
    is_charge_refundable: bool = False
    reason: Code = "general"
    balance_transactions: tuple[BalanceTransaction, ...] = ()
    evidence: EvidenceHash | None = None
    intended_submission_method: Code | None = None  # what happens at due_by if nobody does anything
    metadata: Metadata | None = None
    network_reason_code: Code | None = None
    payment_intent: Ref | None = None
    payment_method_details: DisputedWith | None = None

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        if not self.evidence:
            force_setattr(self, "evidence", None)


class EarlyFraudWarning(Shape, frozen=True, kw_only=True, tag="radar.early_fraud_warning"):
    refs: ClassVar = ("charge", "payment_intent")

    id: Id
    actionable: bool
    charge: Ref
    created: Unix
    livemode: bool
    fraud_type: Code = "misc"
    payment_intent: Ref | None = None


class Review(Shape, frozen=True, kw_only=True, tag="review"):
    refs: ClassVar = ("charge", "payment_intent")

    id: Id
    created: Unix
    livemode: bool
    open: bool
    reason: Code = ""
    charge: Ref | None = None
    closed_reason: Code | None = None
    opened_reason: Code | None = None
    payment_intent: Ref | None = None


class File(Shape, frozen=True, kw_only=True, tag="file"):
    """An upload: what it is for and how large. Its name and its address are left out."""

    id: Id
    created: Unix
    purpose: Code
    size: Count
    type: Code | None = None
