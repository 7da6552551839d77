"""All objects of one class in one account: by id, newest first, and by everything that Stripe can filter by.

Objects are kept as encoded bytes: a page is then a join of what is already there, two hundred thousand
subscriptions stay at a few kilobytes each, and nobody can change an object without putting it back.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from accounts.sandbox.stripe.facets import RANGED, Facet, facets_of

Json = dict[str, Any]

NESTED_SHOWN_MAX = 10  # of a list inside an object Stripe shows this many, and `has_more`
INSERTIONS_MAX = 1 << 40  # more than one process can make; keeps (created, insertion) in one integer

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True, eq=False)
class Row:
    id: str
    created: int
    order: int  # by creation, then by insertion
    whole: bytes
    shown: bytes  # what an answer holds; mostly the same bytes
    facets: tuple[Facet, ...]

    def get(self) -> Json:
        copy: Json = _decode(self.whole)
        return copy

    def has(self, facet: Facet) -> bool:
        return facet in self.facets

    def value(self, name: str) -> Any:
        return next((value for each, value in self.facets if each == name), None)


@dataclass(slots=True)
class Line:
    """Rows, oldest first; put in order when somebody looks."""

    rows: list[Row] = field(default_factory=list)
    in_order: bool = True

    def add(self, row: Row) -> None:
        if self.rows and row.order < self.rows[-1].order:
            self.in_order = False
        self.rows.append(row)

    def remove(self, row: Row) -> None:
        rows = self.ordered()
        del rows[bisect_left(rows, row.order, key=_order)]

    def ordered(self) -> list[Row]:
        if not self.in_order:
            self.rows.sort(key=_order)
            self.in_order = True
        return self.rows


_order = attrgetter("order")
_NOTHING = Line()


class Shelf:
    def __init__(self, cls: str) -> None:
        self.cls = cls
        self.tombstones: set[str] = set()
        self.version = 0  # changes with every write
        self._rows: dict[str, Row] = {}
        self._all = Line()
        self._by_facet: dict[Facet, Line] = {}
        self._insertions = 0

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, obj: Json) -> None:
        id_, created = obj["id"], created_of(obj)
        known = self._rows.get(id_)
        if known is not None and known.created != created:
            self._take_away(known)
            known = None
        whole = _encode(obj)
        short = shortened(obj)
        shown = whole if short is obj else _encode(short)
        facets = tuple(facets_of(self.cls, obj))
        if known is None:
            self._insertions += 1
            row = Row(id_, created, created * INSERTIONS_MAX + self._insertions, whole, shown, facets)
            self._rows[id_] = row
            self._all.add(row)
            self._index(row, facets)
        else:
            known.whole, known.shown = whole, shown
            if known.facets != facets:
                self._unindex(known, set(known.facets) - set(facets))
                self._index(known, set(facets) - set(known.facets))
                known.facets = facets
        self.tombstones.discard(id_)
        self.version += 1

    def get(self, id_: str) -> Json | None:
        row = self._rows.get(id_)
        return row.get() if row else None

    def row(self, id_: str) -> Row | None:
        return self._rows.get(id_)

    def delete(self, id_: str) -> None:
        self._take_away(self._rows[id_])
        self.tombstones.add(id_)
        self.version += 1

    def newest_first(self, **where: Any) -> Iterator[Json]:
        wanted = list(where.items())
        for row in reversed(tuple(self.rows(wanted))):
            if all(facet in row.facets for facet in wanted):
                yield row.get()

    def rows(self, wanted: Iterable[Facet]) -> list[Row]:
        """The shortest ordered list that holds every row with these facets; the caller still checks the others."""
        lines = [self._by_facet.get(facet, _NOTHING) for facet in wanted if facet[0] not in RANGED]
        shortest = min(lines, key=lambda line: len(line.rows), default=self._all)
        return shortest.ordered()

    def _take_away(self, row: Row) -> None:
        del self._rows[row.id]
        self._all.remove(row)
        self._unindex(row, row.facets)

    def _index(self, row: Row, facets: Iterable[Facet]) -> None:
        for facet in facets:
            if facet[0] not in RANGED:
                line = self._by_facet.get(facet)
                if line is None:
                    line = self._by_facet[facet] = Line()
                line.add(row)

    def _unindex(self, row: Row, facets: Iterable[Facet]) -> None:
        for facet in facets:
            if facet[0] not in RANGED:
                line = self._by_facet[facet]
                line.remove(row)
                if not line.rows:
                    del self._by_facet[facet]


def created_of(obj: Json) -> int:
    """Unix seconds; 0 for the classes that have no time, which then stand in the order of insertion."""
    created = obj.get("created", 0)
    if isinstance(created, str):
        return int(datetime.fromisoformat(created).timestamp())
    return int(created)


def shortened(obj: Json) -> Json:
    """The object as answers show it; the same one when there is nothing to leave out."""
    short: Json | None = None
    for name, value in obj.items():
        if name.startswith("_"):
            short = short or dict(obj)
            del short[name]
        elif (
            isinstance(value, dict)
            and value.get("object") == "list"
            and len(value.get("data", ())) > NESTED_SHOWN_MAX
        ):
            short = short or dict(obj)
            short[name] = value | {"data": value["data"][:NESTED_SHOWN_MAX], "has_more": True}
    return obj if short is None else short
