"""The classes of objects that can be listed and retrieved: where, with which permission, filtered by what."""

from dataclasses import dataclass, field

from accounts.sandbox.stripe.facets import Facet


@dataclass(frozen=True, slots=True)
class Filter:
    kind: str  # text | flag | range | texts | hash
    facet: str = ""  # by which facet the shelf knows it; its own name unless said otherwise
    one_of: tuple[str, ...] = ()
    required: bool = False
    special: dict[str, Facet] = field(
        default_factory=dict
    )  # what some values mean instead; "" when not given
    inside: tuple[str, ...] = ()  # the texts of a hash
    needs: str = ""  # which of them must be there

    def facet_of(self, name: str) -> str:
        return self.facet or name


TEXT = Filter("text")
FLAG = Filter("flag")
RANGE = Filter("range")

SUBSCRIPTION_STATUSES = (
    "active",
    "past_due",
    "unpaid",
    "canceled",
    "incomplete",
    "incomplete_expired",
    "trialing",
    "paused",
    "all",
    "ended",
)


@dataclass(frozen=True, slots=True)
class Resource:
    cls: str
    path: str
    permissions: tuple[str, ...]  # any one will do; `rak_…_read` and `rak_…_write` are made from them
    filters: dict[str, Filter] = field(default_factory=dict)
    always: tuple[Facet, ...] = ()  # what every listed object has
    listed: bool = True
    retrieved: bool = True
    timed: bool = True  # whether its list knows `created`
    tombstones: bool = False  # whether a deleted one can still be retrieved, as deleted

    @property
    def reading(self) -> tuple[str, ...]:
        return tuple(f"rak_{name}_read" for name in self.permissions)

    @property
    def writing(self) -> tuple[str, ...]:
        return tuple(f"rak_{name}_write" for name in self.permissions)


CHARGE_OR_INTENT = {"charge": TEXT, "payment_intent": TEXT}

# Reading early fraud warnings has no published permission; here it comes with charges. The names for files and
# payment links are not published either.
RESOURCES = (
    Resource(
        "customer", "/v1/customers", ("customer",), {"email": TEXT, "test_clock": TEXT}, tombstones=True
    ),
    Resource(
        "product",
        "/v1/products",
        ("product",),
        {
            "active": FLAG,
            "ids": Filter("texts", facet="id"),
            "shippable": FLAG,
            "type": Filter("text", one_of=("good", "service")),
            "url": TEXT,
        },
    ),
    Resource(
        "price",
        "/v1/prices",
        ("plan",),
        {
            "active": FLAG,
            "currency": TEXT,
            "lookup_keys": Filter("texts", facet="lookup_key"),
            "product": TEXT,
            "recurring": Filter("hash", inside=("interval", "meter", "usage_type")),
            "type": Filter("text", one_of=("one_time", "recurring")),
        },
    ),
    Resource(
        "subscription",
        "/v1/subscriptions",
        ("subscription",),
        {
            "automatic_tax": Filter("hash", inside=("enabled",)),
            "collection_method": Filter("text", one_of=("charge_automatically", "send_invoice")),
            "current_period_end": RANGE,
            "current_period_start": RANGE,
            "customer": TEXT,
            "customer_account": TEXT,
            "price": TEXT,
            "plan": Filter("text", facet="price"),
            "status": Filter(
                "text",
                one_of=SUBSCRIPTION_STATUSES,
                special={"": ("listed", True), "all": ("orphaned", False)},
            ),
            "test_clock": TEXT,
        },
    ),
    Resource("subscription_item", "/v1/subscription_items", ("subscription",), listed=False, retrieved=False),
    Resource(
        "invoice",
        "/v1/invoices",
        ("invoice",),
        {
            "collection_method": Filter("text", one_of=("charge_automatically", "send_invoice")),
            "customer": TEXT,
            "customer_account": TEXT,
            "due_date": RANGE,
            "status": Filter("text", one_of=("draft", "open", "paid", "uncollectible", "void")),
            "subscription": TEXT,
        },
    ),
    Resource(
        "invoice_payment",
        "/v1/invoice_payments",
        ("invoice",),
        {
            "invoice": TEXT,
            "payment": Filter("hash", inside=("type", "payment_intent", "payment_record"), needs="type"),
            "status": Filter("text", one_of=("open", "paid", "canceled")),
        },
    ),
    Resource(
        "payment_intent",
        "/v1/payment_intents",
        ("payment_intent",),
        {"customer": TEXT, "customer_account": TEXT},
    ),
    Resource(
        "charge",
        "/v1/charges",
        ("charge",),
        {"customer": TEXT, "payment_intent": TEXT, "transfer_group": TEXT},
    ),
    Resource("refund", "/v1/refunds", ("refund", "charge"), CHARGE_OR_INTENT),
    Resource("dispute", "/v1/disputes", ("dispute",), CHARGE_OR_INTENT),
    Resource("radar.early_fraud_warning", "/v1/radar/early_fraud_warnings", ("charge",), CHARGE_OR_INTENT),
    Resource("review", "/v1/reviews", ("review",), always=(("open", True),)),
    Resource(
        "payout",
        "/v1/payouts",
        ("payout",),
        {
            "arrival_date": RANGE,
            "destination": TEXT,
            "status": Filter("text", one_of=("pending", "in_transit", "paid", "failed", "canceled")),
        },
    ),
    Resource(
        "balance_transaction",
        "/v1/balance_transactions",
        ("balance_transaction_source",),
        {"currency": TEXT, "payout": TEXT, "source": TEXT, "type": TEXT},
    ),
    Resource(
        "credit_note",
        "/v1/credit_notes",
        ("credit_note",),
        {"customer": TEXT, "customer_account": TEXT, "invoice": TEXT},
    ),
    Resource(
        "entitlements.feature",
        "/v1/entitlements/features",
        ("entitlement",),
        {"archived": Filter("flag", special={"": ("archived", False)}), "lookup_key": TEXT},
        timed=False,
    ),
    Resource(
        "entitlements.active_entitlement",
        "/v1/entitlements/active_entitlements",
        ("entitlement",),
        {"customer": Filter("text", required=True)},
        timed=False,
    ),
    Resource("product_feature", "/v1/products/{id}/features", ("product",), listed=False, retrieved=False),
    Resource(
        "payment_method",
        "/v1/payment_methods",
        ("payment_method",),
        {"allow_redisplay": TEXT, "customer": TEXT, "customer_account": TEXT, "type": TEXT},
        timed=False,
    ),
    Resource("payment_link", "/v1/payment_links", ("payment_link",), {"active": FLAG}, timed=False),
    Resource("webhook_endpoint", "/v1/webhook_endpoints", ("webhook",), timed=False),
    Resource("file", "/v1/files", ("file",), {"purpose": TEXT}),
    Resource("event", "/v1/events", ("event",), listed=False, retrieved=False),
    Resource("balance", "/v1/balance", ("balance",), listed=False, retrieved=False),
    Resource("account", "/v1/account", ("accounts_kyc_basic",), listed=False, retrieved=False),
)

BY_CLASS = {resource.cls: resource for resource in RESOURCES}
