"""What can be read from Stripe: where, with which permission, what makes a list complete, and what is lost without.

Also which permissions the actions need, which events we use, and the link that creates a key with just those.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlencode

from accounts.stripe import shapes

EventClass = Literal["dispute", "invoice", "subscription", "charge", "payout", "customer", "other"]

Shaped = type[Any]

KEY_CREATION: Final = "https://dashboard.stripe.com/apikeys/create"


@dataclass(frozen=True, slots=True)
class Expansion:
    """Objects that come inside others when asked for, and that need a permission of their own."""

    name: str
    path: str  # of one object; a list puts `data.` before it
    permissions: tuple[str, ...]
    without: str


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    type: str  # Stripe's word in `object`, by which an address finds it
    path: str
    shape: Shaped
    permissions: tuple[
        str, ...
    ]  # any one of them will do; empty: Stripe publishes none, so only trying tells
    endpoint: str  # the metrics' label, and whose rate limit it is
    without: str  # what does not work while it cannot be read
    complete: tuple[tuple[str, str], ...] = ()  # what a list needs so that nothing is left out
    filters: frozenset[str] = frozenset()
    expansion: Expansion | None = None
    required: str | None = None  # the filter without which Stripe gives no list
    windows: bool = True  # whether it can be read by slices of `created`
    listed: bool = True  # False: there is only one, at the path itself


def _filters(names: str) -> frozenset[str]:
    return frozenset(names.split())


EVENTS_READ: Final = ("rak_event_read",)
COUPONS: Final = "coupons"


def _coupons(path: str) -> Expansion:
    """The terms of a discount: Stripe shows only the coupon's id unless asked for more."""
    without = "The revenue of discounted subscriptions is not compared."
    return Expansion(COUPONS, path, ("rak_coupon_read",), without)


RESOURCES: tuple[Resource, ...] = (
    Resource(
        "customers", "customer", "/v1/customers", shapes.Customer, ("rak_customer_read",), "customers",
        "Customers are not compared with the CRM, and duplicates are not found.",
        filters=_filters("email"),
        expansion=_coupons("discount.source.coupon"),
    ),
    Resource(
        "subscriptions", "subscription", "/v1/subscriptions", shapes.Subscription,
        ("rak_subscription_read",), "subscriptions",
        "Nothing that depends on who pays for what is judged.",
        complete=(("status", "all"),),  # without it, canceled ones are left out
        filters=_filters("status customer price collection_method current_period_start current_period_end"),
        expansion=_coupons("discounts.source.coupon"),
    ),
    Resource(
        "invoices", "invoice", "/v1/invoices", shapes.Invoice, ("rak_invoice_read",), "invoices",
        "Failed payments and expired grace periods are not seen.",
        filters=_filters("status customer subscription due_date collection_method"),
    ),
    Resource(
        "invoice_payments", "invoice_payment", "/v1/invoice_payments", shapes.InvoicePayment,
        ("rak_invoice_read",), "invoice_payments",
        "A failed invoice does not show why its payment failed.",
        filters=_filters("invoice payment[type] payment[payment_intent] status"),
    ),
    Resource(
        "payment_intents", "payment_intent", "/v1/payment_intents", shapes.PaymentIntent,
        ("rak_payment_intent_read",), "payment_intents",
        "Why a payment failed is not known, and refunds of payment intents cannot be prepared.",
        filters=_filters("customer"),
    ),
    Resource(
        "charges", "charge", "/v1/charges", shapes.Charge, ("rak_charge_read",), "charges",
        "Refunds and disputes cannot be traced to their customer.",
        filters=_filters("customer payment_intent transfer_group"),
    ),
    Resource(
        "refunds", "refund", "/v1/refunds", shapes.Refund, ("rak_refund_read", "rak_charge_read"), "refunds",
        "Failed and unapproved refunds are not seen.",
        filters=_filters("charge payment_intent"),
    ),
    Resource(
        "disputes", "dispute", "/v1/disputes", shapes.Dispute, ("rak_dispute_read",), "disputes",
        "No dispute and no deadline is seen.",
        filters=_filters("charge payment_intent"),  # there is none by status
    ),
    Resource(
        "early_fraud_warnings", "radar.early_fraud_warning", "/v1/radar/early_fraud_warnings",
        shapes.EarlyFraudWarning, (), "early_fraud_warnings",
        "Early fraud warnings are not seen.",
        filters=_filters("charge payment_intent"),
    ),
    Resource(
        "reviews", "review", "/v1/reviews", shapes.Review, ("rak_review_read",), "reviews",
        "Open Radar reviews are not seen.",  # its list holds open ones only
    ),
    Resource(
        "payouts", "payout", "/v1/payouts", shapes.Payout, ("rak_payout_read",), "payouts",
        "Failed payouts are not seen.",
        filters=_filters("status arrival_date destination"),
    ),
    Resource(
        "balance_transactions", "balance_transaction", "/v1/balance_transactions", shapes.BalanceTransaction,
        ("rak_balance_transaction_source_read", "rak_balance_read"), "balance_transactions",
        "Payouts are not broken down, and fees are not shown.",
        filters=_filters("currency payout source type"),
    ),
    Resource(
        "credit_notes", "credit_note", "/v1/credit_notes", shapes.CreditNote, ("rak_credit_note_read",),
        "credit_notes",
        "Credit notes are not shown beside their invoices.",
        filters=_filters("customer invoice"),
    ),
    Resource(
        "products", "product", "/v1/products", shapes.Product, ("rak_product_read",), "products",
        "Plans that are named by their product are not known.",
        filters=_filters("active ids url"),
    ),
    Resource(
        "prices", "price", "/v1/prices", shapes.Price, ("rak_plan_read",), "prices",
        "Plans and revenue are not compared.",
        filters=_filters("active currency lookup_keys product type"),
    ),
    Resource(
        "features", "entitlements.feature", "/v1/entitlements/features", shapes.Feature,
        ("rak_entitlement_read",), "entitlements",
        "Stripe's own entitlements are not shown.",
        filters=_filters("archived lookup_key"),
        windows=False,
    ),
    Resource(
        "active_entitlements", "entitlements.active_entitlement", "/v1/entitlements/active_entitlements",
        shapes.ActiveEntitlement, ("rak_entitlement_read",), "entitlements",
        "Stripe's own entitlements are not shown.",
        filters=_filters("customer"),
        required="customer",
        windows=False,
    ),
    Resource(
        "webhook_endpoints", "webhook_endpoint", "/v1/webhook_endpoints", shapes.WebhookEndpoint,
        ("rak_webhook_read", "rak_webhook_write"), "webhook_endpoints",
        "`check` cannot tell whether the webhook endpoint is set up as it should be.",
        windows=False,
    ),
    Resource(
        "events", "event", "/v1/events", shapes.Event, EVENTS_READ, "events",
        "Events that webhooks miss are not found by polling.",
        filters=_filters("type types delivery_success"),
    ),
    Resource(
        "balance", "balance", "/v1/balance", shapes.Balance, ("rak_balance_read",), "balance",
        "The balance is not shown.",
        listed=False,
    ),
    Resource(
        "account", "account", "/v1/account", shapes.Account, ("rak_accounts_kyc_basic_read",), "account",
        "Whose key it is must be proved in another way.",
        listed=False,
    ),
)  # fmt: skip

