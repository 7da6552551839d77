"""A board: rows of panels, the four variables that all boards share, and links to the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana.generate.panels import COLUMNS, SOURCE, Panel, Tree, written
from grafana.generate.places import ACCOUNTS, CASES, INTERNALS, OVERVIEW, PUBLIC_URL

SCHEMA: Final = 41
TITLES: Final = {
    OVERVIEW: "reconciled: Overview",
    ACCOUNTS: "reconciled: Accounts",
    CASES: "reconciled: Cases",
    INTERNALS: "reconciled: Internals",
}


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: Sequence[Panel]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    uid: str
    description: str
    rows: Sequence[Row]


def dashboard(board: Board) -> Tree:
    return {
        "uid": board.uid,
        "title": TITLES[board.uid],
        "description": board.description,
        "tags": ["reconciled"],
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": SCHEMA,
        "timezone": "utc",
        "time": {"from": "now-6h", "to": "now"},
        "links": [_link(uid) for uid in TITLES if uid != board.uid] + [_queue()],
        "templating": {"list": _variables()},
        "annotations": {"list": [_restarts()]},
        "panels": _placed(board.rows),
    }


def _placed(rows: Sequence[Row]) -> list[Tree]:
    """Left to right, top to bottom; a panel that does not fit begins a new line."""
    placed: list[Tree] = []
    id, y = 0, 0
    for row in rows:
        id += 1
        inside: list[Tree] = []
        head: Tree = {
            "id": id,
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
            "panels": inside if row.collapsed else [],
        }
        placed.append(head)
        y += 1
        x, height = 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            id += 1
            (inside if row.collapsed else placed).append(written(panel, id, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return placed


def _variables() -> list[Tree]:
    return [
        {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "hide": 0,
        },
        _values_of("job", "Job", "reconciled_build_info", "job"),
        _values_of("instance", "Instance", 'reconciled_build_info{job=~"$job"}', "instance"),
        _values_of("account", "Account", 'reconciled_account_info{job=~"$job"}', "account"),
    ]


def _values_of(name: str, label: str, metric: str, of: str) -> Tree:
    query = f"label_values({metric}, {of})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "hide": 0,
    }


def _restarts() -> Tree:
    return {
        "name": "New versions",
        "datasource": SOURCE,
        "enable": True,
        "expr": 'count by (version) (reconciled_build_info{job=~"$job", instance=~"$instance"}) unless '
        'count by (version) (reconciled_build_info{job=~"$job", instance=~"$instance"} offset 5m)',
        "iconColor": "blue",
        "titleFormat": "{{version}}",
        "step": "60s",
    }


def _link(uid: str) -> Tree:
    return _leads(TITLES[uid].removeprefix("reconciled: "), f"/d/{uid}", keep=True)


def _queue() -> Tree:
    return _leads("The queue", PUBLIC_URL, keep=False)


def _leads(title: str, url: str, *, keep: bool) -> Tree:
    link: dict[str, Any] = {
        "title": title,
        "type": "link",
        "url": url,
        "icon": "external link",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "targetBlank": not keep,
        "includeVars": keep,
        "keepTime": keep,
    }
    return link
