"""What happens in front of Prometheus, on a day when all is well and on one when it is not."""

from typing import Final

from tests.grafana.programs import until
from tests.grafana.scene import Scene

COUNTS: Final = '{__name__=~"reconciled_(events_received|stripe_requests)_total"}'
PATIENCE_S: Final = 30.0


def healthy(scene: Scene) -> None:
    """Webhooks come and are looked at, an agent asks, a person decides, and it is done."""
    scene.customers_pay("acme-eu", 30)
    scene.shown('reconciled_event_verdicts_total{verdict="good"}', 10)
    scene.refund("acme-eu", "approve")
    scene.refund("acme-us", "reject")
    scene.shown('reconciled_approvals_total{actor="human"}', 2)
    scene.shown("reconciled_actions_total")
    until(
        lambda: (
            {"event_id", "request_id"}
            <= {name for each in scene.prometheus.exemplars(COUNTS) for name in each}
        ),
        PATIENCE_S,
        "a count leads to an event, and one to a request",
    )


def incident(scene: Scene) -> None:
    """Webhooks are lost, a key is revoked, the CRM is down, a wave of disputes comes, and looks fail for good."""
    scene.refund("acme-eu", None)
    scene.sandbox.incident("webhook_blackout", "acme-eu")
    scene.sandbox.incident("dispute_wave", "acme-eu")
    scene.sandbox.incident("crm_down")
    scene.sandbox.incident("key_revoked", "acme-us")
    scene.set_aside("acme-eu")
    scene.forged("acme-eu")
    scene.customers_pay("acme-eu", 5)
    scene.customers_pay("acme-us", 5)
    scene.shown('reconciled_enrichment_failures_total{system="crm"}')
    scene.pictured('reconciled_accounts{state="unread"}')
    scene.pictured('reconciled_queue_subjects{state="dead"}')
    scene.pictured("reconciled_dispute_next_deadline_timestamp_seconds")
    scene.pictured("reconciled_proposal_oldest_timestamp_seconds")
    scene.waits("acme-eu")
