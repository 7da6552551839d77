"""The pretend product: `/product/entitlements` in pages by cursor, one by key, changes to it, and new ones."""

from accounts.sandbox import records
from accounts.sandbox.dials import RETRY_AFTER_S, behind
from accounts.sandbox.http import Face, Request, Response, answer
from accounts.sandbox.records import ENTITLEMENT_NAMES
from accounts.sandbox.world import World

TOKEN = "product-pretend-token"  # noqa: S105 - opens nothing but the pretend world
ROWS = 100

_ALL = "/product/entitlements"
_OURS = {theirs: ours for ours, theirs in ENTITLEMENT_NAMES.items()}


def face(world: World) -> Face:
    def respond(request: Request) -> Response:
        if records.bearer(request) != TOKEN:
            return answer({"message": "unknown token"}, 401)
        match request.method, request.path.removesuffix("/"):
            case "GET", path if path == _ALL:
                return _list(world, request)
            case "POST", path if path == _ALL:
                return _new(world, request)
            case method, path if path.startswith(f"{_ALL}/") and method in {"GET", "PATCH"}:
                return _one(world, request, path.removeprefix(f"{_ALL}/"))
        return answer({"message": "no such place"}, 404)

    limited = answer({"message": "too many requests"}, 429, retry_after=str(RETRY_AFTER_S))
    return behind(world.product_dials, respond, limited)


def _list(world: World, request: Request) -> Response:
    rows = min(records.number(request.param("limit"), ROWS), world.product_dials.page_rows_max)
    start = records.number(request.param("cursor"), 0)
    found, following = records.page(world.entitlements, start, rows, request.param("account"))
    data = [records.named(entitlement, ENTITLEMENT_NAMES) for entitlement in found]
    return records.cached(request, {"data": data, "next_cursor": str(following) if following else None})


def _one(world: World, request: Request, key: str) -> Response:
    entitlement = records.find(world.entitlements, key)
    if entitlement is None:
        return answer({"message": "no such entitlement"}, 404)
    if request.method == "PATCH":
        changes = records.decoded(request.body)
        if not changes or not changes.keys() <= _OURS.keys() or "id" in changes:
            return answer({"message": "these fields cannot be changed"}, 422)
        records.change(world, entitlement, {_OURS[name]: value for name, value in changes.items()})
    return answer(records.named(entitlement, ENTITLEMENT_NAMES))


def _new(world: World, request: Request) -> Response:
    sent = records.decoded(request.body)
    if not sent or not sent.keys() <= _OURS.keys() or not sent.get("stripe_customer_id"):
        return answer({"message": "an entitlement names a customer and known fields"}, 422)
    key = str(sent.get("id") or world.new_id("ent"))
    if records.find(world.entitlements, key) is not None:
        return answer({"message": "this entitlement exists"}, 409)
    given = {_OURS[name]: value for name, value in sent.items()}
    entitlement = dict.fromkeys(ENTITLEMENT_NAMES) | given | {"key": key, "updated": records.moment(world)}
    world.entitlements.append(entitlement)
    return answer(records.named(entitlement, ENTITLEMENT_NAMES), 201)
