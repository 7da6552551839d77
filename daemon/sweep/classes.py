"""How each of Stripe's classes is swept: wholly, or what is young and what is still open, and the rest more rarely."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from accounts.stripe.reads import Filter
from accounts.stripe.resources import BY_NAME, Resource
from daemon.observe.landscape import OF_STRIPE
from daemon.observe.owners import OF_OTHERS

YOUNG: Final = timedelta(
    days=35
)  # a month of billing and some days; what is older changes rarely, and by an event
HISTORY_EVERY: Final = timedelta(days=30)  # and only while the read budget is hardly used
FLOOR: Final = 1_300_000_000  # March 2011; Stripe opened later that year, so nothing is older


@dataclass(frozen=True, slots=True)
class Class:
    """One class. `open` are the filters under which it lists what may still change however old it is."""

    resource: Resource
    aging: bool = False  # whether only what is young is read at every sweep
    open: Mapping[str, Mapping[str, Filter]] = field(default_factory=dict)
    lists_status: str | None = None  # its list shows only what is in this state

    @property
    def of_others(self) -> bool:
        """Whether other objects tell whose these are, so that those should be there first."""
        return self.resource.type in OF_OTHERS


_AGING: Final[dict[str, Mapping[str, Mapping[str, Filter]]]] = {
    "invoices": {"draft": {"status": "draft"}, "open": {"status": "open"}},
    "invoice_payments": {"open": {"status": "open"}},
    "payment_intents": {},
    "charges": {},
    "refunds": {},
    "payouts": {"pending": {"status": "pending"}, "in_transit": {"status": "in_transit"}},
    "credit_notes": {},
}
_LISTS_STATUS: Final = {"reviews": "open"}

CLASSES: Final = tuple(
    Class(
        BY_NAME[source.value],
        aging=source.value in _AGING,
        open=_AGING.get(source.value, {}),
        lists_status=_LISTS_STATUS.get(source.value),
    )
    for source in OF_STRIPE
)