# Not swept by themselves: read where a subscription has more than Stripe puts into it, or discounts on its items.
SUBSCRIPTION_ITEMS: Final = Resource(
    "subscription_items",
    "subscription_item",
    "/v1/subscription_items",
    shapes.SubscriptionItem,
    ("rak_subscription_read",),
    "subscriptions",
    "Subscriptions of many items are not judged.",
    filters=_filters("subscription"),
    expansion=_coupons("discounts.source.coupon"),  # inside subscriptions that would be five levels deep
    required="subscription",
    windows=False,
)

# Not swept either: looked through for one that we made, when the answer to making it was lost.
PAYMENT_LINKS: Final = Resource(
    "payment_links",
    "payment_link",
    "/v1/payment_links",
    shapes.PaymentLink,
    ("rak_payment_link_read",),
    "payment_links",
    "Whether a payment link was made is not known when the answer was lost.",
    filters=_filters("active"),
    windows=False,
)

# Read by their ids alone, before they are named as evidence.
FILES: Final = Resource(
    "files",
    "file",
    "/v1/files",
    shapes.File,
    (),
    "other",
    "Whether a file is too large for evidence is found out only by sending it.",
    filters=_filters("purpose"),
)

BY_NAME: Final = {resource.name: resource for resource in RESOURCES}
BY_TYPE: Final = {resource.type: resource for resource in RESOURCES}
UNSWEPT: Final = {resource.type: resource for resource in (SUBSCRIPTION_ITEMS, PAYMENT_LINKS, FILES)}


@dataclass(frozen=True, slots=True)
class Write:
    endpoint: str  # the metrics' label, and whose rate limit it is
    permissions: tuple[str, ...]  # any one of them will do; writing includes reading


