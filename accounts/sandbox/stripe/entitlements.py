"""Features, and which product brings which; what a customer has of them is only read."""

from accounts.sandbox import objects
from accounts.sandbox.stripe.call import Answer, Call, reads, writes
from accounts.sandbox.stripe.lists import Cursors, Question, page_of
from accounts.sandbox.stripe.refusals import missing, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json

FEATURE = BY_CLASS["entitlements.feature"].permissions
PRODUCT_FEATURE = BY_CLASS["product_feature"].permissions
LOOKUP_KEY_LENGTH_MAX = 80


def _create(call: Call) -> Answer:
    name = call.params.required("name")
    lookup_key = call.params.text("lookup_key", length_max=LOOKUP_KEY_LENGTH_MAX) or ""
    metadata = call.params.metadata({})
    call.params.finish()
    if next(call.account.newest_first("entitlements.feature", lookup_key=lookup_key, archived=False), None):
        raise refused(f"A feature with the lookup key {lookup_key} already exists.", param="lookup_key")
    feature = objects.feature(
        call.new_id("feat"),
        name=name,
        lookup_key=lookup_key,
        livemode=call.account.livemode,
        metadata=metadata,
    )
    return call.put(feature)


def _update(call: Call) -> Answer:
    feature = call.one("entitlements.feature", call.id)
    metadata = call.params.metadata(feature["metadata"])
    active, name = call.params.flag("active"), call.params.text("name")
    call.params.finish()
    return call.put(
        feature
        | {
            "active": feature["active"] if active is None else active,
            "metadata": metadata,
            "name": name or feature["name"],
        }
    )


def _attach(call: Call) -> Answer:
    id_ = call.params.required("entitlement_feature")
    call.params.finish()
    call.one("product", call.id)
    made: Json = {
        "id": call.new_id("prodft"),
        "object": "product_feature",
        "entitlement_feature": call.one("entitlements.feature", id_, "entitlement_feature"),
        "livemode": call.account.livemode,
    }
    call.put(made | {"_product": call.id})
    return made


def _list(call: Call) -> Answer:
    cursors = Cursors.read(call.params)
    call.params.finish()
    call.one("product", call.id)
    return page_of(
        call.account.shelf("product_feature"), call.path, Question((("product", call.id),)), cursors
    )


def _retrieve(call: Call) -> Answer:
    call.params.finish()
    found = call.one("product_feature", call.ids[1])
    if found["_product"] != call.id:
        raise missing("product_feature", call.ids[1])
    return found


def _detach(call: Call) -> Answer:
    call.params.finish()
    call.one("product_feature", call.ids[1])
    call.account.delete("product_feature", call.ids[1])
    return {"id": call.ids[1], "object": "product_feature", "deleted": True}


ENDPOINTS = (
    writes("/v1/entitlements/features", "entitlements.feature", FEATURE, _create),
    writes("/v1/entitlements/features/{id}", "entitlements.feature", FEATURE, _update),
    reads("/v1/products/{id}/features", "product_feature", PRODUCT_FEATURE, _list, listing=True),
    writes("/v1/products/{id}/features", "product_feature", PRODUCT_FEATURE, _attach),
    reads("/v1/products/{id}/features/{id}", "product_feature", PRODUCT_FEATURE, _retrieve),
    writes("/v1/products/{id}/features/{id}", "product_feature", PRODUCT_FEATURE, _detach, method="DELETE"),
)
