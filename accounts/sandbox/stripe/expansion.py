"""`expand[]`: ids replaced by their objects, up to four levels deep, where the key may read them."""

from dataclasses import dataclass
from typing import Any

import msgspec

from accounts.sandbox.shelf import NESTED_SHOWN_MAX, Json, shortened
from accounts.sandbox.stripe.refusals import Refusal, invalid, not_permitted
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import ApiKey, StripeAccount

DEPTH_MAX = 4


@dataclass(frozen=True, slots=True)
class Link:
    """Where a field leads. It holds an id, or the object, or a list of them."""

    cls: str  # "" where only the id tells
    embedded: bool = False  # it is there already, and reading it needs no further permission
    listed: bool = False  # a list object, entered by `data`
    by: str = ""  # a list that is absent until asked for, found by this value of its members
    url: str = ""


BALANCE_TRANSACTION = Link("balance_transaction")
CHARGE = Link("charge")
CUSTOMER = Link("customer")
FILE = Link("file")
INVOICE = Link("invoice")
PAYMENT_INTENT = Link("payment_intent")
PAYMENT_METHOD = Link("payment_method")
PAYOUT = Link("payout")
REVIEW = Link("review")

# By class and field; dots lead into hashes.
LINKS: dict[str, dict[str, Link]] = {
    "balance_transaction": {"source": Link("")},
    "charge": {
        "balance_transaction": BALANCE_TRANSACTION,
        "customer": CUSTOMER,
        "failure_balance_transaction": BALANCE_TRANSACTION,
        "payment_intent": PAYMENT_INTENT,
        "refunds": Link("refund", listed=True, by="charge", url="/v1/charges/{id}/refunds"),
        "review": REVIEW,
    },
    "credit_note": {
        "customer": CUSTOMER,
        "invoice": INVOICE,
        "refunds.refund": Link("refund"),
    },
    "customer": {
        "discount": Link("discount", embedded=True),
        "invoice_settings.default_payment_method": PAYMENT_METHOD,
        "subscriptions": Link(
            "subscription", listed=True, by="customer", url="/v1/customers/{id}/subscriptions"
        ),
    },
    "discount": {"source.coupon": Link("coupon")},
    "dispute": {
        "balance_transactions": Link("balance_transaction", embedded=True),
        "charge": CHARGE,
        "evidence.cancellation_policy": FILE,
        "evidence.customer_communication": FILE,
        "evidence.customer_signature": FILE,
        "evidence.duplicate_charge_documentation": FILE,
        "evidence.receipt": FILE,
        "evidence.refund_policy": FILE,
        "evidence.service_documentation": FILE,
        "evidence.shipping_documentation": FILE,
        "evidence.uncategorized_file": FILE,
        "payment_intent": PAYMENT_INTENT,
    },
    "entitlements.active_entitlement": {"feature": Link("entitlements.feature")},
    "invoice": {
        "customer": CUSTOMER,
        "default_payment_method": PAYMENT_METHOD,
        "latest_revision": INVOICE,
        "lines": Link("line_item", embedded=True, listed=True),
        "parent.subscription_details.subscription": Link("subscription"),
        "payments": Link(
            "invoice_payment", listed=True, by="invoice", url="/v1/invoice_payments?invoice={id}"
        ),
    },
    "invoice_payment": {
        "invoice": INVOICE,
        "payment.charge": CHARGE,
        "payment.payment_intent": PAYMENT_INTENT,
    },
    "payment_intent": {
        "customer": CUSTOMER,
        "latest_charge": CHARGE,
        "payment_method": PAYMENT_METHOD,
        "review": REVIEW,
    },
    "payment_method": {"customer": CUSTOMER},
    "payout": {
        "balance_transaction": BALANCE_TRANSACTION,
        "failure_balance_transaction": BALANCE_TRANSACTION,
        "original_payout": PAYOUT,
        "reversed_by": PAYOUT,
    },
    "price": {"product": Link("product")},
    "product": {"default_price": Link("price")},
    "radar.early_fraud_warning": {"charge": CHARGE, "payment_intent": PAYMENT_INTENT},
    "refund": {
        "balance_transaction": BALANCE_TRANSACTION,
        "charge": CHARGE,
        "customer": CUSTOMER,
        "failure_balance_transaction": BALANCE_TRANSACTION,
        "payment_intent": PAYMENT_INTENT,
        "payment_method": PAYMENT_METHOD,
    },
    "review": {"charge": CHARGE, "payment_intent": PAYMENT_INTENT},
    "subscription": {
        "customer": CUSTOMER,
        "default_payment_method": PAYMENT_METHOD,
        "discounts": Link("discount", embedded=True),
        "items": Link("subscription_item", embedded=True, listed=True),
        "latest_invoice": INVOICE,
    },
    "subscription_item": {
        "discounts": Link("discount", embedded=True),
        "price": Link("price", embedded=True),
    },
}

