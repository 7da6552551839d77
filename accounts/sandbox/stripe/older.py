"""Objects as an older API version shows them: before basil, periods and links stood elsewhere."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accounts.sandbox.world import StripeAccount

Json = dict[str, Any]

BASIL = "2025-03-31.basil"


def as_of(version: str, obj: Any, account: "StripeAccount | None" = None) -> Any:
    """The object, and every object in it, in the shape of that API version.

    Older invoices and payments name each other; today's world knows that from the account's invoice payments.
    """
    return obj if version >= BASIL else _before_basil(obj, account)


def _before_basil(value: Any, account: "StripeAccount | None") -> Any:
    if isinstance(value, list):
        return [_before_basil(each, account) for each in value]
    if not isinstance(value, dict):
        return value
    obj = {name: _before_basil(each, account) for name, each in value.items()}
    match obj.get("object"):
        case "subscription":
            return _subscription(obj)
        case "invoice":
            return _invoice(obj, account)
        case "charge":
            return {"invoice": _invoice_of(obj["payment_intent"], account)} | obj
        case "payment_intent":
            return {"invoice": _invoice_of(obj["id"], account)} | obj
    return obj


def _subscription(obj: Json) -> Json:
    items = obj["items"]["data"]
    period = {
        name: (items[0].get(name) if items else None)
        for name in ("current_period_start", "current_period_end")
    }
    kept = [{name: each[name] for name in each if name not in period} for each in items]
    return obj | period | {"items": obj["items"] | {"data": kept}}


def _invoice(obj: Json, account: "StripeAccount | None") -> Json:
    details = (obj.pop("parent", None) or {}).get("subscription_details") or {}
    obj.pop("payments", None)
    intent = _intent_of(obj["id"], account)
    return obj | {
        "subscription": details.get("subscription"),
        "paid": obj["status"] == "paid",
        "payment_intent": intent and intent["id"],
        "charge": intent and intent["latest_charge"],
    }


def _intent_of(invoice: str, account: "StripeAccount | None") -> Json | None:
    if account is not None:
        for payment in account.newest_first("invoice_payment", invoice=invoice):
            return account.get("payment_intent", payment["payment"].get("payment_intent") or "")
    return None


def _invoice_of(intent: Any, account: "StripeAccount | None") -> str | None:
    id_ = intent["id"] if isinstance(intent, dict) else intent
    if account is not None and id_:
        for payment in account.newest_first("invoice_payment", **{"payment[payment_intent]": id_}):
            invoice: str = payment["invoice"]
            return invoice
    return None