WRITES: Final[dict[str, Write]] = {
    "refund": Write("refunds", ("rak_refund_write", "rak_charge_write")),
    "capture": Write("payment_intents", ("rak_payment_intent_write",)),
    "dispute_evidence": Write("disputes", ("rak_dispute_write",)),
    "dispute_accept": Write("disputes", ("rak_dispute_write",)),
    "invoice_pay": Write("invoices", ("rak_invoice_write",)),
    "invoice_send": Write("invoices", ("rak_invoice_write",)),
    "invoice_void": Write("invoices", ("rak_invoice_write",)),
    "invoice_uncollectible": Write("invoices", ("rak_invoice_write",)),
    "credit_note": Write("credit_notes", ("rak_credit_note_write",)),
    "subscription_cancel": Write("subscriptions", ("rak_subscription_write",)),
    "subscription_pause": Write("subscriptions", ("rak_subscription_write",)),
    "subscription_resume": Write("subscriptions", ("rak_subscription_write",)),
    "subscription_change": Write("subscriptions", ("rak_subscription_write",)),
    "review_approve": Write("reviews", ("rak_review_write",)),
    "payment_link": Write("payment_links", ("rak_payment_link_write",)),
}

# What is read again with the act_key before something is done; what is written may be read anyhow.
READ_BEFORE_WRITING: Final = (
    "charges", "credit_notes", "customers", "disputes", "invoices", "payment_intents", "prices", "refunds", "reviews",
    "subscriptions",
)  # fmt: skip

# Optional for the program: another proof, or nothing but a look at the set-up, depends on them.
OPTIONAL: Final = frozenset({"account", "webhook_endpoints", "active_entitlements", "features", "balance"})


@dataclass(frozen=True, slots=True)
class EventType:
    name: str
    event_class: EventClass


def _events(event_class: EventClass, names: str) -> tuple[EventType, ...]:
    return tuple(EventType(name, event_class) for name in names.split())


EVENTS: tuple[EventType, ...] = (
    *_events(
        "customer",
        "customer.created customer.updated customer.deleted entitlements.active_entitlement_summary.updated",
    ),
    *_events(
        "subscription",
        "customer.subscription.created customer.subscription.updated customer.subscription.deleted "
        "customer.subscription.paused customer.subscription.resumed customer.subscription.trial_will_end",
    ),
    *_events(
        "invoice",
        "invoice.payment_failed invoice.payment_action_required invoice.paid invoice.voided "
        "invoice.marked_uncollectible invoice.finalization_failed credit_note.created credit_note.voided",
    ),
    *_events("charge", "charge.refunded refund.created refund.updated refund.failed"),
    *_events(
        "dispute",
        "charge.dispute.created charge.dispute.updated charge.dispute.closed charge.dispute.funds_withdrawn "
        "charge.dispute.funds_reinstated radar.early_fraud_warning.created radar.early_fraud_warning.updated "
        "review.opened review.closed",
    ),
    *_events(
        "payout",
        "payout.paid payout.failed payout.canceled payout.updated payout.reconciliation_completed "
        "balance.available",
    ),
    *_events(
        "other", "payment_method.automatically_updated account.updated account.application.deauthorized"
    ),
)

_CLASS_OF: Final = {event.name: event.event_class for event in EVENTS}


def class_of(event_type: str) -> EventClass:
    """The metrics' class of an event, thin or snapshot; `other` for every type that we do not use."""
    return _CLASS_OF.get(event_type.removeprefix("v1."), "other")


def read_permissions(*, optional: bool = False) -> tuple[str, ...]:
    """The fewest permissions with which everything can be read: the first alternative of each resource."""
    wanted = (one for one in RESOURCES if one.permissions and (optional or one.name not in OPTIONAL))
    names = []
    for resource in wanted:
        names.append(resource.permissions[0])
        if resource.expansion is not None:
            names.append(resource.expansion.permissions[0])
    return tuple(dict.fromkeys(names))


def write_permissions(actions: Iterable[str] = WRITES) -> tuple[str, ...]:
    """The fewest permissions with which these actions can be done."""
    return tuple(dict.fromkeys(WRITES[action].permissions[0] for action in actions))


def act_permissions() -> tuple[str, ...]:
    """The fewest permissions with which an act_key can do everything: it looks with its own eyes before it writes."""
    writes = write_permissions()
    reads = [BY_NAME[name].permissions[0] for name in READ_BEFORE_WRITING]
    return (*writes, *(each for each in reads if f"{each.removesuffix('read')}write" not in writes))


def key_link(permissions: tuple[str, ...], name: str = "reconciled") -> str:
    """The address in Stripe's dashboard that creates a restricted key with these permissions filled in."""
    fields = [("name", name), *((f"permissions[{n}]", each) for n, each in enumerate(permissions))]
    return f"{KEY_CREATION}?{urlencode(fields, safe='[]')}"
