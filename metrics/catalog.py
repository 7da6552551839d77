"""Every metric there is, declared in one place and counted where things happen.

Flow metrics are counted in the process; state metrics are computed from the database when asked. Every label
value is from a closed set, except `account`. All label values are touched at the start, so that the first
failure is visible as a rate.
"""

from collections.abc import Collection

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter, which nobody reads

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)  # CPU, memory, open files; nothing where there is no /proc

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
SYSTEMS = ("stripe", "crm", "entitlement")
FAILURES = ("unreachable", "rate_limited", "budget", "auth", "permission", "malformed")
COMPARISONS = ("match", "mismatch", "missing_remote", "missing_local", "incomparable")
VERDICTS = ("good", "late", "lost")

enrichment_failures = Counter(
    "reconciled_enrichment_failures_total",
    "Reads of a system that failed, by why; one that is tried again counts again.",
    ["system", "reason"],
    registry=REGISTRY,
)
comparisons = Counter(
    "reconciled_comparisons_total",
    "Customers compared with another system, by what came of it: no mismatch is not nothing compared.",
    ["system", "result"],
    registry=REGISTRY,
)
queue_wait = Histogram(
    "reconciled_queue_wait_seconds",
    "From when a subject was due to be looked at to when a look took it, for the first time.",
    buckets=(0.05, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600),
    registry=REGISTRY,
)
event_verdicts = Counter(
    "reconciled_event_verdicts_total",
    "Objects that events, polls and replays had marked, by what became of them: looked at in time, late, or set aside.",
    ["verdict"],
    registry=REGISTRY,
)
gap_events_found = Counter(
    "reconciled_gap_events_found_total",
    "Events that polling found and that no webhook brought in time.",
    registry=REGISTRY,
)
APPROVAL_DECISIONS = ("approved", "rejected", "changes_requested", "expired", "withdrawn")
APPROVAL_ACTORS = ("human", "policy")

approvals = Counter(
    "reconciled_approvals_total",
    "How proposals were decided, by the kind of the case that they stand on and by whom.",
    ["kind", "decision", "actor"],
    registry=REGISTRY,
)
approval_wait = Histogram(
    "reconciled_approval_wait_seconds",
    "From the making of a proposal's version to its decision.",
    buckets=(60, 300, 900, 3_600, 14_400, 86_400, 259_200, 604_800),
    registry=REGISTRY,
)
ACTIONS = (
    "refund", "capture", "dispute_evidence", "dispute_accept", "invoice_pay", "invoice_send", "invoice_void",
    "invoice_uncollectible", "credit_note", "subscription_cancel", "subscription_pause", "subscription_resume",
    "subscription_change", "review_approve", "payment_link", "entitlement_set", "crm_update", "crm_task", "message",
    "acknowledge",
)  # fmt: skip
ACTION_OUTCOMES = ("ok", "noop", "failed", "refused", "unknown")

actions = Counter(
    "reconciled_actions_total",
    "Attempts by the action and how they ended; noop: it had been done already, or the world had changed.",
    ["action", "outcome"],
    registry=REGISTRY,
)
INVARIANTS = ("action_without_approval", "double_execution", "cross_account_key")

invariant_violations = Counter(
    "reconciled_invariant_violations_total",
    "What must never happen, and was about to: it was stopped, and somebody has to look why.",
    ["invariant"],
    registry=REGISTRY,
)
config_taken = Gauge(
    "reconciled_config_last_reload_successful",
    "1 while the configuration that lies there is the one in force, 0 after a reload that was refused.",
    registry=REGISTRY,
)
config_taken_at = Gauge(
    "reconciled_config_last_reload_success_timestamp_seconds",
    "When a configuration was last taken.",
    registry=REGISTRY,
)
DELIVERY_CHANNELS = ("callback", "email", "webhook")
DELIVERY_OUTCOMES = ("delivered", "failed", "blocked", "dead")

deliveries = Counter(
    "reconciled_deliveries_total",
    "Tries to deliver a callback or a notification, by how they ended; dead: it was the last one.",
    ["channel", "outcome"],
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
for system in SYSTEMS:
    for reason in FAILURES:
        enrichment_failures.labels(system, reason)
for system in SYSTEMS[1:]:
    for result in COMPARISONS:
        comparisons.labels(system, result)
for verdict in VERDICTS:
    event_verdicts.labels(verdict)
for why in ("mark", "pass"):
    subjects_judged.labels(why)
for endpoint in STRIPE_ENDPOINTS:
    for outcome in STRIPE_OUTCOMES:
        stripe_requests.labels(endpoint, outcome)
for kind in CASE_KINDS:
    for decision in APPROVAL_DECISIONS:
        for actor in APPROVAL_ACTORS:
            approvals.labels(kind, decision, actor)
for action in ACTIONS:
    for outcome in ACTION_OUTCOMES:
        actions.labels(action, outcome)
for invariant in INVARIANTS:
    invariant_violations.labels(invariant)
for channel in DELIVERY_CHANNELS:
    for outcome in DELIVERY_OUTCOMES:
        deliveries.labels(channel, outcome)


BY_ACCOUNT = (stripe_read_budget_used_ratio, account_key_usable)  # what else is by account is a state metric


def expect(accounts: Collection[str]) -> None:
    """Shows these at 0 until more is known of them: a key that cannot even be read is none that works."""
    for account in accounts:
        for gauge in BY_ACCOUNT:
            gauge.labels(account)


def forget(accounts: Collection[str]) -> None:
    """Takes away the series of accounts that are not configured any more: what stands still looks alive."""
    for gauge in BY_ACCOUNT:
        for family in gauge.collect():
            for account in {sample.labels["account"] for sample in family.samples}.intersection(accounts):
                gauge.remove(account)
