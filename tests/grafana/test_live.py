"""Every panel, variable and rule asks for something that a running daemon shows: none is only spelled as if it did."""

import json
from typing import Final

import pytest

from grafana.generate.__main__ import HERE
from grafana.generate.rules import rules
from tests.grafana.plays import healthy, incident
from tests.grafana.questions import of_dashboard, of_rules, unanswered
from tests.grafana.scene import played

BOARDS: Final = [json.loads(path.read_text("utf-8")) for path in sorted((HERE / "dashboards").glob("*.json"))]
QUESTIONS: Final = [*(each for board in BOARDS for each in of_dashboard(board)), *of_rules(rules()["groups"])]
MISSPELT: Final = ("misspelt", "max by (state) (reconciled_queue_subject)")

# What shows nothing in either scene, and why that is right.
EMPTY: Final[dict[str, str]] = {}


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
