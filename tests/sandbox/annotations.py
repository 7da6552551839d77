"""The shapes of Stripe's objects as the installed SDK annotates them, and what in a JSON object departs from them.

The SDK's classes are read from source: their annotations name classes that are imported for type checkers only.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import stripe

SDK = Path(stripe.__file__).parent
_SCALARS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
    "Decimal": (str,),  # decimals travel as text
    "datetime": (str,),
}


@dataclass
class Shape:
    name: str
    fields: dict[str, ast.expr] = field(default_factory=dict)
    inner: dict[str, "Shape"] = field(default_factory=dict)
    outer: "Shape | None" = None
    object_name: str | None = None

    def find(self, name: str) -> "Shape | None":
        found = self.inner.get(name)
        return found if found or self.outer is None else self.outer.find(name)


def _shape(node: ast.ClassDef, outer: Shape | None = None) -> Shape:
    shape = Shape(node.name, outer=outer)
    for statement in node.body:
        if isinstance(statement, ast.ClassDef):
            shape.inner[statement.name] = _shape(statement, shape)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if not ast.unparse(statement.annotation).startswith("ClassVar"):
                shape.fields[statement.target.id] = statement.annotation
            elif statement.target.id == "OBJECT_NAME" and isinstance(statement.value, ast.Constant):
                shape.object_name = str(statement.value.value)
    return shape


@cache
def _by_class() -> dict[str, Shape]:
    """Every top-level class of the SDK's object modules; the parameters and services are of no use here."""
    found: dict[str, Shape] = {}
    for path in sorted(SDK.rglob("_*.py")):
        if "params" in path.parts or path.name.endswith("_service.py"):
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                shape = _shape(node)
                found.setdefault(node.name, shape)
                if shape.object_name:
                    found["." + shape.object_name] = shape
    return found


def shape_of(object_name: str) -> Shape:
    return _by_class()["." + object_name]


def departures(value: dict[str, Any], object_name: str | None = None) -> list[str]:
    """What is missing, unknown or of another type in this object, each as a line with its path."""
    name = object_name or str(value["object"])
    return list(_in_object(value, shape_of(name), name))


def _optional(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Optional"


def _in_object(value: dict[str, Any], shape: Shape, path: str) -> Iterator[str]:
    if value.get("deleted") is True:
        return
    for name, annotation in shape.fields.items():
        if name not in value:
            if not _optional(annotation):
                yield f"{path}.{name} is missing"
            continue
        yield from _in_value(value[name], annotation, shape, f"{path}.{name}")
    for name in value:
        if name not in shape.fields and name != "object":
            yield f"{path}.{name} is unknown"


def _in_value(value: Any, annotation: ast.expr, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    match annotation:
        case ast.Subscript(value=head, slice=inner):
            yield from _in_generic(value, ast.unparse(head), inner, shape, path)
        case ast.Name(id="Any"):
            return
        case ast.Name(id=name) if name in _SCALARS:
            right = isinstance(value, _SCALARS[name]) and (name == "bool" or not isinstance(value, bool))
            if not right:
                yield f"{path} is {value!r}, not {name}"
        case ast.Name(id=name) | ast.Attribute(attr=name):
            yield from _in_class(value, name, shape, path)
        case _:
            yield f"{path} has an annotation that is not understood: {ast.unparse(annotation)}"


def _in_class(value: Any, name: str, shape: Shape, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is {value!r}, not an object"
        return
    if name in {"StripeObject", "UntypedStripeObject"}:
        return
    found = shape.find(name) or _by_class().get(name)
    if found is None:
        yield f"{path} names the class {name}, which is not in the SDK"
        return
    yield from _in_object(value, found, path)


def _in_generic(value: Any, head: str, inner: ast.expr, shape: Shape, path: str) -> Iterator[str]:
    match head:
        case "Optional":
            if value is not None:
                yield from _in_value(value, inner, shape, path)
        case "ExpandableField":
            if not isinstance(value, str):
                yield from _in_value(value, inner, shape, path)
        case "List":
            if not isinstance(value, list):
                yield f"{path} is {value!r}, not a list"
                return
            for index, each in enumerate(value):
                yield from _in_value(each, inner, shape, f"{path}[{index}]")
        case "ListObject":
            if not isinstance(value, dict) or value.get("object") != "list":
                yield f"{path} is not a list object"
                return
            for index, each in enumerate(value["data"]):
                yield from _in_value(each, inner, shape, f"{path}.data[{index}]")
        case "Dict" | "UntypedStripeObject":
            if not isinstance(value, dict):
                yield f"{path} is {value!r}, not an object"
        case "Literal":
            known = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if value not in [ast.literal_eval(each) for each in known]:
                yield f"{path} is {value!r}, which the SDK does not know"
        case "Union":
            choices = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            # An open enumeration is a union of its literals and str: hold us to the literals.
            literals = [each for each in choices if ast.unparse(each).startswith("Literal")]
            tried = [list(_in_value(value, each, shape, path)) for each in literals or choices]
            if all(tried):
                yield min(tried, key=len)[0]
        case _:
            yield f"{path} has an annotation that is not understood: {head}"
