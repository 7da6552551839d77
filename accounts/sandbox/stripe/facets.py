"""What each list can be filtered by: the values of an object under which its shelf finds it.

Facets that no parameter names serve the defaults: a subscription is `listed` unless it is canceled, and `orphaned`
when its customer was deleted; such a one is found by `status=canceled` alone.
"""

from collections.abc import Callable, Iterator
from typing import Any

Facet = tuple[str, Any]
Json = dict[str, Any]

# Numbers that lists compare rather than look up, so that no index is kept of them.
RANGED = frozenset(("arrival_date", "current_period_end", "current_period_start", "due_date", "visible_at"))


def facets_of(cls: str, obj: Json) -> Iterator[Facet]:
    return FACETS[cls](obj) if cls in FACETS else iter(())


def _values(*names: str) -> Callable[[Json], Iterator[Facet]]:
    def facets(obj: Json) -> Iterator[Facet]:
        for name in names:
            value = obj.get(name)
            if value is not None:
                yield name, value

    return facets


def _subscription(obj: Json) -> Iterator[Facet]:
    status = obj["status"]
    yield from _values("customer", "customer_account", "status", "collection_method", "test_clock")(obj)
    yield "automatic_tax[enabled]", "true" if obj["automatic_tax"]["enabled"] else "false"
    if status != "canceled":
        yield "listed", True
    yield "orphaned", "_orphaned" in obj
    if status in ("canceled", "incomplete_expired"):
        yield "status", "ended"
    items = obj["items"]["data"]
    yield from dict.fromkeys(("price", each["price"]["id"]) for each in items)
    yield from (("item", each["id"]) for each in items)
    if items:
        yield "current_period_start", items[0]["current_period_start"]
        yield "current_period_end", items[0]["current_period_end"]


def _invoice(obj: Json) -> Iterator[Facet]:
    yield from _values("customer", "customer_account", "status", "collection_method", "due_date")(obj)
    details = (obj.get("parent") or {}).get("subscription_details")
    if details:
        yield "subscription", details["subscription"]


def _invoice_payment(obj: Json) -> Iterator[Facet]:
    yield from _values("invoice", "status")(obj)
    payment = obj["payment"]
    yield "payment[type]", payment["type"]
    yield f"payment[{payment['type']}]", payment[payment["type"]]


def _price(obj: Json) -> Iterator[Facet]:
    yield from _values("active", "currency", "lookup_key", "product", "type")(obj)
    recurring = obj["recurring"] or {}
    for name in ("interval", "meter", "usage_type"):
        if recurring.get(name):
            yield f"recurring[{name}]", recurring[name]


def _active_entitlement(obj: Json) -> Iterator[Facet]:
    yield "customer", obj["_customer"]


def _product_feature(obj: Json) -> Iterator[Facet]:
    yield "product", obj["_product"]


def _feature(obj: Json) -> Iterator[Facet]:
    yield "lookup_key", obj["lookup_key"]
    yield "archived", not obj["active"]


def _event(obj: Json) -> Iterator[Facet]:
    yield "type", obj["type"]
    yield "delivery_success", obj["pending_webhooks"] == 0
    yield "related", obj["data"]["object"].get("id")
    yield "visible_at", obj.get("_visible_at", obj["created"])


def _balance_transaction(obj: Json) -> Iterator[Facet]:
    yield from _values("currency", "source", "type")(obj)
    yield "payout", obj.get("_payout")


FACETS: dict[str, Callable[[Json], Iterator[Facet]]] = {
    "balance_transaction": _balance_transaction,
    "charge": _values("customer", "payment_intent", "transfer_group"),
    "credit_note": _values("customer", "customer_account", "invoice"),
    "customer": _values("email", "test_clock"),
    "dispute": _values("charge", "payment_intent"),
    "entitlements.active_entitlement": _active_entitlement,
    "entitlements.feature": _feature,
    "event": _event,
    "file": _values("purpose"),
    "invoice": _invoice,
    "invoice_payment": _invoice_payment,
    "payment_intent": _values("customer", "customer_account"),
    "payment_link": _values("active"),
    "payment_method": _values("allow_redisplay", "customer", "customer_account", "type"),
    "payout": _values("status", "destination", "arrival_date"),
    "price": _price,
    "product": _values("active", "id", "shippable", "type", "url"),
    "product_feature": _product_feature,
    "radar.early_fraud_warning": _values("charge", "payment_intent"),
    "refund": _values("charge", "payment_intent"),
    "review": _values("open"),
    "subscription": _subscription,
}
