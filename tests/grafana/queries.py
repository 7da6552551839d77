"""PromQL, taken apart: which series an expression selects, and through which functions they go."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import promql_parser

INTERVALS = re.compile(r"\$__(rate_interval|interval|range)")


@dataclass(frozen=True, slots=True)
class Selection:
    """One selector of an expression, with what is around it, the outermost first."""

    metric: str
    matchers: dict[str, str]
    around: Sequence[str]  # names of functions and aggregations, and `range` for a window


def selections(expr: str) -> list[Selection]:
    """Raises ValueError for what is no PromQL."""
    return list(_walk(promql_parser.parse(INTERVALS.sub("5m", expr)), ()))


def _walk(node: Any, around: tuple[str, ...]) -> Iterator[Selection]:
    match type(node).__name__:
        case "VectorSelector":
            matchers = {each.name: each.value for each in node.matchers.matchers}
            yield Selection(node.name or matchers.get("__name__", ""), matchers, around)
        case "MatrixSelector":
            yield from _walk(node.vector_selector, (*around, "range"))
        case "Call":
            for each in node.args:
                yield from _walk(each, (*around, node.func.name))
        case "AggregateExpr":
            yield from _walk(node.expr, (*around, str(node.op)))
        case _:
            for name in ("expr", "lhs", "rhs"):
                inner = getattr(node, name, None)
                if inner is not None:
                    yield from _walk(inner, around)
