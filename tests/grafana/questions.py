"""Everything that the dashboards and the rules ask Prometheus, as questions that must have an answer."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import promql_parser

COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
SETS = {"and", "or", "unless"}
DURATION = re.compile(r"(?<!\w)(\d+)(d|h|m|s)\b")

Ask = Callable[[str], Sequence[tuple[Any, float]]]


def of_dashboard(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where each question stands, and the question, with the variables as they are when a board is opened."""
    for panel in panels(board):
        for target in panel.get("targets", ()):
            yield f"{board['uid']}, “{panel['title']}” {target['refId']}", opened(target["expr"])
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert asked, variable
            yield f"{board['uid']}, ${variable['name']}", opened(f"count by ({asked[2]}) ({asked[1]})")
    for each in board["annotations"]["list"]:
        yield f"{board['uid']}, annotation “{each['name']}”", opened(each["expr"])


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def opened(expr: str) -> str:
    expr = re.sub(r"\$(job|instance|account)\b", ".+", expr)
    return expr.replace("$__rate_interval", "15s").replace("$__range", "5m")


def of_rules(groups: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Of a recording rule all that it records; of an alert what it compares, for it is empty where all is well."""
    for group in groups:
        for rule in group["rules"]:
            if "record" in rule:
                yield rule["record"], rule["expr"]
                continue
            for number, each in enumerate(compared(promql_parser.parse(rule["expr"])), 1):
                yield f"{rule['alert']} {number}", each


def compared(node: Any) -> Iterator[str]:
    """The parts of an expression that hold no condition, as they were some time ago if that is what they ask."""
    kind = type(node).__name__
    if kind == "NumberLiteral":
        return
    if not _conditional(node):
        yield re.sub(r" offset \w+", "", str(node))
        return
    for each in _inside(node):
        yield from compared(each)


def _conditional(node: Any) -> bool:
    kind = type(node).__name__
    if kind == "BinaryExpr" and str(node.op) in COMPARISONS | SETS:
        return True
    if kind == "Call" and node.func.name == "absent":
        return True
    return any(_conditional(each) for each in _inside(node))


def _inside(node: Any) -> Iterator[Any]:
    match type(node).__name__:
        case "BinaryExpr":
            yield from (node.lhs, node.rhs)
        case "Call":
            yield from node.args
        case "ParenExpr" | "AggregateExpr" | "UnaryExpr" | "SubqueryExpr":
            yield node.expr


def unanswered(questions: Iterable[tuple[str, str]], ask: Ask) -> set[str]:
    """Where nothing is shown: no series, or no number."""
    return {where for where, expr in questions if not any(math.isfinite(value) for _, value in ask(expr))}


def quicker(tree: Any, times: int = 60) -> Any:
    """Rules or an Alertmanager's configuration with every duration so many times shorter; a second at least."""
    match tree:
        case dict():
            return {key: quicker(value, times) if key not in TEXTS else value for key, value in tree.items()}
        case list():
            return [quicker(each, times) for each in tree]
        case str():
            return DURATION.sub(lambda found: _shorter(int(found[1]), found[2], times), tree)
    return tree


TEXTS = frozenset(
    {
        "annotations",
        "labels",
        "record",
        "alert",
        "name",
        "url",
        "matchers",
        "source_matchers",
        "target_matchers",
    }
)


def _shorter(count: int, unit: str, times: int) -> str:
    seconds = count * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    return f"{max(seconds // times, 1)}s"
