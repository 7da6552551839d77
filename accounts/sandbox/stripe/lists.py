"""Lists as Stripe pages them: newest first, cursors that are object ids, `created` windows, and the known filters."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

import msgspec

from accounts.sandbox.shelf import INSERTIONS_MAX, Json, Row, Shelf
from accounts.sandbox.stripe.facets import Facet
from accounts.sandbox.stripe.params import Params
from accounts.sandbox.stripe.refusals import invalid, missing, parameter_missing
from accounts.sandbox.stripe.resources import Filter, Resource

LIMIT_DEFAULT = 10
LIMIT_MAX = 100
FOREVER = 1 << 62

Wanted = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Page:
    cls: str
    url: str
    rows: tuple[bytes, ...]
    has_more: bool

    def objects(self) -> list[Json]:
        return [msgspec.json.decode(row) for row in self.rows]

    def encoded(self) -> bytes:
        return b"".join(
            (
                b'{"object":"list","url":',
                msgspec.json.encode(self.url),
                b',"has_more":true,"data":[' if self.has_more else b',"has_more":false,"data":[',
                b",".join(self.rows),
                b"]}",
            )
        )


@dataclass(frozen=True, slots=True)
class Window:
    """Whole numbers from `first` up to `last`, both included."""

    first: int = -FOREVER
    last: int = FOREVER

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.first <= value <= self.last

    @property
    def one_second(self) -> bool:
        return self.first == self.last


@dataclass(frozen=True, slots=True)
class Cursors:
    limit: int
    starting_after: str | None
    ending_before: str | None

    @classmethod
    def read(cls, params: Params) -> "Cursors":
        limit = params.integer("limit", least=1, most=LIMIT_MAX)
        after, before = params.text("starting_after"), params.text("ending_before")
        if after and before:
            raise invalid("You may only specify one of these parameters: ending_before, starting_after.")
        return cls(limit or LIMIT_DEFAULT, after, before)


@dataclass(frozen=True, slots=True)
class Question:
    """What a list was asked, apart from where to begin."""

    facets: tuple[Facet, ...] = ()
    created: Window | None = None
    others: tuple[Wanted, ...] = ()


def read_window(params: Params, name: str) -> Window | None:
    """`created=5` or `created[gte]=5&created[lt]=9`; None when absent."""
    if not params.nested(name):
        exact = params.integer(name)
        return None if exact is None else Window(exact, exact)
    bounds = params.inside(name)
    if bounds is None:
        return None
    window = bounded(*(bounds.integer(bound) for bound in ("gt", "gte", "lt", "lte")))
    bounds.finish()
    return window


def bounded(gt: int | None, gte: int | None, lt: int | None, lte: int | None) -> Window:
    firsts = [bound for bound in (gte, None if gt is None else gt + 1) if bound is not None]
    lasts = [bound for bound in (lte, None if lt is None else lt - 1) if bound is not None]
    return Window(max(firsts, default=-FOREVER), min(lasts, default=FOREVER))


def read_question(resource: Resource, params: Params) -> Question:
    """The filters this list knows; whatever else was asked is left in `params` and refused by `finish`."""
    facets: list[Facet] = list(resource.always)
    others: list[Wanted] = []
    for name, each in resource.filters.items():
        facet = each.facet_of(name)
        if each.required and name not in params:
            raise parameter_missing(name)
        if name not in params:
            facets += [each.special[""]] if "" in each.special else []
            continue
        match each.kind:
            case "text":
                value = params.text(name, one_of=each.one_of)
                if value:
                    facets.append(each.special.get(value, (facet, value)))
            case "flag":
                facets.append((facet, params.flag(name)))
            case "texts":
                others.append(_one_of(facet, frozenset(params.texts(name))))
            case "range":
                window = read_window(params, name)
                others.append(_within(facet, window or Window()))
            case "hash":
                facets += _inside(params, name, each)
    created = read_window(params, "created") if resource.timed else None
    return Question(tuple(facets), created, tuple(others))


def _one_of(facet: str, values: frozenset[str]) -> Wanted:
    return lambda row: row.value(facet) in values


def _within(facet: str, window: Window) -> Wanted:
    return lambda row: row.value(facet) in window


def _inside(params: Params, name: str, known: Filter) -> list[Facet]:
    inside = params.inside(name)
    given = [] if inside is None else [(part, inside.text(part)) for part in known.inside]
    if inside is not None:
        inside.finish()
    if known.needs and not dict(given).get(known.needs):
        raise parameter_missing(f"{name}[{known.needs}]")
    return [(f"{name}[{part}]", value) for part, value in given if value]


def page_of(shelf: Shelf, url: str, question: Question, cursors: Cursors) -> Page:
    rows = shelf.rows(question.facets)
    low, high = 0, len(rows)
    if question.created is not None:
        low = bisect_left(rows, question.created.first * INSERTIONS_MAX, key=_order)
        high = bisect_left(rows, (question.created.last + 1) * INSERTIONS_MAX, key=_order)
    if cursors.starting_after:
        cursor = _cursor(shelf, cursors.starting_after, "starting_after")
        if _confuses(cursor, question.created):
            return Page(shelf.cls, url, (), has_more=False)
        high = min(high, bisect_left(rows, cursor.order, key=_order))
    elif cursors.ending_before:
        cursor = _cursor(shelf, cursors.ending_before, "ending_before")
        low = max(low, bisect_right(rows, cursor.order, key=_order))
    order = range(low, high) if cursors.ending_before else range(high - 1, low - 1, -1)
    wanted = _all_of(question)
    found = list(islice((rows[at] for at in order if wanted is None or wanted(rows[at])), cursors.limit + 1))
    shown = [row.shown for row in found[: cursors.limit]]
    if cursors.ending_before:
        shown.reverse()
    return Page(shelf.cls, url, tuple(shown), has_more=len(found) > cursors.limit)


def page_of_few(cls: str, url: str, objects: Sequence[Json], cursors: Cursors) -> Page:
    """The same for a list that is part of an object, already in the order shown."""
    ids = [each["id"] for each in objects]
    low, high = 0, len(ids)
    for param, id_ in (("starting_after", cursors.starting_after), ("ending_before", cursors.ending_before)):
        if id_ and id_ not in ids:
            raise missing(cls, id_, param, 400)
    if cursors.starting_after:
        low = ids.index(cursors.starting_after) + 1
        return _part(cls, url, objects[low : low + cursors.limit], low + cursors.limit < high)
    if cursors.ending_before:
        high = ids.index(cursors.ending_before)
        low = max(0, high - cursors.limit)
        return _part(cls, url, objects[low:high], low > 0)
    return _part(cls, url, objects[: cursors.limit], cursors.limit < high)


def _part(cls: str, url: str, objects: Sequence[Json], has_more: bool) -> Page:
    return Page(cls, url, tuple(msgspec.json.encode(each) for each in objects), has_more)


def _cursor(shelf: Shelf, id_: str, param: str) -> Row:
    row = shelf.row(id_)
    if row is None:
        raise missing(shelf.cls, id_, param, 400)
    return row


def _confuses(cursor: Row, window: Window | None) -> bool:
    """Stripe answers an empty page when a window was tightened around, or away from, the cursor's second.

    A reader that narrows its window while it keeps its cursor loses rows; here it finds out.
    """
    return window is not None and (window.one_second or cursor.created not in window)


def _all_of(question: Question) -> Wanted | None:
    """What is left to check of each row; None when the shelf's own order already answers."""
    facets, others = question.facets, question.others
    if not others and len(facets) <= 1:
        return None
    return lambda row: all(facet in row.facets for facet in facets) and all(each(row) for each in others)


_order = attrgetter("order")
