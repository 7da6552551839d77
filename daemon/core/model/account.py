"""What judgement knows of an account and of all accounts together, beside what was read of one subject."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.stripe.shapes import Price, Product
from daemon.core.model.kinds import Source


@dataclass(frozen=True, slots=True)
class PlanNames:
    """How a Stripe price is named in the other systems: [plans] of the configuration, compiled once."""

    by: str = "lookup_key"  # or nickname, product, metadata.KEY
    pattern: re.Pattern[str] | None = None  # with a group named plan; what it does not match has no name
    map: Mapping[str, str] = field(default_factory=dict)  # price id = plan; wins

    @property
    def by_product(self) -> bool:
        return self.by == "product"

    def of(self, price: Price, products: Mapping[str, Product]) -> tuple[str, ...]:
        """The names that this price's plan goes by, the one to show first; none where it cannot be named."""
        if price.id in self.map:
            return (self.map[price.id],)
        if self.by == "lookup_key" and self.pattern is None:
            return (price.lookup_key,) if price.lookup_key else ()
        named = self._written(price, products)
        if self.pattern is not None:
            found = [self.pattern.search(name) for name in named]
            named = [match["plan"] for match in found if match is not None and match["plan"]]
        return tuple(named)

    def _written(self, price: Price, products: Mapping[str, Product]) -> list[str]:
        if self.by == "lookup_key":
            names = [price.lookup_key]
        elif self.by == "nickname":
            names = [price.nickname]
        elif self.by_product:
            product = products.get(price.product or "")
            names = [product.name if product else None, price.product]
        else:
            kept: Mapping[str, str] = price.metadata or {}
            names = [kept.get(self.by.removeprefix("metadata."))]
        return [name for name in names if name]


@dataclass(frozen=True, slots=True)
class CrmWords:
    """A CRM as the account uses it: its name, and what its words mean."""

    source: str
    churned: tuple[str, ...] = ()  # the first is the word that we would write
    active: tuple[str, ...] = ()
    mixed: bool = False  # live and test accounts use it: what names no account may be about the other mode


@dataclass(frozen=True, slots=True)
class AccessWords:
    """An entitlement store as the account uses it: its name, and which states let a customer in."""

    source: str
    access: tuple[str, ...] = ()  # the first is the word that we would write
    mixed: bool = False  # live and test accounts use it, as above


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account: its configuration as far as judgement asks for it, and when we adopted it."""

    slug: str
    stripe_account: str
    livemode: bool
    mode: str = "observe"
    adopted: datetime | None = None  # when its first complete pass ended; None before that
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    settle: timedelta = timedelta(minutes=10)
    plans: PlanNames = field(default_factory=PlanNames)
    crm: CrmWords | None = None
    entitlements: AccessWords | None = None


@dataclass(frozen=True, slots=True)
class Estate:
    """All accounts of one mode, for what concerns several of them. Live and test never meet in one estate."""

    accounts: tuple[AccountFacts, ...]
    complete: frozenset[Source] = frozenset()  # whose last pass was complete in every account that has them

    def users_of_crm(self, source: str) -> tuple[AccountFacts, ...]:
        return tuple(each for each in self.accounts if each.crm is not None and each.crm.source == source)

    def users_of_entitlements(self, source: str) -> tuple[AccountFacts, ...]:
        return tuple(
            each
            for each in self.accounts
            if each.entitlements is not None and each.entitlements.source == source
        )

    def words_of(self, source: str) -> CrmWords | None:
        return next((each.crm for each in self.users_of_crm(source) if each.crm), None)


@dataclass(frozen=True, slots=True)
class AccountHealth:
    """How well we can see and act for an account: the facts of a subject of kind `account`."""

    key_trouble: str | None = None  # a closed word: unproven, revoked, expired, wrong_account, unreadable
    missing_permissions: Mapping[Source, tuple[str, ...]] = field(default_factory=dict)
    unread_since: Mapping[Source, datetime] = field(default_factory=dict)
    events_missed: int = 0  # found by polling and brought by no webhook
    gap_from: datetime | None = None  # events between these are beyond what Stripe keeps
    gap_until: datetime | None = None
    endpoint_trouble: tuple[
        str, ...
    ] = ()  # closed words: disabled, missing_types, other_version, bad_signatures
    held: Mapping[str, "HeldRule"] = field(default_factory=dict)  # by kind


@dataclass(frozen=True, slots=True)
class HeldRule:
    """A rule whose new cases are held back, because too many came at once."""

    count: int
    subjects: int
    examples: tuple[str, ...] = ()
