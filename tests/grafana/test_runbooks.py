"""The runbooks as they lie there: every alert's, in one form, and nothing in them that the program has not."""

import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest

from grafana.generate.__main__ import HERE
from grafana.generate.alert import Alert
from grafana.generate.alerts import ALERTS
from grafana.generate.boards import BOARDS
from tests.grafana.queries import selections
from tests.grafana.vocabulary import known_names

RUNBOOKS = HERE / "runbooks"
SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Verification")
PAGES = sorted(RUNBOOKS.glob("*.md"))
PANELS = {panel.title for board in BOARDS for row in board.rows for panel in row.panels}

alerts = pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each.name)
pages = pytest.mark.parametrize("page", PAGES, ids=lambda each: each.stem)


@alerts
def test_every_alert_has_a_page_that_says_what_it_means_and_what_to_do(alert: Alert) -> None:
    page = RUNBOOKS / f"{alert.name}.md"
    assert page.exists(), f"{alert.name} has no runbook"
    text = page.read_text("utf-8")
    title, when, *_ = text.split("\n\n")
    assert title == f"# {alert.name}"
    assert re.match(r"(Always fires|Fires (when|while|for))\b", when)
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS


def test_no_page_is_about_an_alert_that_there_is_not() -> None:
    assert {page.stem for page in PAGES} == {alert.name for alert in ALERTS}


def said(page: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pages
def test_what_a_page_asks_prometheus_for_is_there(page: Path) -> None:
    for block in said(page, "promql"):
        for expr in block.strip().splitlines():
            promql_parser.parse(expr)
            for selection in selections(expr):
                assert selection.metric in known_names() | {"up", "ALERTS", ""}, selection.metric


@pages
def test_a_page_names_only_panels_that_there_are(page: Path) -> None:
    for title in re.findall(r"[Pp]anels? “([^”]+)”", page.read_text("utf-8")):
        assert title in PANELS, title


@pages
def test_a_page_leads_nowhere_that_is_not_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
