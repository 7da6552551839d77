"""Is anything being missed? Eight numbers first, then the flow that they come from."""

from collections.abc import Sequence
from typing import Final

from grafana.generate.board import Board, Row
from grafana.generate.colors import BLUE, GREEN, ORANGE, RED
from grafana.generate.panels import (
    Panel,
    Target,
    graph,
    grown,
    quantile,
    rate,
    stat,
    state,
    steps,
)
from grafana.generate.places import OVERVIEW as UID
from metrics.catalog import EVENT_SOURCES, VERDICTS
from metrics.numbers import NUMBERS, Number
from metrics.state import ACCOUNT_STATES
from metrics.thresholds import CANARY_S, OBJECTIVE

GOOD: Final = 'verdict="good"'
SELECTED: Final = 'job=~"$job", instance=~"$instance"'


def number(one: Number) -> Panel:
    return stat(
        one.title,
        f"{one.means} {'Alert' if len(one.alerts) == 1 else 'Alerts'}: {', '.join(one.alerts)}.",
        one.promql(SELECTED),
        one.unit,
        width=6,
        height=3,
        steps=coloured(one),
        no_value=one.none,
    )


def coloured(one: Number) -> Sequence[tuple[float | None, str]]:
    """Green up to the first edge; where less is worse, from the last one on. Without an edge it is no verdict."""
    edges = [(edge.at, color) for edge, color in ((one.warn, ORANGE), (one.bad, RED)) if edge is not None]
    if one.worse == "higher":
        return steps(*edges, first=GREEN if edges else BLUE)
    starts = [at for at, _ in reversed(edges)]
    return tuple(zip([None, *starts], [*(color for _, color in reversed(edges)), GREEN], strict=True))


OVERVIEW: Final = Board(
    UID,
    "Is anything being missed, and is anyone's money or deadline at risk? Eight numbers, and what they come from.",
    (
        Row("Is anything being missed?", tuple(number(each) for each in NUMBERS)),
        Row(
            "What comes in, and what becomes of it",
            (
                graph(
                    "Events received",
                    "New events, by the way that was the first to bring them. Polling that brings what webhooks "
                    "brought before is a broken endpoint. Alerts: ReconciledReceiptStopped, ReconciledGapFound.",
                    [
                        Target(
                            f"clamp_min({rate('events_received_total', 'source')}"
                            f" - {rate('events_duplicate_total', 'source')}, 0)",
                            "{{source}}",
                        ),
                        Target(rate("gap_events_found_total", "job"), "missed by webhooks"),
                    ],
                    "eps",
                    words=(*EVENT_SOURCES, "missed"),
                ),
                graph(
                    "Looked at in time",
                    "What changed, by whether it was looked at within a minute, later, or set aside. "
                    "Alerts: ReconciledEventBudgetBurnFast, ReconciledEventBudgetBurnSlow.",
                    [Target(grown("event_verdicts_total", "verdict"), "{{verdict}}")],
                    "short",
                    stacked=True,
                    words=VERDICTS,
                ),
                graph(
                    "Cases opened",
                    "Cases opened for the first time or again, by kind. A sudden tower is one cause with many faces.",
                    [Target(grown("cases_opened_total", "kind"), "{{kind}}")],
                    "short",
                    stacked=True,
                    bars=True,
                ),
                graph(
                    "Webhooks refused, by reason",
                    "Requests that got no 2xx. Forged, or without a secret: somebody rotated one. "
                    "Alert: ReconciledWebhooksRejected.",
                    [Target(rate("webhook_rejected_total", "reason"), "{{reason}}")],
                    "reqps",
                ),
            ),
        ),
        Row(
            "How late",
            (
                graph(
                    "Wait for a look",
                    "From when a subject was due until a look took it. Growing while few events come: looks are stuck. "
                    "Alert: ReconciledQueueAgeHigh.",
                    [
                        Target(quantile(0.5, "queue_wait_seconds"), "p50"),
                        Target(quantile(0.95, "queue_wait_seconds"), "p95"),
                        Target(quantile(0.99, "queue_wait_seconds"), "p99"),
                    ],
                    "s",
                ),
                graph(
                    "Canary, by stage",
                    "How long ago the item that is only there to be seen came through each "
                    "stage. The first stage that is "
                    "late is the broken one. Alert: ReconciledCanaryLate.",
                    [Target(f"time() - {state('canary_timestamp_seconds', 'stage')}", "{{stage}}")],
                    "s",
                    steps=steps((CANARY_S, RED)),
                ),
            ),
        ),
        Row(
            "Who is there",
            (
                graph(
                    "Daemons",
                    "Targets that are scraped and answer. None: nothing here is true any more. "
                    "Alerts: ReconciledDown, ReconciledMetricsAbsent, Watchdog.",
                    [Target(f"up{{{SELECTED}}}", "{{instance}}")],
                    "bool_on_off",
                    width=8,
                ),
                graph(
                    "Accounts by state",
                    "Configured accounts: ok, stale (no complete pass for two intervals), "
                    "unread (something cannot be read). "
                    "Alert: ReconciledFleetStale.",
                    [Target(state("accounts", "state"), "{{state}}")],
                    "short",
                    width=8,
                    stacked=True,
                    words=ACCOUNT_STATES,
                ),
                graph(
                    "Share looked at in time",
                    f"Over each interval; the objective is {OBJECTIVE:.0%}. "
                    "Alerts: ReconciledEventBudgetBurnFast, ReconciledEventBudgetBurnSlow.",
                    [
                        Target(
                            f"{grown('event_verdicts_total', 'job', GOOD)} / "
                            f"({grown('event_verdicts_total', 'job')} > 0)",
                            "in time",
                        )
                    ],
                    "percentunit",
                    width=8,
                    most=1,
                    steps=((None, RED), (OBJECTIVE, GREEN)),
                ),
            ),
        ),
    ),
)
