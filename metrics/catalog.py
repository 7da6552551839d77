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
SCHEDULER_EVENTS = ("executed", "error", "missed", "max_instances")

scheduler_jobs = Counter(
    "reconciled_scheduler_jobs_total",
    "Ticks of the clock by what they wake and what became of them.",
    ["job", "event"],
    registry=REGISTRY,
)
scheduler_heartbeat = Gauge(
    "reconciled_scheduler_heartbeat_timestamp_seconds",
    "When the clock last ticked.",
    registry=REGISTRY,
)
engine_runs = Counter(
    "reconciled_engine_runs_total",
    "Runs of the engine by what they were for and how they ended.",
    ["kind", "outcome"],
    registry=REGISTRY,
)
EVENT_SOURCES = ("webhook", "poll", "replay")
EVENT_CLASSES = ("dispute", "invoice", "subscription", "charge", "payout", "customer", "other")
UNUSED_REASONS = ("foreign_account", "foreign_mode", "no_object", "unknown_type")
REJECTION_REASONS = (
    "unknown_account", "method", "too_large", "too_slow", "encoded", "no_header", "malformed", "stale", "future",
    "forged", "no_secret", "not_utf8", "not_an_event", "busy", "not_stored",
)  # fmt: skip

events_received = Counter(
    "reconciled_events_received_total",
    "Events that were stored or known already, by the way they came and what they are about.",
    ["source", "event_class"],
    registry=REGISTRY,
)
events_duplicate = Counter(
    "reconciled_events_duplicate_total",
    "Events among those received that were known already, by the way they came.",
    ["source"],
    registry=REGISTRY,
)
events_unused = Counter(
    "reconciled_events_unused_total",
    "Webhooks of another account or mode, about nothing that can be read, or of a type that we do not use.",
    ["reason"],
    registry=REGISTRY,
)
webhook_rejected = Counter(
    "reconciled_webhook_rejected_total",
    "Webhook requests that were not answered with 2xx, by why.",
    ["reason"],
    registry=REGISTRY,
)
CASE_KINDS = (
    "access_without_payment", "payment_without_access", "grace_expired", "plan_mismatch", "quantity_mismatch",
    "crm_status_mismatch", "crm_record_missing", "stripe_customer_missing", "revenue_mismatch", "duplicate_record",
    "wrong_account", "refunded_with_access", "dispute_lost_with_access", "duplicate_customer", "dispute_deadline",
    "dispute_update", "fraud_warning", "review_open", "payout_failed", "refund_failed", "payment_failed",
    "approval_request", "unapproved_money_move", "approved_not_executed", "executed_differently", "account_degraded",
    "rule_storm", "event_gap",
)  # fmt: skip

cases_opened = Counter(
    "reconciled_cases_opened_total",
    "Cases opened, for the first time or again, by kind.",
    ["kind"],
    registry=REGISTRY,
)
CANARY_STAGES = ("marked", "taken", "done")

canary = Gauge(
    "reconciled_canary_timestamp_seconds",
    "When an item that is only there to be seen last came through each stage of the worklist.",
    ["stage"],
    registry=REGISTRY,
)
subjects_judged = Counter(
    "reconciled_subjects_judged_total",
    "Subjects judged, by looks at what was marked and by passes over everything.",
    ["why"],
    registry=REGISTRY,
)
events_dead_lettered = Counter(
    "reconciled_events_dead_lettered_total",
    "Subjects set aside because looks at them failed too often.",
    registry=REGISTRY,
)
gap_events_found = Counter(
    "reconciled_gap_events_found_total",
    "Events that polling found and that no webhook brought in time.",
    registry=REGISTRY,
)
event_watermark = Gauge(
    "reconciled_event_watermark_timestamp_seconds",
    "Everything that events told until then was taken in.",
    ["account"],
    registry=REGISTRY,
)
build_info = Info("reconciled_build", "Which version runs.", registry=REGISTRY)

for source in EVENT_SOURCES:
    events_duplicate.labels(source)
    for event_class in EVENT_CLASSES:
        events_received.labels(source, event_class)
for reason in UNUSED_REASONS:
    events_unused.labels(reason)
for reason in REJECTION_REASONS:
    webhook_rejected.labels(reason)
for kind in CASE_KINDS:
    cases_opened.labels(kind)
for stage in CANARY_STAGES:
    canary.labels(stage)
for why in ("mark", "pass"):
    subjects_judged.labels(why)
for endpoint in STRIPE_ENDPOINTS:
    for outcome in STRIPE_OUTCOMES:
        stripe_requests.labels(endpoint, outcome)
