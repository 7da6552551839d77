"""A product's row as an `Entitlement`."""

from collections.abc import Mapping
from typing import Any, cast

from accounts.facts import Entitlement
from accounts.sources import values
from accounts.sources.shape import Parser, Shape

_PARSERS: dict[str, Parser] = {
    "key": values.key,
    "stripe_customer": values.stripe_id,
    "stripe_account": values.stripe_id,
    "feature": values.text,
    "plan": values.text,
    "status": values.text,
    "quantity": values.count,
    "expires_at": values.moment,
    "updated": values.moment,
}
FIELDS = tuple(_PARSERS)

# Not the status nor the expiry: they say whether there is access, and no access is a claim too.
_SPARED = {name: (name,) for name in ("feature", "plan", "quantity", "updated")}


def _make(parsed: Mapping[str, object]) -> Entitlement:
    key = parsed.get("key") or _derived_key(parsed)
    if not parsed.get("status") and parsed.get("stripe_customer"):
        raise ValueError("has no status, so it cannot be said whether it gives access")
    return Entitlement(**cast(dict[str, Any], {**parsed, "key": key}))


def _derived_key(parsed: Mapping[str, object]) -> str:
    """Where rows have no key of their own: whose they are and what they give, as the product's own key would."""
    if not parsed.get("stripe_customer"):
        raise ValueError("has neither a key nor a customer")
    parts = (parsed.get("stripe_account"), parsed["stripe_customer"], parsed.get("feature"))
    return "/".join(str(part) for part in parts if part)


ENTITLEMENT_SHAPE: Shape[Entitlement] = Shape(
    "entitlement", _PARSERS, _make, lambda found: found.key, _SPARED
)
