"""What customers owe: customers, subscriptions, invoices and what was paid on them, credit notes."""

from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import force_setattr

from accounts.stripe.shapes.base import (
    Code,
    Count,
    EmailHash,
    Embedded,
    Id,
    Metadata,
    Minor,
    Part,
    Ref,
    Shape,
    Unix,
)
from accounts.stripe.shapes.catalog import Discount, DiscountRef, Plan, Price, discounts_of


class PaymentDefaults(Part, frozen=True, kw_only=True):
    refs: ClassVar = ("default_payment_method",)

    default_payment_method: Ref | None = None


class Customer(Shape, frozen=True, kw_only=True, tag="customer"):
    """`delinquent` is left out: Stripe itself calls it unreliable; the subscriptions' states say it."""

    refs: ClassVar = ("default_source",)

    id: Id
    created: Unix
    livemode: bool
    balance: Minor = 0
    currency: Code | None = None
    customer_account: Id | None = None
    default_source: Ref | None = None
    discount: Discount | None = None
    email: EmailHash | None = None
    invoice_settings: PaymentDefaults | None = None
    metadata: Metadata | None = None

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        if not self.email:
            force_setattr(self, "email", None)


class SubscriptionItem(Shape, frozen=True, kw_only=True, tag="subscription_item"):
    id: Id
    current_period_end: Unix | None = None
    current_period_start: Unix | None = None
    discounts: tuple[DiscountRef, ...] = ()
    plan: Plan | None = None  # sent beside the price, or by the oldest versions instead; None afterwards
    price: Price | None = None
    quantity: Count | None = None  # None where usage is metered

    def __post_init__(self) -> None:
        if self.discounts:
            force_setattr(self, "discounts", discounts_of(self.discounts, None))
        if self.plan is not None:
            force_setattr(self, "price", self.price or self.plan.as_price())
            force_setattr(self, "plan", None)
        if self.price is None:
            raise ValueError("a subscription item has neither a price nor a plan")


class PauseCollection(Part, frozen=True, kw_only=True):
    behavior: Code
    resumes_at: Unix | None = None


class PausedWhole(Part, frozen=True, kw_only=True):
    type: Code  # pause_requested, first_payment_failure, trial_end_without_payment_method …


class Paused(Part, frozen=True, kw_only=True):
    subscription: PausedWhole | None = None


class SubscriptionStatusDetails(Part, frozen=True, kw_only=True):
    paused: Paused | None = None


class CancellationDetails(Part, frozen=True, kw_only=True):
    """The customer's own comment is left out."""

    feedback: Code | None = None
    reason: Code | None = None


class Subscription(Shape, frozen=True, kw_only=True, tag="subscription"):
    refs: ClassVar = ("customer", "default_payment_method", "default_source", "latest_invoice", "schedule")

    id: Id
    created: Unix
    customer: Ref | None
    items: Embedded[SubscriptionItem]
    livemode: bool
    status: Code
    cancel_at: Unix | None = None
    cancel_at_period_end: bool = False
    canceled_at: Unix | None = None
    cancellation_details: CancellationDetails | None = None
    collection_method: Code = "charge_automatically"
    currency: Code | None = None
    customer_account: Id | None = None
    default_payment_method: Ref | None = None
    default_source: Ref | None = None
    discounts: tuple[DiscountRef, ...] = ()
    ended_at: Unix | None = None
    latest_invoice: Ref | None = None
    metadata: Metadata | None = None
    pause_collection: PauseCollection | None = None  # leaves the status and the access as they are
    schedule: Ref | None = None
    start_date: Unix | None = None
    status_details: SubscriptionStatusDetails | None = None
    trial_end: Unix | None = None
    trial_start: Unix | None = None
    current_period_end: Unix | None = None  # on the items since basil; None afterwards
    current_period_start: Unix | None = None  # the same
    discount: Discount | None = None  # one of `discounts` since basil; None afterwards

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        if self.discounts or self.discount is not None:
            force_setattr(self, "discounts", discounts_of(self.discounts, self.discount))
            force_setattr(self, "discount", None)
        if self.current_period_end is not None:
            for item in self.items.data:
                if item.current_period_end is None:
                    force_setattr(item, "current_period_end", self.current_period_end)
                    force_setattr(item, "current_period_start", self.current_period_start)
            force_setattr(self, "current_period_end", None)
            force_setattr(self, "current_period_start", None)

    @property
    def period_end(self) -> int | None:
        """When the first of its items renews."""
        ends = [item.current_period_end for item in self.items.data if item.current_period_end is not None]
        return min(ends, default=None)


class InvoicePaid(Part, frozen=True, kw_only=True):
    """What paid, or should pay, an invoice."""

    refs: ClassVar = ("charge", "payment_intent")

    type: Code | None = None  # payment_intent, charge, payment_record
    charge: Ref | None = None
    payment_intent: Ref | None = None


