"""The pretend product: `/product/entitlements` in pages by cursor, one by key, changes to it, and new ones."""

from functools import partial

from accounts.sandbox import drawer, records
from accounts.sandbox.drawer import Drawer
from accounts.sandbox.http import Face, Request, Response, answer
from accounts.sandbox.records import ENTITLEMENT_NAMES
from accounts.sandbox.world import World

TOKEN = "product-pretend-token"  # noqa: S105 - opens nothing but the pretend world

_ALL = "/product/entitlements"


def face(world: World) -> Face:
    given = Drawer(
        "entitlement", _ALL, TOKEN, ENTITLEMENT_NAMES, lambda: world.entitlements, world.product_dials
    )
    return drawer.face(world, given, {_ALL: partial(_new, world, given)})


def _new(world: World, given: Drawer, request: Request) -> Response:
    sent = given.ours(records.decoded(request.body) or {})
    if not sent or not sent.get("stripe_customer"):
        return answer({"message": "an entitlement names a customer and known fields"}, 422)
    key = str(sent.get("key") or world.new_id("ent"))
    if records.find(world.entitlements, key) is not None:
        return answer({"message": "this entitlement exists"}, 409)
    entitlement = dict.fromkeys(ENTITLEMENT_NAMES) | sent | {"key": key, "updated": records.moment(world)}
    world.entitlements.append(entitlement)
    return answer(records.named(entitlement, ENTITLEMENT_NAMES), 201)
