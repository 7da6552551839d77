"""The rules as they lie there: generated, linted, and each alert with its page, its panel and its story."""

import subprocess

import pytest

from grafana.generate.__main__ import HERE, RULES, STORIES, files
from grafana.generate.alert import Alert
from grafana.generate.alerts import ALERTS
from grafana.generate.board import TITLES
from grafana.generate.boards import BOARDS
from grafana.generate.recording import RECORDED
from tests.grafana.queries import selections
from tests.grafana.tools import tool
from tests.grafana.vocabulary import known_names, state_names

RECORDED_NAMES = {name for name, _ in RECORDED}

alerts = pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each.name)


def test_what_lies_there_is_what_the_code_writes() -> None:
    for path, text in files().items():
        assert path.read_text("utf-8") == text, f"{path.name} is out of date; run `make grafana`"
    generated = set((HERE / "dashboards").iterdir()) | set((HERE / "alerts").iterdir())
    assert generated == set(files())


def test_prometheus_takes_the_rules_without_a_word() -> None:
    checked = [tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", RULES]
    done = subprocess.run(checked, cwd=HERE / "alerts", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_stays_and_clears_as_its_story_says() -> None:
    told = [tool("promtool"), "test", "rules", STORIES]
    done = subprocess.run(told, cwd=HERE / "alerts", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@alerts
def test_every_alert_leads_to_a_panel_that_shows_it(alert: Alert) -> None:
    board = next(each for each in BOARDS if each.uid == alert.board)
    assert alert.board in TITLES
    panels = [panel for row in board.rows for panel in row.panels if panel.title == alert.panel]
    assert panels, f"{board.uid} has no panel “{alert.panel}”"
    assert any(alert.name in panel.means for panel in panels), (
        f"“{alert.panel}” does not say that it is {alert.name}"
    )


@alerts
def test_no_alert_asks_for_a_metric_that_there_is_not(alert: Alert) -> None:
    for selection in selections(alert.expr):
        known = selection.metric in known_names() | RECORDED_NAMES | {"up"}
        assert known, f"{alert.name} asks for {selection.metric}"
        assert selection.metric in RECORDED_NAMES or selection.matchers.get("job") == "reconciled"


def test_state_metrics_are_the_same_in_every_replica_and_never_added_up() -> None:
    expressions = [each.expr for each in ALERTS] + [expr for _, expr in RECORDED]
    expressions += [
        target.expr for board in BOARDS for row in board.rows for p in row.panels for target in p.targets
    ]
    for expr in expressions:
        for selection in selections(expr):
            if selection.metric not in state_names():
                continue
            named = [each for each in selection.around if each in {"sum", "max", "min", "count", "avg"}]
            inner = named[-1] if named else ""
            per_instance = "by (job, instance" in expr
            assert inner in {"max", "min"} or per_instance, (
                f"{selection.metric} is added up over replicas: {expr}"
            )