class InvoicePayment(Shape, frozen=True, kw_only=True, tag="invoice_payment"):
    refs: ClassVar = ("invoice",)

    id: Id
    created: Unix
    invoice: Ref
    payment: InvoicePaid
    status: Code
    amount_paid: Minor | None = None
    amount_requested: Minor | None = None
    currency: Code | None = None
    is_default: bool = True
    livemode: bool | None = None


class SubscriptionParent(Part, frozen=True, kw_only=True):
    refs: ClassVar = ("subscription",)

    subscription: Ref | None = None


class InvoiceParent(Part, frozen=True, kw_only=True):
    subscription_details: SubscriptionParent | None = None


class StatusTransitions(Part, frozen=True, kw_only=True):
    finalized_at: Unix | None = None
    marked_uncollectible_at: Unix | None = None
    paid_at: Unix | None = None
    voided_at: Unix | None = None


class Uncollectible(Part, frozen=True, kw_only=True):
    reason: Code | None = None


class InvoiceStatusDetails(Part, frozen=True, kw_only=True):
    uncollectible: Uncollectible | None = None


class FinalizationError(Part, frozen=True, kw_only=True):
    code: Code | None = None
    type: Code | None = None


class Invoice(Shape, frozen=True, kw_only=True, tag="invoice"):
    """`subscription` and `paid_through` are ours: today they are two and four levels deep, formerly at the top."""

    refs: ClassVar = (
        "charge", "customer", "default_payment_method", "default_source", "payment_intent", "subscription",
    )  # fmt: skip

    id: Id
    amount_remaining: Minor
    created: Unix
    currency: Code
    customer: Ref | None
    livemode: bool
    status: Code | None  # never “failed”: that shows in `attempted` and in what it is paid through
    amount_due: Minor = 0
    amount_overpaid: Minor = 0
    amount_paid: Minor = 0
    attempt_count: Count = 0
    attempted: bool = False
    auto_advance: bool | None = None
    billing_reason: Code | None = None
    collection_method: Code = "charge_automatically"
    customer_account: Id | None = None
    default_payment_method: Ref | None = None
    default_source: Ref | None = None
    due_date: Unix | None = None
    last_finalization_error: FinalizationError | None = None
    metadata: Metadata | None = None
    next_payment_attempt: Unix | None = None
    number: Code | None = None
    paid_through: tuple[Id, ...] | None = None  # payment intents and charges; None: not asked for, not “none”
    period_end: Unix | None = None
    period_start: Unix | None = None
    post_payment_credit_notes_amount: Minor = 0
    pre_payment_credit_notes_amount: Minor = 0
    status_details: InvoiceStatusDetails | None = None
    status_transitions: StatusTransitions | None = None
    subscription: Ref | None = None
    subtotal: Minor = 0
    total: Minor = 0
    total_excluding_tax: Minor | None = None
    parent: InvoiceParent | None = None  # names the subscription since basil; None afterwards
    payments: Embedded[InvoicePayment] | None = None  # since basil, when expanded; None afterwards
    payment_intent: Ref | None = None  # before basil; None afterwards
    charge: Ref | None = None  # the same

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        if self.parent is not None:
            details = self.parent.subscription_details
            if details is not None and details.subscription is not None:
                force_setattr(self, "subscription", details.subscription)
            force_setattr(self, "parent", None)
        if self.payments is not None:
            paid = [each.payment.payment_intent or each.payment.charge for each in self.payments.data]
            force_setattr(self, "paid_through", tuple(one for one in paid if one is not None))
            force_setattr(self, "payments", None)
        elif self.payment_intent is not None or self.charge is not None:
            # A charge is its payment intent's latest one, so the intent says all.
            force_setattr(self, "paid_through", (self.payment_intent or self.charge,))
        force_setattr(self, "payment_intent", None)
        force_setattr(self, "charge", None)


class CreditNoteRefund(Part, frozen=True, kw_only=True):
    refs: ClassVar = ("refund",)

    refund: Ref | None = None


if TYPE_CHECKING:
    RefundRef = str
else:
    RefundRef = Id | CreditNoteRefund


class CreditNote(Shape, frozen=True, kw_only=True, tag="credit_note"):
    refs: ClassVar = ("customer", "invoice", "refund")

    id: Id
    amount: Minor
    created: Unix
    currency: Code
    customer: Ref | None
    invoice: Ref
    livemode: bool
    status: Code
    total: Minor
    type: Code
    customer_account: Id | None = None
    metadata: Metadata | None = None
    number: Code | None = None
    out_of_band_amount: Minor | None = None
    post_payment_amount: Minor | None = None
    pre_payment_amount: Minor | None = None
    reason: Code | None = None
    refunds: tuple[RefundRef, ...] = ()
    voided_at: Unix | None = None
    refund: Ref | None = None  # before basil; None afterwards

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        named = (each.refund if isinstance(each, CreditNoteRefund) else each for each in self.refunds)
        refunds = tuple(one for one in named if one is not None)
        force_setattr(self, "refunds", refunds or ((self.refund,) if self.refund else ()))
        force_setattr(self, "refund", None)
