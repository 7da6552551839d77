"""What a new policy changes, line by line: what whoever confirms it reads, and what the journal keeps."""

import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

LINES_MAX: Final = 200  # of one change; whoever changes more reads the file
VALUE_CHARS_MAX: Final = 200  # a template's wording is longer, and shown by its beginning


def differences(before: str | None, after: str) -> list[str]:
    """Sentences about two texts of a policy, both of which can be read; `before` is None where there was none."""
    old, new = dict(_flat(before)) if before is not None else {}, dict(_flat(after))
    found = list(_compared(old, new))
    if len(found) > LINES_MAX:
        return [*found[:LINES_MAX], f"… and {len(found) - LINES_MAX} more."]
    if not found:
        return ["Only its wording or comments differ; it says the same."]
    return found


def _compared(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for key in [*new, *(key for key in old if key not in new)]:
        match old.get(key), new.get(key):
            case (None, value):
                yield f"{key} is set to {value}."
            case (value, None):
                yield f"{key} is no longer set; it was {value}."
            case (was, value) if was != value:
                yield f"{key} was {was} and becomes {value}."


def _flat(text: str) -> Iterator[tuple[str, str]]:
    return _lines("", tomllib.loads(text, parse_float=Decimal))


def _lines(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Each value under the name that one would look for: approve.1.over for the first [[approve]] table's."""
    if isinstance(value, dict):
        named: Any = value.items()
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        named = enumerate(value, start=1)
    else:
        yield place, _shown(value)
        return
    for name, inner in named:
        yield from _lines(f"{place}.{name}" if place else str(name), inner)


def _shown(value: Any) -> str:
    match value:
        case bool():
            text = str(value).lower()
        case str():
            text = f"“{value}”"
        case list():
            text = ", ".join(_shown(each) for each in value) or "nothing"
        case _:
            text = str(value)
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"
