"""Builds the facts of one customer step by step: `customer("cus_1").paying("pro").given("pro").facts()`."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from accounts.facts import Entitlement, Record, Subject
from accounts.money import Money
from accounts.stripe.shapes import Charge, Coupon, Discount, Dispute, Invoice, Price, Refund, Subscription
from accounts.stripe.shapes.base import Embedded
from accounts.stripe.shapes.billing import PauseCollection, SubscriptionItem
from accounts.stripe.shapes.catalog import Recurring
from daemon.core.model import (
    AccessWords,
    AccountFacts,
    CrmWords,
    Estate,
    Facts,
    Filed,
    Neighbour,
    PlanNames,
    Source,
)
from tests import payments

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
ACME = AccountFacts(
    "acme",
    "acct_1",
    livemode=True,
    adopted=LONG_AGO,
    crm=CrmWords("hubspot", churned=("churned",), active=("active", "trial")),
    entitlements=AccessWords("app", ("active", "grace")),
)


def customer(id: str = "cus_1") -> "Scene":
    return Scene(id)


def item(plan: str, monthly: str = "20.00 EUR", *, seats: int | None = 1, **price: Any) -> SubscriptionItem:
    """One item of a plan: its price by unit, in words of the configuration's lookup key."""
    amount, _, currency = monthly.partition(" ")
    every, count = price.pop("every", ("month", 1))
    usage = price.pop("usage_type", "licensed")
    made: dict[str, Any] = {
        "id": f"price_{plan}",
        "currency": currency.lower(),
        "product": f"prod_{plan}",
        "lookup_key": plan,
        "unit_amount": Money.from_major(amount, currency).amount_minor,
        "recurring": Recurring(interval=every, interval_count=count, usage_type=usage),
    }
    return SubscriptionItem(id=f"si_{plan}", price=Price(**made | price), quantity=seats)


def unix(when: datetime) -> int:
    return int(when.timestamp())


@dataclass
class Scene:
    """What the systems say of one customer."""

    id: str
    account: AccountFacts = ACME
    exists: bool = True
    deleted: bool = False
    discount: Discount | None = None
    subscriptions: list[Subscription] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    records: list[Filed] = field(default_factory=list)
    entitlements: list[Entitlement] = field(default_factory=list)
    others: list[AccountFacts] = field(default_factory=list)
    same_id: list[Neighbour] = field(default_factory=list)
    same_person: list[Neighbour] = field(default_factory=list)
    unread: set[Source] = field(default_factory=set)
    incomplete: set[Source] = field(default_factory=set)
    read_at: dict[Source, datetime] = field(default_factory=dict)
    changed: dict[tuple[Source, str], datetime] = field(default_factory=dict)

    def paying(
        self,
        *plans: str | SubscriptionItem,
        id: str = "sub_1",
        status: str = "active",
        since: datetime = LONG_AGO,
        paused: bool = False,
        discounts: Iterable[Coupon] = (),
        **more: Any,
    ) -> Self:
        items = tuple(item(plan) if isinstance(plan, str) else plan for plan in plans)
        ended = unix(since + timedelta(days=1)) if status == "canceled" else None
        self.subscriptions.append(
            payments.subscription(
                id=id,
                customer=self.id,
                status=status,
                created=unix(since),
                items=Embedded(items),
                ended_at=ended,
                pause_collection=PauseCollection(behavior="void") if paused else None,
                discounts=tuple(Discount(id=f"di_{each.id}", coupon=each) for each in discounts),
                **more,
            )
        )
        return self

    def invoiced(
        self, id: str, subscription: str, owed: Money, since: datetime, status: str = "open", **more: Any
    ) -> Self:
        made = payments.invoice(
            id=id,
            customer=self.id,
            subscription=subscription,
            created=unix(since),
            status=status,
            amount=owed.amount_minor,
            currency=owed.currency,
        )
        self.invoices.append(replace_struct(made, **more))
        return self

    def paid(self, id: str, amount: Money, on: datetime, **more: Any) -> Self:
        self.charges.append(
            payments.charge(
                id,
                customer=self.id,
                amount=amount.amount_minor,
                currency=amount.currency,
                created=unix(on),
                **more,
            )
        )
        return self

    def disputed(self, id: str, charge: str, status: str, **more: Any) -> Self:
        of_charge = next(each for each in self.charges if each.id == charge)
        self.charges = [
            replace_struct(each, disputed=True) if each.id == charge else each for each in self.charges
        ]
        money: dict[str, Any] = {"amount": of_charge.amount, "currency": of_charge.currency}
        self.disputes.append(payments.dispute(id, charge=charge, status=status, **money | more))
        return self

    def filed(self, key: str = "crm_1", source: str = "hubspot", **says: Any) -> Self:
        mrr = says.pop("mrr", None)
        known = {"stripe_customer": self.id, "stripe_account": self.account.stripe_account}
        record = Record(key, mrr=None if mrr is None else Decimal(mrr), **known | says)
        self.records.append(Filed(source, record))
        return self

    def given(
        self, plan: str | None = "pro", key: str = "ent_1", status: str = "active", **says: Any
    ) -> Self:
        known: dict[str, Any] = {
            "stripe_customer": self.id,
            "stripe_account": self.account.stripe_account,
            "feature": "app",
        }
        self.entitlements.append(Entitlement(key, plan=plan, status=status, **known | says))
        return self

    def naming(self, **names: Any) -> Self:
        self.account = replace(self.account, plans=PlanNames(**names))
        return self

    def facts(self) -> Facts:
        own = payments.customer(id=self.id, discount=self.discount)
        estate = Estate(
            (self.account, *self.others),
            frozenset(Source) - self.incomplete - self.unread,
        )
        return Facts(
            subject=Subject(self.account.slug, "customer", self.id),
            account=self.account,
            estate=estate,
            customer=own if self.exists and not self.deleted else None,
            customer_deleted=self.deleted,
            subscriptions=tuple(self.subscriptions),
            invoices=tuple(self.invoices),
            charges=tuple(self.charges),
            refunds=tuple(self.refunds),
            disputes=tuple(self.disputes),
            records=tuple(self.records),
            entitlements=tuple(self.entitlements),
            same_id=tuple(self.same_id),
            same_person=tuple(self.same_person),
            person="a-keyed-hash" if self.exists else None,
            unread=frozenset(self.unread),
            read_at={source: self.read_at.get(source, NOW) for source in Source},
            changed=self.changed,
        )


def replace_struct(one: Any, **changes: Any) -> Any:
    """A copy of a struct that skips its own normalisation, as what is stored does."""
    known = {name: getattr(one, name) for name in one.__struct_fields__}
    return type(one)(**known | changes)


def coupon(id: str, duration: str | None, *, percent: str | None = None, off: Money | None = None) -> Coupon:
    return Coupon(
        id=id,
        duration=duration,
        percent_off=Decimal(percent) if percent else None,
        amount_off=off.amount_minor if off else None,
        currency=off.currency if off else None,
    )


def kinds(found: Collection[Any]) -> list[str]:
    return sorted(each.disagreement.kind.value for each in found)
