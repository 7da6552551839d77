"""Are events heard and worked off: webhooks, gaps, the worklist, dead letters, and how late looks are."""

from typing import Final

from grafana.generate.alert import Alert, Series, Story
from grafana.generate.places import INTERNALS, OVERVIEW
from metrics.thresholds import (
    BURNS,
    DEAD_LETTER_AGE_S,
    DUPLICATES_MIN,
    DUPLICATES_SHARE,
    ERROR_BUDGET,
    EVENTS_MIN,
    MISSED_TICKS,
    QUEUE_AGE_S,
    REJECTED_MIN,
)

FAST: Final = BURNS[:2]
SLOW: Final = BURNS[2:]


def burning(burns: tuple[tuple[str, str, float], ...]) -> str:
    """Burn rates over two windows each, as long as enough was looked at to say anything."""

    def one(long: str, short: str, times: float) -> str:
        limit = f"{times} * {ERROR_BUDGET:.2f}"
        enough = f'sum by (job) (increase(reconciled_event_verdicts_total{{job="reconciled"}}[{long}])) > {EVENTS_MIN}'
        ratio = "job:reconciled_event_bad:ratio_increase"
        return f"({ratio}{long} > {limit} and {ratio}{short} > {limit} and {enough})"

    return " or ".join(one(*each) for each in burns)


def waiting_since(metric: str, state: str) -> str:
    """How old the oldest is, while there is any: a series that ended says nothing about an empty queue."""
    oldest = f'max by (job) (last_over_time(reconciled_{metric}{{job="reconciled"}}[1h]))'
    return (
        f'(time() - {oldest}) and on (job) (job_state:reconciled_queue_subjects:max1h{{state="{state}"}} > 0)'
    )


def late(good: str, bad: str) -> list[Series]:
    return [
        Series('reconciled_event_verdicts_total{verdict="good"}', good, good),
        Series('reconciled_event_verdicts_total{verdict="late"}', bad, "0x120"),
    ]


