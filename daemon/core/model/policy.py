"""Policy: what counts as a disagreement, what is urgent, and who may approve what, as rules and desk read it.

`daemon.core.policy` reads it from its text. What stands here are the values alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from accounts.money import Money, exponent
from daemon.core.canonical import Json
from daemon.core.model.derived import derived
from daemon.core.model.kinds import Kind


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two amounts may lie apart: the larger of both, in the currency they are in."""

    absolute: Decimal = Decimal("1.00")  # major units
    relative: Decimal = Decimal("0.05")

    def minor(self, expected_minor: int | Fraction, currency: str) -> Fraction:
        absolute = Fraction(self.absolute.scaleb(exponent(currency)))
        return max(absolute, Fraction(self.relative) * abs(Fraction(expected_minor)))


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The windows before a deadline, widest first: when it becomes a case, then high, then critical."""

    windows: tuple[timedelta, ...] = (timedelta(days=7), timedelta(hours=72), timedelta(hours=24))
    business_days: bool = True


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether a rule is on, and its parameters."""

    on: bool = True
    parameters: Mapping[str, Json] = field(default_factory=dict)


ON = Switch()


class Parameter(Enum):
    """What can be written for a parameter of a rule; the value says it to people."""

    WORD = "a text"
    SWITCH = "true or false"
    AMOUNTS = 'an amount such as "15 USD", or a list of them'
    METADATA = 'a list of lines such as "metadata.source=backoffice"'


@dataclass(frozen=True, slots=True)
class Escalation:
    """When a case goes to people by name of rule."""

    name: str
    mrr_over: Money | None = None
    renewal_within: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ApproveLine:
    """One line of the approval matrix; the first that matches applies."""

    action: str
    approvers: int
    over: Money | None = None  # strictly more, in this currency
    account: str | None = None
    roles: tuple[str, ...] = ("approver",)


@dataclass(frozen=True, slots=True)
class AutoLine:
    """What is approved without a person. Refunds only with an account and both caps."""

    action: str
    account: str | None = None
    each: Money | None = None
    day: Money | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be approved in a day, by currency; a currency that no limit names needs two approvers."""

    person_daily: tuple[Money, ...] = ()
    account_daily: tuple[Money, ...] = ()
    agent_open_proposals: int = 200


@dataclass(frozen=True, slots=True)
class Rates:
    """How amounts are compared for order and totals, and for nothing else."""

    report: str | None = None
    # One unit of each currency in the reporting one.
    rates: Mapping[str, Decimal] = field(default_factory=dict)

    def in_report(self, money: Money) -> Money | None:
        """Approximately this much of the reporting currency; None without a rate."""
        if self.report is None:
            return None
        rate = Decimal(1) if money.currency == self.report else self.rates.get(money.currency)
        if rate is None:
            return None
        exact = Fraction(money.major()) * Fraction(rate) * int(10 ** exponent(self.report))
        return Money(round(exact), self.report)


@dataclass(frozen=True, slots=True)
class Template:
    """Approved wording of one message."""

    subject: str
    body: str


@dataclass(frozen=True)
class Policy:
    version: str = ""  # the hash of its content
    grace_past_due: timedelta = timedelta(days=7)
    revenue: Tolerance = Tolerance()
    deadlines: Deadlines = Deadlines()
    rules: Mapping[Kind, Switch] = field(default_factory=dict)
    of_accounts: Mapping[str, Mapping[Kind, Switch]] = field(default_factory=dict)  # by slug
    escalate: tuple[Escalation, ...] = ()
    approve: tuple[ApproveLine, ...] = ()
    auto: tuple[AutoLine, ...] = ()
    limits: Limits = Limits()
    money: Rates = Rates()
    templates: Mapping[str, Template] = field(default_factory=dict)

    def for_account(self, slug: str) -> "Policy":
        """The policy as it applies to one account: its own switches win."""
        own = self.of_accounts.get(slug)
        if not self.of_accounts:
            return self
        return replace(self, rules={**self.rules, **(own or {})}, of_accounts={})

    @derived
    def off(self) -> frozenset[Kind]:
        """The rules that are switched off."""
        return frozenset(kind for kind, switch in self.rules.items() if not switch.on)

    def parameter(self, kind: Kind, name: str, default: Json = None) -> Json:
        return self.rules.get(kind, ON).parameters.get(name, default)
