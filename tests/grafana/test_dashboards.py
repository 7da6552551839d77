"""The dashboards as they lie there: fit Grafana's own schema, pass its linter, and say the same as the alerts."""

import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import promql_parser
import pytest
from jsonschema import Draft7Validator

from grafana.generate.__main__ import HERE
from grafana.generate.alerts import ALERTS
from grafana.generate.colors import GRAY
from grafana.generate.places import PUBLIC_URL
from tests.grafana import schemas
from tests.grafana.linter import RULES, Rule, shown
from tests.grafana.queries import selections
from tests.grafana.questions import of_dashboard, panels
from tests.grafana.vocabulary import known_names

BOARDS: Final = [json.loads(path.read_text("utf-8")) for path in sorted((HERE / "dashboards").glob("*.json"))]
OF_THE_SOURCE: Final = (
    "expr",
    "step",
    "titleFormat",
)  # of an annotation: Prometheus's own words, not Grafana's

boards = pytest.mark.parametrize("board", BOARDS, ids=lambda each: each["uid"])


@pytest.mark.parametrize("rule", RULES, ids=lambda each: each.__name__)
@boards
def test_no_rule_of_the_linter_is_broken(board: dict[str, Any], rule: Rule) -> None:
    assert list(rule(board)) == []


def complaints(board: Mapping[str, Any]) -> Iterator[str]:
    """Of the board as a whole, and of each panel by the schema of its own kind, which says more exactly where."""
    whole = schemas.of_dashboard()
    head = copy.deepcopy({**board, "panels": []})
    for annotation in head["annotations"]["list"]:
        for word in OF_THE_SOURCE:
            annotation.pop(word)
    yield from _said("", whole, head)
    for panel in panels(dict(board)):
        kind, title = panel["type"], panel["title"]
        is_row = kind == "row"
        yield from _said(
            title, {**whole, "$ref": f"#/definitions/{'RowPanel' if is_row else 'Panel'}"}, panel
        )
        if not is_row:
            yield from _said(title, schemas.of_options(kind), panel["options"])
        custom = {} if is_row else panel["fieldConfig"]["defaults"].get("custom", {})
        if custom:
            yield from _said(title, schemas.of_fields(kind), custom)


def _said(where: str, schema: Mapping[str, Any], tree: Any) -> Iterator[str]:
    for error in Draft7Validator(schema).iter_errors(tree):
        yield f"{where} {'/'.join(map(str, error.path))}: {error.message}"


@boards
def test_a_board_fits_grafanas_own_schema(board: dict[str, Any]) -> None:
    assert list(complaints(board)) == []


def test_what_grafana_does_not_know_is_found() -> None:
    board = copy.deepcopy(BOARDS[0])
    panel = next(shown(board))
    panel["options"]["showHeadre"] = True
    panel["fieldConfig"]["defaults"]["unti"] = "s"
    board["graphTooltip"] = 7
    found = " ".join(complaints(board))
    assert "showHeadre" in found
    assert "unti" in found
    assert "graphTooltip" in found


@boards
def test_no_two_panels_have_one_id_or_one_place(board: dict[str, Any]) -> None:
    every = list(panels(board))
    assert len({panel["id"] for panel in every}) == len(every)
    places = [panel["gridPos"] for panel in every]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_the_uids_are_known_and_each_board_leads_to_the_others_and_to_the_queue() -> None:
    uids = {board["uid"] for board in BOARDS}
    assert uids == {f"reconciled-{name}" for name in ("overview", "accounts", "cases", "internals")}
    for board in BOARDS:
        assert {link["url"] for link in board["links"]} == {f"/d/{uid}" for uid in uids - {board["uid"]}} | {
            PUBLIC_URL
        }


@boards
def test_every_metric_that_is_asked_for_is_shown_by_the_daemon(board: dict[str, Any]) -> None:
    for where, expr in of_dashboard(board):
        for selection in selections(expr):
            assert selection.metric in known_names() | {"up"}, f"{where}: {selection.metric}"


@boards
def test_a_panel_turns_where_an_alert_that_it_names_fires(board: dict[str, Any]) -> None:
    for panel in shown(board):
        named = [each for each in ALERTS if each.name in re.findall(r"\w+", panel["description"])]
        edges = list(_edges(panel))
        assert named or not edges, f"“{panel['title']}” turns, and names no alert"
        limits = {limit for each in named for limit in _limits(promql_parser.parse(each.expr))}
        # More than none is one, so is one account of all; and what is good is what the error budget leaves.
        counted = 0.0 in limits or any("account" in dict(each.story.labels) for each in named)
        limits |= {1.0} if counted else set()
        limits |= {1 - limit for limit in limits if 0 < limit < 1}
        assert set(edges) <= limits, f"“{panel['title']}” turns at {edges}, its alerts at {sorted(limits)}"


@boards
def test_what_is_over_or_unknown_is_shown_neither_as_it_was_nor_as_well(board: dict[str, Any]) -> None:
    for panel in shown(board):
        if panel["type"] != "timeseries":
            assert all(target["instant"] for target in panel["targets"]), panel["title"]
            (nothing,) = panel["fieldConfig"]["defaults"]["mappings"]
            assert nothing["options"]["match"] == "null"
            assert nothing["options"]["result"]["color"] == GRAY


def _edges(panel: Mapping[str, Any]) -> Iterator[float]:
    config = panel["fieldConfig"]
    overridden = (
        each["value"]
        for override in config["overrides"]
        for each in override["properties"]
        if each["id"] == "thresholds"
    )
    for thresholds in (config["defaults"]["thresholds"], *overridden):
        yield from (step["value"] for step in thresholds["steps"] if step["value"] is not None)


def _limits(node: Any) -> Iterator[float]:
    if type(node).__name__ == "NumberLiteral":
        yield node.val
    for name in ("expr", "lhs", "rhs"):
        inner = getattr(node, name, None)
        if inner is not None:
            yield from _limits(inner)
    for each in getattr(node, "args", None) or ():
        yield from _limits(each)
