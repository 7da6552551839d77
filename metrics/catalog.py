"""Every metric there is, declared in one place and counted where things happen.

Flow metrics are counted in the process; state metrics are computed from the database when asked. Every label
value is from a closed set, except `account`. All label values are touched at the start, so that the first
failure is visible as a rate.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter, which nobody reads

REGISTRY = CollectorRegistry()

STRIPE_ENDPOINTS = (
    "account", "balance", "balance_transactions", "charges", "credit_notes", "customers", "disputes",
    "early_fraud_warnings", "entitlements", "events", "invoice_payments", "invoices", "payment_intents",
    "payment_links", "payouts", "prices", "products", "refunds", "reviews", "subscriptions",
    "webhook_endpoints", "other",
)  # fmt: skip
STRIPE_OUTCOMES = (
    "ok",
    "not_found",
    "rate_limited",
    "auth",
    "permission",
    "invalid",
    "server",
    "network",
    "malformed",
)

stripe_requests = Counter(
    "reconciled_stripe_requests_total",
    "Requests to Stripe by the resource they were for and how they ended.",
    ["endpoint", "outcome"],
    registry=REGISTRY,
)
stripe_read_budget_used_ratio = Gauge(
    "reconciled_stripe_read_budget_used_ratio",
    "Share of Stripe's read allocation of the last 30 days that is used; 1 is all of it.",
    ["account"],
    registry=REGISTRY,
)
account_key_usable = Gauge(
    "reconciled_account_key_usable",
    "1 while the account's read key is proven and answers, 0 otherwise.",
    ["account"],
    registry=REGISTRY,
)
build_info = Info("reconciled_build", "Which version runs.", registry=REGISTRY)

for endpoint in STRIPE_ENDPOINTS:
    for outcome in STRIPE_OUTCOMES:
        stripe_requests.labels(endpoint, outcome)
