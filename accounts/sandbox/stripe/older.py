"""Objects as an older API version shows them: before basil, periods and links stood elsewhere."""

from collections.abc import Callable
from typing import Any

from accounts.sandbox.shelf import Shelf

Json = dict[str, Any]
Shelves = Callable[[str], Shelf]  # of one account, by class

BASIL = "2025-03-31.basil"


def as_of(version: str, obj: Any, shelf: Shelves | None = None) -> Any:
    """The object, and every object in it, in the shape of that API version.

    Older invoices and payments name each other; today's world knows that from the account's invoice payments.
    """
    return obj if version >= BASIL else _before_basil(obj, shelf)


def _before_basil(value: Any, shelf: Shelves | None) -> Any:
    if isinstance(value, list):
        return [_before_basil(each, shelf) for each in value]
    if not isinstance(value, dict):
        return value
    obj = {name: _before_basil(each, shelf) for name, each in value.items()}
    match obj.get("object"):
        case "subscription":
            return _subscription(obj)
        case "invoice":
            return _invoice(obj, shelf)
        case "charge":
            return {"invoice": _invoice_of(obj["payment_intent"], shelf)} | obj
        case "payment_intent":
            return {"invoice": _invoice_of(obj["id"], shelf)} | obj
    return obj


def _subscription(obj: Json) -> Json:
    items = obj["items"]["data"]
    period = {
        name: (items[0].get(name) if items else None)
        for name in ("current_period_start", "current_period_end")
    }
    kept = [{name: each[name] for name in each if name not in period} for each in items]
    return obj | period | {"items": obj["items"] | {"data": kept}}


def _invoice(obj: Json, shelf: Shelves | None) -> Json:
    details = (obj.pop("parent", None) or {}).get("subscription_details") or {}
    obj.pop("payments", None)
    intent = _intent_of(obj["id"], shelf)
    return obj | {
        "subscription": details.get("subscription"),
        "paid": obj["status"] == "paid",
        "payment_intent": intent and intent["id"],
        "charge": intent and intent["latest_charge"],
    }


def _intent_of(invoice: str, shelf: Shelves | None) -> Json | None:
    if shelf is not None:
        for payment in shelf("invoice_payment").newest_first(invoice=invoice):
            return shelf("payment_intent").get(payment["payment"].get("payment_intent") or "")
    return None


def _invoice_of(intent: Any, shelf: Shelves | None) -> str | None:
    id_ = intent["id"] if isinstance(intent, dict) else intent
    if shelf is not None and id_:
        for payment in shelf("invoice_payment").newest_first(**{"payment[payment_intent]": id_}):
            invoice: str = payment["invoice"]
            return invoice
    return None
