"""Panels in Grafana's own words (schema v1): few kinds, each with a unit, a meaning and the thresholds of its alert."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from grafana.generate.colors import BLUE, GRAY, GREEN, colored

Tree = dict[str, Any]

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS: Final = 24
HALF: Final = COLUMNS // 2
BAR: Final = "5m"  # a bar says how often; thinner ones overlap, and one event stands in several

SELECTED: Final = 'job=~"$job", instance=~"$instance"'
OF_ACCOUNT: Final = f'{SELECTED}, account=~"$account"'


@dataclass(frozen=True, slots=True)
class Target:
    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a board; where it stands is the board's affair."""

    title: str
    means: str  # what is shown, what a bad value means, and which alert it is
    kind: str
    targets: Sequence[Target]
    unit: str
    width: int
    height: int
    steps: Sequence[tuple[float | None, str]] = ((None, BLUE),)  # no alert, no verdict
    options: Tree | None = None
    custom: Tree | None = None
    transformations: Sequence[Tree] = ()
    overrides: Sequence[Tree] = ()
    links: Sequence[Tree] = ()
    no_value: str = "?"  # what stands there when there is none: all is well, or the daemon is dead
    least: float | None = None  # where an axis or a bar begins and ends; None: at what there is
    most: float | None = None
    each: str | None = None  # the shortest time that a point may stand for


def state(metric: str, by: str = "", where: str = "", selected: str = SELECTED) -> str:
    """A state metric: the same in every replica, so the highest of them and never their sum."""
    inside = f"{selected}, {where}" if where else selected
    return f"max by ({by}) (reconciled_{metric}{{{inside}}})"


def rate(metric: str, by: str, where: str = "") -> str:
    """A flow metric: what happens a second, over all replicas."""
    inside = f"{SELECTED}, {where}" if where else SELECTED
    return f"sum by ({by}) (rate(reconciled_{metric}{{{inside}}}[$__rate_interval]))"


def grown(metric: str, by: str, where: str = "") -> str:
    """How often it happened in each interval that is drawn."""
    inside = f"{SELECTED}, {where}" if where else SELECTED
    return f"sum by ({by}) (increase(reconciled_{metric}{{{inside}}}[$__rate_interval]))"


def over_range(metric: str, by: str, where: str = "") -> str:
    inside = f"{SELECTED}, {where}" if where else SELECTED
    return f"sum by ({by}) (increase(reconciled_{metric}{{{inside}}}[$__range]))"


def quantile(q: float, metric: str) -> str:
    inside = f"rate(reconciled_{metric}_bucket{{{SELECTED}}}[$__rate_interval])"
    return f"histogram_quantile({q}, sum by (le) ({inside}))"


def steps(*edges: tuple[float, str], first: str = GREEN) -> Sequence[tuple[float | None, str]]:
    return ((None, first), *edges)


def stat(
    title: str, means: str, expr: str, unit: str, *, width: int = 3, height: int = 4, **more: Any
) -> Panel:
    options = {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "value",
        "justifyMode": "auto",
        "orientation": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    now = Target(expr, instant=True)  # what is over, or gone with the daemon, is not shown as if it were so
    return Panel(title, means, "stat", [now], unit, width, height, options=options, **more)


def graph(
    title: str,
    means: str,
    targets: Sequence[Target],
    unit: str,
    *,
    width: int = 12,
    height: int = 8,
    stacked: bool = False,
    bars: bool = False,
    words: Sequence[str] = (),
    **more: Any,
) -> Panel:
    shown: Tree = {
        "axisSoftMin": 0,  # an axis that begins at what there is makes a ripple a flood
        "drawStyle": "bars" if bars else "line",
        # On a pile, the line of what there is none of would be the outline of the whole.
        "lineWidth": 0 if stacked else 1,
        "fillOpacity": 60 if stacked else 10,
        "spanNulls": False,  # an outage is a gap and not a line across it
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if "steps" in more else "off"},
    }
    if unit == "short":
        shown["axisSoftMax"] = 1  # otherwise nothing at all is drawn as none of a hundred
    options = {
        "legend": {
            "displayMode": "table",
            "placement": "right" if width >= HALF else "bottom",
            "showLegend": True,
            "calcs": ["lastNotNull", "max"],
            "sortBy": "Max",  # what happened stands above what did not
            "sortDesc": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    more |= {"overrides": colored(words), "each": BAR if bars else None}
    return Panel(
        title, means, "timeseries", targets, unit, width, height, options=options, custom=shown, **more
    )


def bars(
    title: str,
    means: str,
    targets: Sequence[Target],
    unit: str,
    *,
    width: int = 8,
    height: int = 8,
    **more: Any,
) -> Panel:
    options = {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "color",
        "showUnfilled": True,
        "minVizWidth": 0,
        "minVizHeight": 10,
        "maxVizHeight": 300,
        "sizing": "auto",
        "namePlacement": "left",
        "text": {"titleSize": 12},  # otherwise a few names grow until they push the bars aside
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
    }
    now = [replace(each, instant=True) for each in targets]
    return Panel(title, means, "bargauge", now, unit, width, height, options=options, least=0, **more)


def table(
    title: str, means: str, targets: Sequence[Target], *, width: int = COLUMNS, height: int = 10, **more: Any
) -> Panel:
    options = {"showHeader": True, "frameIndex": 0, "cellHeight": "sm", "sortBy": more.pop("sort_by", [])}
    more |= {"no_value": "–"}
    return Panel(title, means, "table", targets, "short", width, height, options=options, **more)


def written(panel: Panel, id: int, x: int, y: int) -> Tree:
    """As Grafana reads it."""
    defaults: Tree = {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": at, "color": color} for at, color in panel.steps],
        },
        "mappings": [] if panel.kind == "timeseries" else [_nothing(panel.no_value)],
    }
    if panel.custom is not None:
        defaults["custom"] = panel.custom
    if panel.least is not None:
        defaults["min"] = panel.least
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.links:
        defaults["links"] = list(panel.links)
    found: Tree = {
        "id": id,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.means,
        "datasource": SOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
        "targets": [_target(each, number, panel) for number, each in enumerate(panel.targets)],
        "fieldConfig": {"defaults": defaults, "overrides": list(panel.overrides)},
        "options": panel.options or {},
        "transformations": list(panel.transformations),
    }
    if panel.each is not None:
        found["interval"] = panel.each
    return found


def _nothing(text: str) -> Tree:
    """Neither green nor red: Grafana would take the colour of the first step, and call a dead daemon well."""
    return {
        "type": "special",
        "options": {"match": "null", "result": {"text": text, "color": GRAY, "index": 0}},
    }


def _target(target: Target, number: int, panel: Panel) -> Tree:
    found: Tree = {
        "refId": chr(ord("A") + number),
        "datasource": SOURCE,
        "expr": target.expr,
        "legendFormat": target.legend or "__auto",
        "editorMode": "code",
        "range": not target.instant,
        "instant": target.instant,
    }
    if panel.kind == "table":
        found["format"] = "table"
    return found
