"""From the alerts to Prometheus's files: the rules, and for promtool the stories in which they must fire or not."""

import re
from collections.abc import Iterator
from typing import Any, Final

from grafana.generate.alert import Alert, Series, Story
from grafana.generate.alerts import ALERTS
from grafana.generate.places import GRAFANA_URL, RUNBOOKS
from grafana.generate.recording import RECORDED

EVALUATED: Final = "30s"
DEAD_FOR: Final = 20  # minutes after the daemon's death at which a story looks again
LABELS: Final = 'job="reconciled",instance="a"'

Tree = dict[str, Any]


def rules() -> Tree:
    recorded = [{"record": name, "expr": expr} for name, expr in RECORDED]
    alerts = [_alert(each) for each in ALERTS]
    return {
        "groups": [
            {"name": "reconciled.recorded", "interval": EVALUATED, "rules": recorded},
            {"name": "reconciled.alerts", "interval": EVALUATED, "rules": alerts},
        ]
    }


def stories(rules_file: str) -> Tree:
    tests = [test for each in ALERTS for test in _tests(each)]
    return {"rule_files": [rules_file], "evaluation_interval": "5m", "tests": tests}


def labels_of(alert: Alert) -> dict[str, str]:
    return {"severity": alert.severity, "component": alert.component, **dict(alert.labels)}


def annotations_of(alert: Alert) -> dict[str, str]:
    return {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
        "dashboard_url": f"{GRAFANA_URL}/d/{alert.board}",
    }


def _alert(alert: Alert) -> Tree:
    written: Tree = {"alert": alert.name, "expr": alert.expr, "for": alert.hold}
    if alert.keep is not None:
        written["keep_firing_for"] = alert.keep
    return written | {"labels": labels_of(alert), "annotations": annotations_of(alert)}


def _tests(alert: Alert) -> Iterator[Tree]:
    story = alert.story
    yield _test(alert, "fires", _inputs(story, bad=True), [(story.fires_at, True)])
    if alert.name != "Watchdog":
        yield _test(alert, "does not fire just below", _inputs(story, bad=False), [(story.fires_at, False)])
    dead = _minutes(story.fires_at) + 5
    after = f"{dead + DEAD_FOR}m"
    yield _test(
        alert,
        f"when the daemon dies, it {story.dies}",
        _inputs(story, bad=True, dies_at=dead),
        [(after, story.dies != "resolves")],
    )
    if alert.name != "Watchdog":
        over = _inputs(story, bad=True, over_from=dead)
        yield _test(alert, "clears", over, [(f"{dead + story.clears_in}m", False)])


def _test(alert: Alert, what: str, inputs: list[Tree], looks: list[tuple[str, bool]]) -> Tree:
    told = {"job": "reconciled", **dict(alert.story.labels)} if _has_job(alert) else dict(alert.story.labels)
    fired = {
        "exp_labels": {**told, **labels_of(alert)},
        "exp_annotations": {name: _said(text, told) for name, text in annotations_of(alert).items()},
    }
    return {
        "name": f"{alert.name}: {what}",
        "interval": "1m",
        "input_series": inputs,
        "alert_rule_test": [
            {"eval_time": at, "alertname": alert.name, "exp_alerts": [fired] if fires else []}
            for at, fires in looks
        ],
    }


def _inputs(
    story: Story, *, bad: bool, dies_at: int | None = None, over_from: int | None = None
) -> list[Tree]:
    return [
        {"series": _named(each), "values": " ".join(_values(each, story, bad, dies_at, over_from))}
        for each in story.series
    ]


def _values(each: Series, story: Story, bad: bool, dies_at: int | None, over_from: int | None) -> list[str]:
    values = expanded(each.bad if bad else each.good)
    change = dies_at or over_from
    if change is None:
        return values
    values = (values + [values[-1]] * change)[:change]
    if dies_at is not None:
        return [*values, "stale", *["0" if each.name == "up" else "_"] * (DEAD_FOR + 10)]
    after = [values[-1]] if each.after == "hold" else expanded(each.after)
    return values + (after + [after[-1]] * story.clears_in)[: story.clears_in + 10]


def expanded(text: str) -> list[str]:
    """`0+5x3 7` as promtool reads it, one value a minute; a repetition `1x3` stands for four of it there."""
    values: list[str] = []
    for word in text.split():
        found = re.fullmatch(r"(-?[\d.]+|_)(?:([+-])([\d.]+))?x(\d+)", word)
        if found is None:
            values.append(word)
            continue
        start, sign, step, times = found.groups()
        if start == "_":
            values += ["_"] * int(times)
            continue
        by = float(step or 0) * (-1 if sign == "-" else 1)
        values += [
            f"{float(start) + by * n:g}" if abs(float(start)) < 1e5 else f"{float(start) + by * n:.0f}"
            for n in range(int(times) + 1)
        ]
    return values


def _named(each: Series) -> str:
    name, _, labels = each.name.partition("{")
    return f"{name}{{{LABELS}{',' + labels if labels else '}'}"


def _has_job(alert: Alert) -> bool:
    return alert.name != "Watchdog"


def _said(text: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)


def _minutes(text: str) -> int:
    return int(text.removesuffix("m"))