# What the key needs for classes that come inside others only.
UNLISTED = {"coupon": ("rak_coupon_read",)}

# What a balance transaction's source is, told by its id.
BY_PREFIX = {"ch": "charge", "dp": "dispute", "du": "dispute", "po": "payout", "py": "charge", "re": "refund"}


class Expansion:
    """What one request wants expanded. `allow` refuses before anything is done; after it nothing is refused."""

    def __init__(self, account: StripeAccount, key: ApiKey, paths: tuple[str, ...]) -> None:
        self._account = account
        self._key = key
        self._paths = tuple((path, tuple(path.split("."))) for path in paths)

    def __bool__(self) -> bool:
        return bool(self._paths)

    def allow(self, cls: str, *, listed: bool) -> None:
        for path, steps in self._paths:
            if len(steps) > DEPTH_MAX:
                raise invalid(
                    f"You cannot expand more than {DEPTH_MAX} levels of a property. Property: {path}",
                    "expand",
                )
            if listed and (steps[0] != "data" or len(steps) == 1):
                raise _unknown(path)
            self._follow(cls, steps[1:] if listed else steps, path)

    def of_one(self, obj: Json, cls: str) -> Json:
        for _, steps in self._paths:
            self._walk(obj, cls, "", steps)
        return obj

    def of_page(self, rows: tuple[bytes, ...], cls: str) -> list[Json]:
        objects: list[Json] = [msgspec.json.decode(row) for row in rows]
        for obj in objects:
            for _, steps in self._paths:
                self._walk(obj, cls, "", steps[1:])
        return objects

    def _follow(self, cls: str, steps: tuple[str, ...], path: str) -> None:
        """The way through the classes alone, so that an empty page refuses what a full one would."""
        prefix, left = "", list(steps)
        while left:
            name = prefix + left.pop(0)
            link = LINKS.get(cls, {}).get(name)
            if link is None:
                if not left or not _leads_on(cls, name):
                    raise _unknown(path)
                prefix = f"{name}."
                continue
            if not link.cls:
                return
            if not link.embedded:
                self._permit(link.cls)
            if link.listed and left and left.pop(0) != "data":
                raise _unknown(path)
            cls, prefix = link.cls, ""

    def _walk(self, node: Any, cls: str, prefix: str, steps: tuple[str, ...]) -> None:
        """`node` is an object of class `cls`, a hash inside one with `prefix` leading to it, or several."""
        if isinstance(node, list):
            for each in node:
                self._walk(each, cls, prefix, steps)
        if not steps or not isinstance(node, dict):
            return
        step, rest = steps[0], steps[1:]
        name = prefix + step
        link = LINKS.get(cls, {}).get(name)
        if link is None:
            self._walk(node.get(step), cls, f"{name}.", rest)
        elif link.listed:
            if link.by and step not in node:
                node[step] = self._list(link, node["id"])
            self._walk(node[step]["data"], link.cls, "", rest[1:])
        else:
            self._replace(node, step, link)
            below = node.get(step)
            self._walk(below, _class_of(below) or link.cls, "", rest)

    def _replace(self, node: Json, step: str, link: Link) -> None:
        value = node.get(step)
        if isinstance(value, list):
            node[step] = [self._found(each, link) for each in value]
        elif value is not None:
            node[step] = self._found(value, link)

    def _found(self, value: Any, link: Link) -> Any:
        """The object that an id stands for, and whatever is no such id as it is."""
        cls = link.cls or BY_PREFIX.get(str(value).partition("_")[0], "")
        if not isinstance(value, str) or not cls:
            return value
        if not link.cls:
            self._permit(cls)
        found = self._account.get(cls, value)
        if found is not None:
            return shortened(found)
        return {"id": value, "object": cls, "deleted": True} if self._account.deleted(cls, value) else value

    def _list(self, link: Link, id_: str) -> Json:
        found = list(self._account.newest_first(link.cls, **{link.by: id_}))
        if link.cls == "subscription":
            found = [each for each in found if each["status"] != "canceled"]
        return {
            "object": "list",
            "data": [shortened(each) for each in found[:NESTED_SHOWN_MAX]],
            "has_more": len(found) > NESTED_SHOWN_MAX,
            "url": link.url.format(id=id_),
        }

    def _permit(self, cls: str) -> None:
        reading = UNLISTED.get(cls) or BY_CLASS[cls].reading
        if not self._key.allows(reading):
            raise not_permitted(self._key.value, self._account.id, reading)


def _leads_on(cls: str, name: str) -> bool:
    return any(each.startswith(f"{name}.") for each in LINKS.get(cls, {}))


def _class_of(value: Any) -> str:
    return value.get("object", "") if isinstance(value, dict) else ""


def _unknown(path: str) -> Refusal:
    return invalid(f"This property cannot be expanded ({path}).", "expand")
