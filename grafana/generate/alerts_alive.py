"""Is it alive: the process, its clock, every stage of the worklist, and the picture of the database."""

from typing import Final

from grafana.generate.alert import Alert, Series, Story
from grafana.generate.places import INTERNALS, OVERVIEW
from metrics.thresholds import CANARY_S, HEARTBEAT_S, PICTURE_S

# `absent` gives no labels of its own, so the alert names the job itself: without it, it would reach nobody.
JOB: Final = (("job", "reconciled"),)

ALERTS: Final = (
    Alert(
        name="ReconciledDown",
        expr='absent(up{job="reconciled"} == 1)',
        hold="5m",
        severity="critical",
        component="process",
        summary="No reconciled daemon is being scraped.",
        description="Nothing else that is shown can be trusted until one is: deadlines pass unseen.",
        board=OVERVIEW,
        panel="Daemons",
        labels=JOB,
        story=Story([Series("up", "0x120", "1x120", after="1")], labels=JOB, dies="fires"),
    ),
    Alert(
        name="ReconciledMetricsAbsent",
        expr='absent(reconciled_scheduler_heartbeat_timestamp_seconds{job="reconciled"})',
        hold="5m",
        severity="critical",
        component="process",
        summary="A target answers as reconciled and shows none of its metrics.",
        description="The wrong port is scraped, or another program answers there.",
        board=OVERVIEW,
        panel="Daemons",
        labels=JOB,
        story=Story(
            [
                Series("up", "1x120", "1x120"),
                Series(
                    "reconciled_scheduler_heartbeat_timestamp_seconds",
                    "_x120",
                    "0+60x120",
                    after="6900+60x90",
                ),
            ],
            labels=JOB,
            dies="fires",
        ),
    ),
    Alert(
        name="ReconciledSchedulerStalled",
        expr="time() - max by (job) "
        '(last_over_time(reconciled_scheduler_heartbeat_timestamp_seconds{job="reconciled"}[1h])) '
        f"> {HEARTBEAT_S}",
        hold="2m",
        severity="critical",
        component="clock",
        summary="The clock of reconciled stands still.",
        description="Nothing is polled, swept, looked at or expired. The process may look alive.",
        board=INTERNALS,
        panel="Heartbeat",
        story=Story(
            [
                Series(
                    "reconciled_scheduler_heartbeat_timestamp_seconds",
                    "0x120",
                    "0+60x120",
                    after="6900+60x90",
                )
            ]
        ),
    ),
    Alert(
        name="ReconciledCanaryLate",
        expr="time() - max by (job, stage) "
        f'(last_over_time(reconciled_canary_timestamp_seconds{{job="reconciled"}}[1h])) > {CANARY_S}',
        hold="5m",
        severity="critical",
        component="worklist",
        summary="The canary has not come through the stage {{ $labels.stage }} for five minutes.",
        description="The first stage that is late is the one that is broken; real subjects wait there too.",
        board=OVERVIEW,
        panel="Canary, by stage",
        story=Story(
            [
                Series(
                    'reconciled_canary_timestamp_seconds{stage="taken"}',
                    "0x120",
                    "0+60x120",
                    after="6900+60x90",
                )
            ],
            labels=(("stage", "taken"),),
        ),
    ),
    Alert(
        name="ReconciledSnapshotStale",
        expr="time() - max by (job) "
        f'(last_over_time(reconciled_metrics_snapshot_timestamp_seconds{{job="reconciled"}}[1h])) > {PICTURE_S}',
        hold="2m",
        severity="critical",
        component="database",
        summary="The state metrics of reconciled are no longer computed.",
        description="The database cannot be asked. Panels about cases, accounts and deadlines "
        "show nothing until it can.",
        board=INTERNALS,
        panel="Picture of the database",
        story=Story(
            [Series("reconciled_metrics_snapshot_timestamp_seconds", "0x120", "0+60x120", after="6900+60x90")]
        ),
    ),
    Alert(
        name="ReconciledReloadRefused",
        expr='max by (job) (max_over_time(reconciled_config_last_reload_successful{job="reconciled"}[5m])) == 0',
        hold="10m",
        severity="warning",
        component="configuration",
        summary="The configuration that lies there cannot be used; the daemon goes on with the one before.",
        description="A restart would fail. `reconciled check` says what is wrong with it.",
        board=INTERNALS,
        panel="Configuration taken",
        story=Story(
            [Series("reconciled_config_last_reload_successful", "0x120", "1x120", after="1")], dies="resolves"
        ),
    ),
    Alert(
        name="Watchdog",
        expr="vector(1)",
        hold="0m",
        severity="none",
        component="alerting",
        summary="Alerting works. Somebody outside has to notice when this stops arriving.",
        description="It always fires. Route it to a dead man's switch.",
        board=OVERVIEW,
        panel="Daemons",
        labels=JOB,
        story=Story([Series("up", "1x120", "")], labels=JOB, dies="fires"),
    ),
)
