"""One spelling for every value, and hashes chained over it.

The journal's hashes, state hashes and stored documents must come out the same on every machine and in every
later version, so a value has exactly one text: JSON as RFC 8785 spells it (no spaces, keys in the order of
their UTF-16 units, only what must be escaped is escaped, UTF-8). Floats are refused, since money and rates
have no place for them, and whole numbers stay within what every JSON reader holds exactly. Text is
hashed as it came: nothing is normalised, so two spellings of “é” are two texts.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "bool | int | str | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"

WHOLE_MAX = 2**53 - 1  # beyond it JavaScript and many other readers round
DEPTH_MAX = 64  # deeper is a mistake or an attack, and would end in a RecursionError somewhere else
GENESIS = bytes(32)  # what the first link of a chain hangs on


class NotCanonical(ValueError):
    """A value that has no canonical text. The message says where in it, and why."""


def canonical(value: Json) -> bytes:
    """The one text of a value, as UTF-8."""
    ordered = _ordered(value, "$", 0)
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotCanonical("half of a surrogate pair is not text") from None


def digest(value: Json) -> bytes:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(value)).digest()


def chain(previous: bytes, link: bytes) -> bytes:
    """The hash of a link: over the hash of the link before it and the canonical text of this one."""
    return hashlib.sha256(previous + link).digest()


def _ordered(value: Json, place: str, depth: int) -> Json:
    if depth > DEPTH_MAX:
        raise NotCanonical(f"{place[:80]}… is nested deeper than {DEPTH_MAX}")
    match value:
        case None | bool() | str():
            return value
        case int():
            if abs(value) > WHOLE_MAX:
                raise NotCanonical(f"{place} is beyond 2^53, where many readers round")
            return value
        case list() | tuple():
            return [_ordered(each, f"{place}[{n}]", depth + 1) for n, each in enumerate(value)]
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise NotCanonical(f"{place} has a key that is not text")
            return {
                key: _ordered(value[key], f"{place}.{key}", depth + 1) for key in sorted(value, key=_utf16)
            }
    raise NotCanonical(
        f"{place} is a {type(value).__name__}; text, whole numbers, true, false, null, lists and objects only"
    )


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")
