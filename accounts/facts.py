"""The values that judgement works on: frozen, and pure.

What Stripe holds is in `accounts.stripe.shapes`; here is what the CRM and the product hold, and what all share.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from accounts.money import Money

ID_PATTERN = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)  # before an id goes into a URL or a row


class Address(NamedTuple):
    """Which Stripe object: all that an event may tell us."""

    type: str  # Stripe's `object`: customer, charge, radar.early_fraud_warning …
    id: str


class Subject(NamedTuple):
    """What we look at: mostly a customer; an object of its own only where Stripe says there is no customer."""

    account: str
    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Record:
    """One customer as the CRM has it."""

    key: str
    stripe_customer: str | None = None
    stripe_account: str | None = None
    name: str | None = None  # personal: shown, kept only in the encrypted side table
    owner: str | None = None
    segment: str | None = None
    status: str | None = None
    plan: str | None = None
    mrr: Decimal | None = None  # from its text; which money it is may only be known beside a subscription
    mrr_unit: Literal["major", "minor"] = "major"
    currency: str | None = None  # lower case; None where the CRM keeps none
    renewal: datetime | None = None
    updated: datetime | None = None

    def mrr_in(self, currency: str) -> Money | None:
        """The recurring revenue, taken to be of this currency where the CRM names none."""
        if self.mrr is None:
            return None
        read = Money.from_major if self.mrr_unit == "major" else Money.from_minor
        return read(str(self.mrr), self.currency or currency)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One feature that the product gives to one customer."""

    key: str
    stripe_customer: str | None = None
    stripe_account: str | None = None
    feature: str | None = None
    plan: str | None = None
    status: str | None = None
    quantity: int | None = None
    expires_at: datetime | None = None
    updated: datetime | None = None
