"""Is what was decided done, once, and told to whoever waits for it."""

from typing import Final

from grafana.generate.alert import Alert, Series, Story
from grafana.generate.places import CASES, INTERNALS
from metrics.thresholds import HOUR

ALERTS: Final = (
    Alert(
        name="ReconciledActionFailed",
        expr="sum by (job, action) "
        '(increase(reconciled_actions_total{job="reconciled",outcome=~"failed|refused"}[30m])) > 0',
        hold="0m",
        severity="warning",
        component="executor",
        summary="An approved action failed: {{ $labels.action }}.",
        description="Nothing was done. The case says why; a person may try again.",
        board=CASES,
        panel="Attempts, by outcome",
        story=Story(
            [Series('reconciled_actions_total{action="refund",outcome="failed"}', "0x100 1x20", "1x120")],
            labels=(("action", "refund"),),
            dies="resolves",
        ),
    ),
    Alert(
        name="ReconciledActionUnknown",
        expr='job_state:reconciled_proposals:max1h{state="unknown"} > 0',
        hold="0m",
        severity="critical",
        component="executor",
        summary="Nobody knows whether an approved action was done.",
        description="Its answer was lost. Verify it on Stripe before anything else; nothing is tried again by itself.",
        board=CASES,
        panel="Proposals, by state",
        story=Story(
            [Series('reconciled_proposals{state="unknown"}', "1x120", "0x120", "0")],
            labels=(("state", "unknown"),),
        ),
    ),
    Alert(
        name="ReconciledInvariantViolated",
        expr='sum by (job, invariant) (increase(reconciled_invariant_violations_total{job="reconciled"}[1h])) > 0',
        hold="0m",
        severity="critical",
        component="executor",
        summary="What must never happen was about to: {{ $labels.invariant }}.",
        description="It was stopped. Switch acting off until somebody knows why: `reconciled actions off`.",
        board=CASES,
        panel="Invariants",
        story=Story(
            [
                Series(
                    'reconciled_invariant_violations_total{invariant="double_execution"}',
                    "0x100 1x20",
                    "0x120",
                )
            ],
            labels=(("invariant", "double_execution"),),
        ),
    ),
    Alert(
        name="ReconciledActionsStopped",
        expr='max by (job) (last_over_time(reconciled_actions_stopped{job="reconciled"}[1h])) > 0',
        hold="4h",
        severity="warning",
        component="executor",
        summary="Acting has been switched off for more than four hours.",
        description="What is approved expires meanwhile. Switch it on again, or tell those who wait.",
        board=CASES,
        panel="Stops",
        story=Story(
            [Series("reconciled_actions_stopped", "1x400", "0x400", "0")], fires_at=f"{6 * HOUR // 60}m"
        ),
    ),
    Alert(
        name="ReconciledDeliveriesDead",
        expr='max by (job) (last_over_time(reconciled_undelivered{job="reconciled",state="dead"}[1h])) > 0',
        hold="0m",
        severity="warning",
        component="outbox",
        summary="A callback or notification could not be delivered within a day.",
        description="Whoever waits for it was not told; the log says whom, and what the last answer was.",
        board=INTERNALS,
        panel="Undelivered",
        story=Story([Series('reconciled_undelivered{state="dead"}', "1x120", "0x120", "0")]),
    ),
)
