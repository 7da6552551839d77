"""What people and programs may write: short enough to be read, and never a card number."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from daemon.core.canonical import DEPTH_MAX, Json, NotCanonical

TEXT_CHARS_MAX: Final = 10_000  # three pages; what is longer is not read before it is approved

# As people write card numbers: 13 to 19 digits, alone or in groups. A digit of an id is beside letters, and no card
# begins as the milliseconds of a time do.
_DIGITS: Final = re.compile(
    r"(?<![0-9A-Za-z_])(?=2[2-7]|[3-6])[0-9](?:[ \u00a0.-]?[0-9]){12,18}(?![0-9A-Za-z_])"
)


def objection_to(text: str, chars_max: int | None = TEXT_CHARS_MAX) -> str | None:
    """Why a text is not taken, as the end of a sentence that names it."""
    if chars_max is not None and len(text) > chars_max:
        return f"has {len(text):,} characters; {chars_max:,} are the most"
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        return "holds half of a surrogate pair, which is not text"
    if has_card_number(text):
        return "holds what looks like a card number; take it out, card data is never kept here"
    return None


def has_card_number(text: str) -> bool:
    return any(_luhn(found.group()) for found in _DIGITS.finditer(text))


def texts_in(value: Json, depth: int = 0) -> Iterator[str]:
    """Every text in a nested value, the names of its fields too. Raises NotCanonical where it is nested too deeply."""
    if depth > DEPTH_MAX:
        raise NotCanonical(f"it is nested deeper than {DEPTH_MAX}")
    match value:
        case str():
            yield value
        case list() | tuple():
            for each in value:
                yield from texts_in(each, depth + 1)
        case Mapping():
            for name, each in value.items():
                yield name
                yield from texts_in(each, depth + 1)
        case _:
            return


def _luhn(text: str) -> bool:
    digits = [int(letter) for letter in text if letter.isdigit()]
    doubled = [sum(divmod(2 * each, 10)) for each in digits[-2::-2]]
    return any(digits) and (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
