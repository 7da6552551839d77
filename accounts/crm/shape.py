"""A CRM's row as a `Record`."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from accounts.facts import Record
from accounts.sources import values
from accounts.sources.shape import Parser, Shape

_PARSERS: dict[str, Parser] = {
    "key": values.key,
    "stripe_customer": values.stripe_id,
    "stripe_account": values.stripe_id,
    "name": values.text,
    "owner": values.text,
    "segment": values.text,
    "status": values.text,
    "plan": values.text,
    "mrr": values.amount,
    "currency": values.currency,
    "renewal": values.moment,
    "updated": values.moment,
}
FIELDS = tuple(_PARSERS)

# By field: what is not given if it is not understood. An amount without its currency is none.
_SPARED: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("name", "owner", "segment", "status", "plan", "mrr", "renewal", "updated")},
    "currency": ("currency", "mrr"),
}


def record_shape(amounts: Literal["major", "minor"]) -> Shape[Record]:
    """How rows of a CRM are read whose amounts count these units."""

    def make(parsed: Mapping[str, object]) -> Record:
        if not parsed.get("key"):
            raise ValueError("has no key")
        return Record(**cast(dict[str, Any], parsed), mrr_unit=amounts)

    parsers = _PARSERS if amounts == "major" else _PARSERS | {"mrr": values.whole_amount}
    # A fraction among minor units tells that `amounts` is wrong, and then no amount can be believed.
    spared = {name: taken for name, taken in _SPARED.items() if amounts == "major" or name != "mrr"}
    return Shape("record", parsers, make, lambda record: record.key, spared)
