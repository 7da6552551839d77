"""The machine room: the worklist, Stripe, the other systems, the clock, and the process."""

from typing import Final

from grafana.generate.board import Board, Row
from grafana.generate.colors import GREEN, ORANGE, RED
from grafana.generate.panels import (
    SELECTED,
    Target,
    graph,
    grown,
    rate,
    stat,
    state,
    steps,
)
from grafana.generate.places import INTERNALS as UID
from metrics.catalog import EVENT_SOURCES, SCHEDULER_EVENTS, STRIPE_OUTCOMES
from metrics.state import QUEUE_STATES
from metrics.thresholds import HEARTBEAT_S, PICTURE_S

INTERNALS: Final = Board(
    UID,
    "What the daemon does inside: for whoever has to find out why.",
    (
        Row(
            "The clock and the database",
            (
                stat(
                    "Heartbeat",
                    "How long ago the clock last ticked; a second is usual. Alert: ReconciledSchedulerStalled.",
                    f"time() - max(reconciled_scheduler_heartbeat_timestamp_seconds{{{SELECTED}}})",
                    "s",
                    width=4,
                    height=8,
                    steps=steps((HEARTBEAT_S, RED)),
                ),
                stat(
                    "Picture of the database",
                    "How long ago the state metrics were computed. Older than a minute: the database cannot be asked. "
                    "Alert: ReconciledSnapshotStale.",
                    f"time() - max(reconciled_metrics_snapshot_timestamp_seconds{{{SELECTED}}})",
                    "s",
                    width=4,
                    height=8,
                    steps=steps((PICTURE_S, RED)),
                ),
                stat(
                    "Configuration taken",
                    "Whether the last reload was taken. No: the file that lies there cannot be used. "
                    "Alert: ReconciledReloadRefused.",
                    f"max(reconciled_config_last_reload_successful{{{SELECTED}}})",
                    "bool_yes_no",
                    width=4,
                    height=8,
                    steps=((None, RED), (1, GREEN)),
                ),
                graph(
                    "Ticks of the clock",
                    "Ticks by what became of them. Missed: the process has too little CPU. "
                    "Alert: ReconciledJobsMissed.",
                    [Target(rate("scheduler_jobs_total", "event"), "{{event}}")],
                    "ops",
                    words=SCHEDULER_EVENTS,
                ),
            ),
        ),
        Row(
            "The worklist",
            (
                graph(
                    "Subjects on the worklist",
                    "Ready is a queue, later is a plan, taken is being looked at, dead waits "
                    "for a person. Depth alone says "
                    "little; see how long the oldest waits. Alerts: ReconciledQueueAgeHigh, ReconciledDeadLetterOld.",
                    [Target(state("queue_subjects", "state"), "{{state}}")],
                    "short",
                    words=QUEUE_STATES,
                ),
                graph(
                    "Looks",
                    "Subjects judged a second, because of a mark or by a pass over everything.",
                    [Target(rate("subjects_judged_total", "why"), "{{why}}")],
                    "ops",
                ),
                graph(
                    "Runs of the engine",
                    "Runs by what they were for. Crashed runs are in the log with their reason.",
                    [Target(rate("engine_runs_total", "kind, outcome") + " > 0", "{{kind}} {{outcome}}")],
                    "ops",
                ),
                graph(
                    "Known already",
                    "Events that were known when they came, by the way they came; nothing is done twice. "
                    "Alert: ReconciledDuplicateStorm.",
                    [Target(rate("events_duplicate_total", "source"), "{{source}}")],
                    "eps",
                    words=EVENT_SOURCES,
                ),
            ),
        ),
        Row(
            "Stripe and the other systems",
            (
                graph(
                    "Requests to Stripe, by outcome",
                    "How requests ended. rate_limited: somebody asks too much. "
                    "Alerts: ReconciledStripeRateLimited, ReconciledStripeFailing.",
                    [Target(rate("stripe_requests_total", "outcome") + " > 0", "{{outcome}}")],
                    "reqps",
                    stacked=True,
                    words=STRIPE_OUTCOMES,
                ),
                graph(
                    "Requests to Stripe, by resource",
                    "What is read and written. A sweep is many lists; a storm of events is many single objects.",
                    [Target(rate("stripe_requests_total", "endpoint") + " > 0", "{{endpoint}}")],
                    "reqps",
                    stacked=True,
                ),
                graph(
                    "Failed reads, by system",
                    "Reads that failed, by system and why. Its rules are silent until it answers. "
                    "Alert: ReconciledEnrichmentFailing.",
                    [Target(grown("enrichment_failures_total", "system, reason"), "{{system}} {{reason}}")],
                    "short",
                ),
                graph(
                    "Undelivered",
                    "Callbacks and notifications that have not arrived. Dead: nobody was told. "
                    "Alert: ReconciledDeliveriesDead.",
                    [Target(state("undelivered", "state"), "{{state}}")],
                    "short",
                    steps=steps((1, ORANGE)),
                    words=("waiting", "dead"),
                ),
            ),
        ),
        Row(
            "The process",
            (
                graph(
                    "CPU",
                    "Cores in use. More than one is rare: Python holds one lock.",
                    [
                        Target(
                            f"rate(process_cpu_seconds_total{{{SELECTED}}}[$__rate_interval])", "{{instance}}"
                        )
                    ],
                    "short",
                    width=8,
                ),
                graph(
                    "Memory",
                    "What the process holds. It does not grow with history; if it does, that is a fault of ours.",
                    [Target(f"process_resident_memory_bytes{{{SELECTED}}}", "{{instance}}")],
                    "bytes",
                    width=8,
                ),
                graph(
                    "Open files",
                    "The share of how many the process may open. Near all of them webhooks are refused.",
                    [
                        Target(
                            f"process_open_fds{{{SELECTED}}} / process_max_fds{{{SELECTED}}}", "{{instance}}"
                        )
                    ],
                    "percentunit",
                    most=1,
                    width=8,
                ),
            ),
        ),
    ),
)
