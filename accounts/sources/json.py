"""JSON from strangers: read strictly, and found by dotted names.

The standard library's parser, because it alone shows us a name that stands twice in one object; two parsers
would read two different worlds out of that. A page of a hundred rows costs about a millisecond.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

encode = msgspec.json.Encoder(decimal_format="number").encode


def parse(body: bytes) -> Any:
    """The value this text means; raises ValueError with the end of a sentence."""
    try:
        return json.loads(
            body.decode(), parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_unambiguous
        )
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON, or was cut off, at character {error.pos}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except InvalidOperation:
        raise ValueError("it holds a number beyond all bounds") from None


def at(value: object, dotted: str) -> object:
    """What stands at `a.b.0.c`; None where a table or list on the way is missing or has no such place.

    Raises ValueError where a text or a number stands in the way: that is another shape, not an absence.
    """
    if isinstance(value, Mapping) and dotted in value:
        return value[dotted]  # a name may itself have dots
    for part in dotted.split(".") if dotted else ():
        match value:
            case None:
                return None
            case dict():
                value = value.get(part)
            case list():
                place = int(part) if part.isdecimal() and len(part) < 6 else len(value)
                value = value[place] if place < len(value) else None
            case _:
                raise ValueError(f"has no “{part}”, because a plain value stands there")
    return value


def nested(values: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """The object in which `at` finds these values by their dotted names."""
    whole: dict[str, Any] = {}
    for dotted, value in values:
        *tables, name = dotted.split(".")
        table = whole
        for part in tables:
            table = table.setdefault(part, {})
        table[name] = value
    return whole


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number")


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("it names something twice in one object, so it says two things")
    return table
