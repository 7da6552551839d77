"""The account itself and its money: account, balance, balance transactions, payouts, webhook endpoints."""

from typing import ClassVar

from accounts.stripe.shapes.base import Code, Id, Metadata, Minor, Part, Ref, Shape, Text, Unix


class Account(Shape, frozen=True, kw_only=True, tag="account"):
    id: Id
    charges_enabled: bool | None = None
    country: Code | None = None
    created: Unix | None = None
    default_currency: Code | None = None
    details_submitted: bool | None = None
    payouts_enabled: bool | None = None
    type: Code | None = None


class Funds(Part, frozen=True, kw_only=True):
    amount: Minor
    currency: Code


class Balance(Shape, frozen=True, kw_only=True, tag="balance"):
    """What it is now; Stripe keeps no history of it."""

    available: tuple[Funds, ...]
    livemode: bool
    pending: tuple[Funds, ...]


class BalanceTransaction(Shape, frozen=True, kw_only=True, tag="balance_transaction"):
    """The exchange rate is left out: it is a float, and the amounts are already exchanged."""

    refs: ClassVar = ("source",)

    id: Id
    amount: Minor  # gross
    created: Unix
    currency: Code
    fee: Minor
    net: Minor
    type: Code
    available_on: Unix | None = None
    balance_type: Code | None = None
    reporting_category: Code | None = None
    source: Ref | None = None
    status: Code | None = None


class Payout(Shape, frozen=True, kw_only=True, tag="payout"):
    """The bank account it goes to is left out."""

    refs: ClassVar = ("balance_transaction", "failure_balance_transaction", "original_payout", "reversed_by")

    id: Id
    amount: Minor
    created: Unix
    currency: Code
    livemode: bool
    status: Code  # paid may still become failed, days later
    arrival_date: Unix | None = None
    automatic: bool = True
    balance_transaction: Ref | None = None
    failure_balance_transaction: Ref | None = None
    failure_code: Code | None = None
    metadata: Metadata | None = None
    method: Code | None = None
    original_payout: Ref | None = None
    reconciliation_status: Code | None = None
    reversed_by: Ref | None = None
    source_type: Code | None = None
    type: Code | None = None


class WebhookEndpoint(Shape, frozen=True, kw_only=True, tag="webhook_endpoint"):
    """Its signing secret comes only when it is made, and never into this."""

    id: Id
    created: Unix
    enabled_events: tuple[Code, ...]
    livemode: bool
    status: Code
    url: Text
    api_version: Code | None = None
