"""The seventeen rules of Grafana's dashboard linter, by its names: what a good dashboard does, with no exception.

Written anew, since the linter itself is a program that does not come with Debian or Python.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.grafana.queries import Selection, selections
from tests.grafana.questions import panels

Board = Mapping[str, Any]
Rule = Callable[[Board], Iterator[str]]

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
UNITS: Final = frozenset(json.loads((Path(__file__).parent / "node" / "units.json").read_text("utf-8")))
COUNTED: Final = ("_total", "_count", "_sum", "_bucket")
RATES: Final = frozenset({"rate", "irate", "increase"})
ON_TIME_CHANGE: Final = 2


def variables(board: Board) -> dict[str, Mapping[str, Any]]:
    return {each["name"]: each for each in board["templating"]["list"]}


def shown(board: Board) -> Iterator[dict[str, Any]]:
    return (panel for panel in panels(dict(board)) if panel["type"] != "row")


def asked(board: Board) -> Iterator[tuple[str, str]]:
    for panel in shown(board):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def selected(board: Board) -> Iterator[tuple[str, Selection]]:
    for title, expr in asked(board):
        for selection in selections(expr):
            yield title, selection


def template_datasource(board: Board) -> Iterator[str]:
    source = variables(board).get("datasource")
    if source is None or source["type"] != "datasource":
        yield "there is no variable $datasource"
    elif (source["query"], source["label"]) != ("prometheus", "Data source"):
        yield "$datasource is not a choice of Prometheus"


def _template(board: Board, name: str) -> Iterator[str]:
    variable = variables(board).get(name)
    wanted = {"type": "query", "datasource": SOURCE, "multi": True, "includeAll": True, "allValue": ".+"}
    if variable is None:
        yield f"there is no variable ${name}"
        return
    for key, value in {**wanted, "label": name.capitalize()}.items():
        if variable.get(key) != value:
            yield f"${name}: {key} is {variable.get(key)!r}"


def template_job(board: Board) -> Iterator[str]:
    yield from _template(board, "job")


def template_instance(board: Board) -> Iterator[str]:
    yield from _template(board, "instance")


def template_label_promql(board: Board) -> Iterator[str]:
    for name, each in variables(board).items():
        if each["type"] == "query":
            inside = each["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
            try:
                selections(inside)
            except ValueError as wrong:
                yield f"${name}: {wrong}"


def template_on_time_change_reload(board: Board) -> Iterator[str]:
    for name, each in variables(board).items():
        if each["type"] == "query" and each["refresh"] != ON_TIME_CHANGE:
            yield f"${name} is not asked again when the time changes"


def panel_datasource(board: Board) -> Iterator[str]:
    for panel in shown(board):
        if panel["datasource"] != SOURCE or any(each["datasource"] != SOURCE for each in panel["targets"]):
            yield f"“{panel['title']}” does not ask $datasource"


def panel_title_description(board: Board) -> Iterator[str]:
    for panel in shown(board):
        if not panel["title"] or not panel["description"].endswith("."):
            yield f"“{panel['title']}” does not say what it shows"


def panel_units(board: Board) -> Iterator[str]:
    for panel in shown(board):
        config = panel["fieldConfig"]
        overridden = (each for override in config["overrides"] for each in override["properties"])
        units = [
            config["defaults"].get("unit"),
            *(each["value"] for each in overridden if each["id"] == "unit"),
        ]
        yield from (f"“{panel['title']}” has the unit {unit}" for unit in units if unit not in UNITS)


def panel_no_targets(board: Board) -> Iterator[str]:
    yield from (f"“{panel['title']}” asks nothing" for panel in shown(board) if not panel["targets"])


def target_logql(board: Board) -> Iterator[str]:
    yield from (f"“{title}” asks for logs" for title, expr in asked(board) if "|=" in expr or "|~" in expr)


def target_logql_auto(board: Board) -> Iterator[str]:
    yield from (f"“{title}” uses $__auto" for title, expr in asked(board) if "$__auto" in expr)


def target_promql(board: Board) -> Iterator[str]:
    for title, expr in asked(board):
        try:
            selections(expr)
        except ValueError as wrong:
            yield f"“{title}”: {wrong}"


def target_rate_interval(board: Board) -> Iterator[str]:
    """A window follows the scrape interval, or is all that is looked at."""
    for title, expr in asked(board):
        windows = [part.partition("]")[0] for part in expr.split("[")[1:]]
        yield from (f"“{title}” has the window {each}" for each in windows if each not in WINDOWS)


WINDOWS: Final = ("$__rate_interval", "$__range")


def target_job(board: Board) -> Iterator[str]:
    yield from _target(board, "job")


def target_instance(board: Board) -> Iterator[str]:
    yield from _target(board, "instance")


def _target(board: Board, label: str) -> Iterator[str]:
    for title, selection in selected(board):
        if selection.matchers.get(label) != f"${label}":
            yield f"“{title}” takes {selection.metric} of every {label}"


def target_counter_agg(board: Board) -> Iterator[str]:
    for title, selection in selected(board):
        if selection.metric.endswith(COUNTED) and not RATES & set(selection.around):
            yield f"“{title}” shows {selection.metric} as it was counted"


def uneditable_dashboard(board: Board) -> Iterator[str]:
    if board["editable"]:
        yield "it can be edited where nobody keeps the change"


RULES: Final[tuple[Rule, ...]] = (
    template_datasource, template_job, template_instance, template_label_promql, template_on_time_change_reload,
    panel_datasource, panel_title_description, panel_units, panel_no_targets, target_logql, target_logql_auto,
    target_promql, target_rate_interval, target_job, target_instance, target_counter_agg, uneditable_dashboard,
)  # fmt: skip
