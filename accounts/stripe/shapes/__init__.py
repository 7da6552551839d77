"""Stripe's objects as frozen values that hold only what may be stored, in the shape of today's API version."""

from accounts.stripe.shapes.base import EmailHash, EvidenceHash, Metadata, Shape, hash_email
from accounts.stripe.shapes.billing import (
    CreditNote,
    Customer,
    Invoice,
    InvoicePayment,
    Subscription,
    SubscriptionItem,
)
from accounts.stripe.shapes.catalog import (
    ActiveEntitlement,
    Coupon,
    Discount,
    Feature,
    PaymentLink,
    Price,
    Product,
)
from accounts.stripe.shapes.events import Event
from accounts.stripe.shapes.funds import Account, Balance, BalanceTransaction, Payout, WebhookEndpoint
from accounts.stripe.shapes.payments import (
    Charge,
    Dispute,
    EarlyFraudWarning,
    File,
    PaymentIntent,
    Refund,
    Review,
)

__all__ = [
    "Account", "ActiveEntitlement", "Balance", "BalanceTransaction", "Charge", "Coupon", "CreditNote", "Customer",
    "Discount", "Dispute", "EarlyFraudWarning", "EmailHash", "Event", "EvidenceHash", "Feature", "File",
    "Invoice", "InvoicePayment", "Metadata", "PaymentIntent", "PaymentLink", "Payout", "Price", "Product", "Refund",
    "Review", "Shape", "Subscription", "SubscriptionItem", "WebhookEndpoint", "hash_email",
]  # fmt: skip