ALERTS: Final = (
    Alert(
        name="ReconciledEventBudgetBurnFast",
        expr=burning(FAST),
        hold="2m",
        severity="critical",
        component="events",
        summary="What changes on Stripe is looked at too late: the error budget will be gone in two days or sooner.",
        description="More than a minute passes between an event and its look, far too often.",
        board=OVERVIEW,
        panel="Looked at in time",
        story=Story(late("0+8x120", "0+2x120")),
    ),
    Alert(
        name="ReconciledEventBudgetBurnSlow",
        expr=burning(SLOW),
        hold="15m",
        severity="warning",
        component="events",
        summary="What changes on Stripe is often looked at too late.",
        description="At this pace the error budget will not last. Plan: more read share, a "
        "faster database, fewer subjects.",
        board=OVERVIEW,
        panel="Looked at in time",
        story=Story(late("0+9.4x120", "0+0.6x120"), clears_in=420),
    ),
    Alert(
        name="ReconciledQueueAgeHigh",
        expr=f"({waiting_since('queue_oldest_timestamp_seconds', 'ready')}) > {QUEUE_AGE_S}",
        hold="5m",
        severity="critical",
        component="worklist",
        summary="A subject has waited for more than ten minutes to be looked at.",
        description="Looks are stuck or far behind. One account's trouble shows on its own; this is everybody's.",
        board=OVERVIEW,
        panel="Oldest that waits",
        story=Story(
            [
                Series("reconciled_queue_oldest_timestamp_seconds", "0x120", "0+60x120"),
                Series('reconciled_queue_subjects{state="ready"}', "3x120", "3x120", "0"),
            ]
        ),
    ),
    Alert(
        name="ReconciledDeadLetterArrived",
        expr='sum by (job) (increase(reconciled_events_dead_lettered_total{job="reconciled"}[15m])) > 0',
        hold="0m",
        severity="warning",
        component="worklist",
        summary="A subject was set aside, because looks at it fail.",
        description="It is not looked at until somebody marks it again: `reconciled replay --account … --dead`.",
        board=OVERVIEW,
        panel="Dead letters",
        story=Story(
            [Series("reconciled_events_dead_lettered_total", "0x100 1x20", "1x120")], dies="resolves"
        ),
    ),
    Alert(
        name="ReconciledDeadLetterOld",
        expr=f"({waiting_since('dead_letter_oldest_timestamp_seconds', 'dead')}) > {DEAD_LETTER_AGE_S}",
        hold="10m",
        severity="critical",
        component="worklist",
        summary="A subject that was set aside has waited for more than four hours for a person.",
        description="Whatever happens to it on Stripe goes unnoticed, a dispute's deadline included.",
        board=OVERVIEW,
        panel="Dead letters",
        story=Story(
            [
                Series("reconciled_dead_letter_oldest_timestamp_seconds", "-14400x120", "-7000x120"),
                Series('reconciled_queue_subjects{state="dead"}', "1x120", "1x120", "0"),
            ]
        ),
    ),
    Alert(
        name="ReconciledGapFound",
        expr='sum by (job) (increase(reconciled_gap_events_found_total{job="reconciled"}[1h])) > 0',
        hold="0m",
        severity="warning",
        component="webhooks",
        summary="Polling found events that no webhook had brought.",
        description="An endpoint is disabled, lacks event types, or its secret is wrong; "
        "`reconciled check` compares them.",
        board=OVERVIEW,
        panel="Events received",
        story=Story([Series("reconciled_gap_events_found_total", "0x100 2x20", "2x120")]),
    ),
    Alert(
        name="ReconciledReceiptStopped",
        expr='sum by (job) (rate(reconciled_events_received_total{job="reconciled",source="webhook"}[30m])) == 0 '
        "and sum by (job) "
        '(rate(reconciled_events_received_total{job="reconciled",source="webhook"}[1h] offset 1h)) > 0',
        hold="15m",
        severity="critical",
        component="webhooks",
        summary="Webhooks have stopped coming.",
        description="An hour ago they came. Look at the endpoint in Stripe, the proxy before us, and the certificate.",
        board=OVERVIEW,
        panel="Events received",
        story=Story(
            [
                Series(
                    'reconciled_events_received_total{source="webhook"}',
                    "0+5x60 300x60",
                    "0+5x120",
                    "300+5x90",
                )
            ],
        ),
    ),
    Alert(
        name="ReconciledWebhooksRejected",
        expr='sum by (job, reason) (increase(reconciled_webhook_rejected_total{job="reconciled",'
        f'reason=~"forged|no_secret|stale|future|busy|not_stored|unknown_account"}}[15m])) > {REJECTED_MIN}',
        hold="5m",
        severity="warning",
        component="webhooks",
        summary="Webhooks are refused: {{ $labels.reason }}.",
        description="Stripe tries again for three days. A rotated secret, a wrong path or a clock is the usual cause.",
        board=OVERVIEW,
        panel="Webhooks refused, by reason",
        story=Story(
            [Series('reconciled_webhook_rejected_total{reason="forged"}', "0+3x120", "0+1x120")],
            labels=(("reason", "forged"),),
            dies="resolves",
        ),
    ),
    Alert(
        name="ReconciledDuplicateStorm",
        expr='sum by (job) (increase(reconciled_events_duplicate_total{job="reconciled",source="webhook"}[1h])) '
        f"> {DUPLICATES_SHARE} * sum by (job) "
        '(increase(reconciled_events_received_total{job="reconciled",source="webhook"}[1h])) '
        'and sum by (job) (increase(reconciled_events_duplicate_total{job="reconciled",source="webhook"}[1h])) '
        f"> {DUPLICATES_MIN}",
        hold="30m",
        severity="warning",
        component="webhooks",
        summary="More than half of the webhooks are known already.",
        description="Two endpoints lead here, somebody replays, or our answers come too late. Nothing is done twice.",
        board=INTERNALS,
        panel="Known already",
        story=Story(
            [
                Series('reconciled_events_received_total{source="webhook"}', "0+10x120", "0+10x120"),
                Series('reconciled_events_duplicate_total{source="webhook"}', "0+6x120", "0+4x120"),
            ],
        ),
    ),
    Alert(
        name="ReconciledJobsMissed",
        expr="sum by (job) "
        '(increase(reconciled_scheduler_jobs_total{job="reconciled",event=~"missed|max_instances|error"}'
        f"[1h])) > {MISSED_TICKS}",
        hold="0m",
        severity="warning",
        component="clock",
        summary="The clock could not tick in time.",
        description="The process has too little CPU, or something holds the interpreter; what is due comes later.",
        board=INTERNALS,
        panel="Ticks of the clock",
        story=Story(
            [Series('reconciled_scheduler_jobs_total{event="missed"}', "0+1x120", "0+0.02x120")],
        ),
    ),
)
