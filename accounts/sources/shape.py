"""From a row in our field names to a value of ours, or a sentence that names row and field.

One cell that nobody understands takes nothing from the other rows: what it would have said is left out, and the rules
that need it are silent about this row alone. That holds where silence claims nothing: not for whose a row is, nor for
what gives access. And where nobody's value is understood, the configuration is wrong, and nothing is believed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import structlog

from accounts.errors import Malformed
from accounts.sources.values import shown

Row = TypeVar("Row")
Element = TypeVar("Element")
Parser = Callable[[object], object]

log = structlog.get_logger(__name__)


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
    spared: Mapping[str, tuple[str, ...]]  # by field: what is left out if it is not understood

    def read(self, row: Mapping[str, object], source: str, place: str) -> Row:
        """The value that this row is. `place` says where it stands, for rows that do not say who they are."""
        return self._made({name: self._parsed(row, name, source, place) for name in row}, row, source, place)

    def page(self, rows: Iterable[Mapping[str, object]], source: str, place: str) -> dict[str, Row]:
        """The rows of one page by key; one key with two meanings is refused, since neither can be believed."""
        found: dict[str, Row] = {}
        strange: dict[str, list[Malformed]] = {}
        understood: set[str] = set()
        number = 0
        for number, row in enumerate(rows, 1):
            here = f"row {number} of {place}"
            parsed: dict[str, object] = {}
            left_out: set[str] = set()
            for name in row:
                try:
                    parsed[name] = self._parsed(row, name, source, here)
                except Malformed as problem:
                    if name not in self.spared:
                        raise
                    strange.setdefault(name, []).append(problem)
                    left_out.update(self.spared[name])
                else:
                    if parsed[name] is not None:
                        understood.add(name)
            value = self._made(parsed | dict.fromkeys(left_out), row, source, here)
            key = self.key_of(value)
            if found.setdefault(key, value) != value:
                raise Malformed(
                    f"{source}: {self.noun} {shown(key)} stands twice on {place} and says different things. "
                    "Make the key unique."
                )
        for name, problems in strange.items():
            if name not in understood and (len(problems) > 1 or number == 1):
                raise problems[0]
            log.warning("value_not_understood", rows=len(problems), because=str(problems[0]))
        return found

    def _parsed(self, row: Mapping[str, object], name: str, source: str, place: str) -> object:
        try:
            return self.parsers[name](row[name])
        except ValueError as reason:
            who = place if name == "key" else self._who(row, place)
            raise Malformed(
                f"{source}: {who}: {name} is {shown(row[name])}, {reason}. Correct it there, or the field's name in "
                f"the configuration; until then {self._lost(name)}."
            ) from None

    def _made(self, parsed: Mapping[str, object], row: Mapping[str, object], source: str, place: str) -> Row:
        try:
            return self.make(parsed)
        except ValueError as reason:
            raise Malformed(
                f"{source}: {self._who(row, place)} {reason}. Correct it there, or the field's name in the "
                "configuration; until then nothing of this source counts."
            ) from None

    def _lost(self, name: str) -> str:
        return "it counts as not given" if name in self.spared else "nothing of this source counts"

    def _who(self, row: Mapping[str, object], place: str) -> str:
        key = row.get("key")
        return f"{self.noun} {shown(key)}" if isinstance(key, str | int) and key != "" else place
