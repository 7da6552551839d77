"""Records over plain HTTP, under one path: in pages by cursor, one by key, and changes to it.

So the pretend CRM and the pretend product answer. What only one of them has, it adds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from accounts.sandbox import records
from accounts.sandbox.dials import RETRY_AFTER_S, Dials, behind
from accounts.sandbox.http import Face, Request, Response, answer
from accounts.sandbox.records import Json
from accounts.sandbox.world import World

ROWS = 100  # of a page, unless fewer are asked for


@dataclass(frozen=True, slots=True)
class Drawer:
    """One kind of records, and how they are asked for."""

    kind: str
    path: str
    token: str
    names: Mapping[str, str]  # ours: theirs
    records: Callable[[], list[Json]]  # as they are when somebody asks
    dials: Dials

    def ours(self, theirs: Mapping[str, object]) -> Json | None:
        """Fields in our words; None where one of them is unknown."""
        words = {their: our for our, their in self.names.items()}
        if not theirs.keys() <= words.keys():
            return None
        return {words[name]: value for name, value in theirs.items()}


def face(world: World, drawer: Drawer, post: Mapping[str, Callable[[Request], Response]]) -> Face:
    """Answers at the drawer's path, and at those where something can be posted."""

    def respond(request: Request) -> Response:
        if records.bearer(request) != drawer.token:
            return answer({"message": "unknown token"}, 401)
        path = request.path.removesuffix("/")
        if request.method == "POST" and path in post:
            return post[path](request)
        if request.method == "GET" and path == drawer.path:
            return _page(drawer, request)
        if request.method in {"GET", "PATCH"} and path.startswith(f"{drawer.path}/"):
            return _one(world, drawer, request, path.removeprefix(f"{drawer.path}/"))
        return answer({"message": "no such place"}, 404)

    limited = answer({"message": "too many requests"}, 429, retry_after=str(RETRY_AFTER_S))
    return behind(drawer.dials, respond, limited)


def _page(drawer: Drawer, request: Request) -> Response:
    rows = min(records.number(request.param("limit"), ROWS), drawer.dials.page_rows_max)
    start = records.number(request.param("cursor"), 0)
    found, following = records.page(drawer.records(), start, rows, request.param("account"))
    named = [records.named(record, drawer.names) for record in found]
    return records.cached(request, {"data": named, "next_cursor": str(following) if following else None})


def _one(world: World, drawer: Drawer, request: Request, key: str) -> Response:
    record = records.find(drawer.records(), key)
    if record is None:
        return answer({"message": f"no such {drawer.kind}"}, 404)
    if request.method == "PATCH":
        changes = drawer.ours(records.decoded(request.body) or {})
        if not changes or "key" in changes:
            return answer({"message": "these fields cannot be changed"}, 422)
        records.change(world, record, changes)
    return answer(records.named(record, drawer.names))
