"""Every panel, variable and rule asks for something that a running daemon shows: none is only spelled as if it did."""

import json
from typing import Final

import pytest

from grafana.generate.__main__ import HERE
from grafana.generate.rules import rules
from tests.grafana.programs import until
from tests.grafana.questions import of_dashboard, of_rules, unanswered
from tests.grafana.scene import Scene, played

BOARDS: Final = [json.loads(path.read_text("utf-8")) for path in sorted((HERE / "dashboards").glob("*.json"))]
QUESTIONS: Final = [*(each for board in BOARDS for each in of_dashboard(board)), *of_rules(rules()["groups"])]
MISSPELT: Final = ("misspelt", "max by (state) (reconciled_queue_subject)")

COUNTS: Final = '{__name__=~"reconciled_(events_received|stripe_requests)_total"}'
PATIENCE_S: Final = 30.0

# What shows nothing in either scene, and why that is right.
EMPTY: Final[dict[str, str]] = {}


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


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What shows nothing, by scene."""
    found = {}
    for play in (healthy, incident):
        with played(tmp_path_factory.mktemp("live") / play.__name__) as scene:
            play(scene)
            found[play.__name__] = unanswered([*QUESTIONS, MISSPELT], scene.prometheus.ask)
    return found


def test_every_panel_variable_and_rule_shows_something_in_one_of_two_scenes(
    empty: dict[str, set[str]],
) -> None:
    nowhere = set.intersection(*empty.values()) - {MISSPELT[0]}
    assert nowhere == set(EMPTY)


def test_a_metric_that_is_misspelt_is_found(empty: dict[str, set[str]]) -> None:
    assert all(MISSPELT[0] in each for each in empty.values())
