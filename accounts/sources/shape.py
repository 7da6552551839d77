"""From a row in our field names to a value of ours, or a sentence that names row and field."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from accounts.errors import Malformed
from accounts.sources.values import shown

Row = TypeVar("Row")
Element = TypeVar("Element")
Parser = Callable[[object], object]


def batches(elements: Iterable[Element], size: int) -> Iterator[tuple[Element, ...]]:
    """Tuples of at most this many, the last one shorter, none empty."""
    rest = iter(elements)
    while batch := tuple(islice(rest, size)):
        yield batch


@dataclass(frozen=True, slots=True)
class Shape(Generic[Row]):
    """What a row is made of: a parser for every field, and what makes the value of the fields."""

    noun: str  # "record", "entitlement"
    parsers: Mapping[str, Parser]
    make: Callable[[Mapping[str, object]], Row]  # raises ValueError for what is missing
    key_of: Callable[[Row], str]

    def read(self, row: Mapping[str, object], source: str, place: str) -> Row:
        """The value that this row is. `place` says where it stands, for rows that do not say who they are."""
        parsed: dict[str, object] = {}
        for field, value in row.items():
            try:
                parsed[field] = self.parsers[field](value)
            except ValueError as reason:
                who = place if field == "key" else self._who(row, place)
                raise Malformed(
                    f"{source}: {who}: {field} is {shown(value)}, {reason}. Correct it there, or the field's name in "
                    "the configuration; until then nothing of this source counts."
                ) from None
        try:
            return self.make(parsed)
        except ValueError as reason:
            raise Malformed(
                f"{source}: {self._who(row, place)} {reason}. Correct it there, or the field's name in the "
                "configuration; until then nothing of this source counts."
            ) from None

    def page(self, rows: Iterable[Mapping[str, object]], source: str, place: str) -> dict[str, Row]:
        """The rows of one page by key; one key with two meanings is refused, since neither can be believed."""
        found: dict[str, Row] = {}
        for number, row in enumerate(rows, 1):
            value = self.read(row, source, f"row {number} of {place}")
            key = self.key_of(value)
            if found.setdefault(key, value) != value:
                raise Malformed(
                    f"{source}: {self.noun} {shown(key)} stands twice on {place} and says different things. "
                    "Make the key unique."
                )
        return found

    def _who(self, row: Mapping[str, object], place: str) -> str:
        key = row.get("key")
        return f"{self.noun} {shown(key)}" if isinstance(key, str | int) and key != "" else place
