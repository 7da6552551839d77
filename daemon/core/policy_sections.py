"""What may stand in `policy.toml`: its tables, their keys, and what is written there."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, model_validator

from accounts.money import Money

ACTIONS: Final = (
    "refund", "capture", "dispute_evidence", "dispute_accept", "invoice_pay", "invoice_send", "invoice_void",
    "invoice_uncollectible", "credit_note", "subscription_cancel", "subscription_pause", "subscription_resume",
    "subscription_change", "payout_create", "payout_cancel", "review_approve", "payment_link", "entitlement_set",
    "crm_update", "crm_task", "message", "acknowledge",
)  # fmt: skip
# Without a person: what moves no money and changes no access. A refund only within caps.
AUTO_ACTIONS: Final = ("message", "crm_task", "note", "payment_link", "refund")
OTHER_NAMES: Final = {"task": "crm_task"}

APPROVERS_MAX: Final = 10  # more cannot be meant
WINDOWS_MAX: Final = 10

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(\d{1,9})([smhdw])")
_AMOUNT: Final = re.compile(r"(\d{1,13}(?:\.\d{1,3})?) ([A-Za-z]{3})")
_CURRENCY: Final = re.compile(r"[a-z]{3}")


class Section(BaseModel):
    """One table of a policy."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )


def duration_in(text: Any) -> timedelta:
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    span = timedelta(seconds=int(found[1]) * _UNITS_S[found[2]]) if found is not None else timedelta(0)
    if not span:
        raise ValueError('a duration is a whole number and a unit, such as "72h" or "7d", and at least 1s')
    return span


def amount_in(text: Any) -> Money:
    found = _AMOUNT.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError('an amount is a number and a currency, such as "500 EUR"')
    money = Money.from_major(found[1], found[2])
    if money.major() != Decimal(found[1]):
        raise ValueError(f"{money.currency.upper()} has fewer decimals than “{found[1]}”")
    return money


def _action(name: Any) -> Any:
    return OTHER_NAMES.get(name, name) if isinstance(name, str) else name


def _known_action(name: Any) -> Any:
    name = _action(name)
    if name not in ACTIONS:
        raise ValueError(f"there is no such action; there are {', '.join(ACTIONS)}")
    return name


def _auto_action(name: Any) -> Any:
    name = _action(name)
    if name not in AUTO_ACTIONS:
        raise ValueError(f"this is never done without a person; only {', '.join(AUTO_ACTIONS)} may be")
    return name


def _currency(text: Any) -> Any:
    if not isinstance(text, str) or _CURRENCY.fullmatch(text.lower()) is None:
        raise ValueError('a currency is three letters, such as "eur"')
    return text.lower()


def _decimal(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is expected here")
    return value


Duration = Annotated[timedelta, BeforeValidator(duration_in)]
Amount = Annotated[Money, BeforeValidator(amount_in)]
Currency = Annotated[str, BeforeValidator(_currency)]
Number = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, allow_inf_nan=False)]


class Grace(Section):
    past_due: Duration = timedelta(days=7)  # access may outlive a failed payment for this long


class RevenueTolerance(Section):
    """The larger of both, in the subscription's currency."""

    absolute: Number = Decimal("1.00")  # major units
    relative: Annotated[Number, Field(le=1)] = Decimal("0.05")


class ToleranceSection(Section):
    revenue: RevenueTolerance = RevenueTolerance()


class DeadlinesSection(Section):
    windows: Annotated[tuple[Duration, ...], Field(min_length=1, max_length=WINDOWS_MAX)] = (
        timedelta(days=7),
        timedelta(hours=72),
        timedelta(hours=24),
    )
    business_days: StrictBool = True  # a window that opens on a weekend opens on the Friday before


class EscalationLine(Section):
    """Holds if all that it names holds."""

    mrr_over: Amount | None = None
    renewal_within: Duration | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.mrr_over is None and self.renewal_within is None:
            raise ValueError("it names no condition: mrr_over, renewal_within or both")
        return self


class Approve(Section):
    action: Annotated[str, BeforeValidator(_known_action)]
    approvers: Annotated[StrictInt, Field(ge=1, le=APPROVERS_MAX)]
    over: Amount | None = None  # strictly more, in this currency
    account: str | None = None
    roles: Annotated[tuple[str, ...], Field(min_length=1)] = ("approver",)


class Auto(Section):
    """What is approved without a person."""

    action: Annotated[str, BeforeValidator(_auto_action)]
    account: str | None = None
    each: Amount | None = None
    day: Amount | None = None

    @model_validator(mode="after")
    def _refunds_within_caps(self) -> Self:
        if self.action != "refund":
            return self
        if self.account is None or self.each is None or self.day is None:
            raise ValueError(
                "refunds without a person need account, each and day: where, how much, how much a day"
            )
        if self.each.currency != self.day.currency:
            raise ValueError("each and day are amounts of one currency")
        return self


class LimitsSection(Section):
    """A currency that no limit names is not limited, but needs two approvers where limits are set."""

    person_daily: tuple[Amount, ...] = ()
    account_daily: tuple[Amount, ...] = ()
    agent_open_proposals: Annotated[StrictInt, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _once_per_currency(self) -> Self:
        for amounts in (self.person_daily, self.account_daily):
            currencies = [each.currency for each in amounts]
            twice = {each for each in currencies if currencies.count(each) > 1}
            if twice:
                raise ValueError(f"{', '.join(sorted(twice)).upper()} is limited twice")
        return self


class MoneySection(Section):
    """For order and totals only."""

    report: Currency | None = None
    rates: dict[Currency, Annotated[Number, Field(gt=0)]] = {}  # one unit of it in the reporting currency

    @model_validator(mode="after")
    def _rates_of_something(self) -> Self:
        if self.rates and self.report is None:
            raise ValueError("rates need report, the currency that they lead to")
        if self.report in self.rates:
            raise ValueError(f"{self.report} is the reporting currency and has no rate")
        return self


class TemplateSection(Section):
    subject: Annotated[str, Field(min_length=1, max_length=500)]
    body: Annotated[str, Field(min_length=1, max_length=20_000)]


class AccountSection(Section):
    rules: dict[str, Any] = {}


class Written(Section):
    """The whole of `policy.toml`. Switches and parameters of rules are checked by `daemon.core.policy_rules`."""

    grace: Grace = Grace()
    tolerance: ToleranceSection = ToleranceSection()
    rules: dict[str, Any] = {}
    accounts: dict[str, AccountSection] = {}
    deadlines: DeadlinesSection = DeadlinesSection()
    escalate: dict[str, EscalationLine] = {}
    approve: tuple[Approve, ...] = ()
    limits: LimitsSection = LimitsSection()
    auto: tuple[Auto, ...] = ()
    money: MoneySection = MoneySection()
    templates: dict[str, TemplateSection] = {}
