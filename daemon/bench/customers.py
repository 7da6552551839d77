"""Facts of pretend customers, as an observer would make them, for measuring judgement without anything else.

Most agree, as they do: of a hundred, two are on trial, one is past due with a failed payment, and one is at odds with
another system, in one of four ways.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from accounts.facts import Entitlement, Record, Subject
from accounts.sandbox import objects
from accounts.stripe.decoding import Decoding, Deleted
from accounts.stripe.shapes import Charge, Customer, Invoice, Subscription
from daemon.core.model import AccessWords, AccountFacts, CrmWords, Estate, Facts, Filed, Source

NOW: Final = datetime(2026, 1, 10, 12, tzinfo=UTC)
SINCE: Final = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
DAY_S: Final = 86_400
AMOUNT, CURRENCY = 2_000, "eur"

ACME: Final = AccountFacts(
    "acme",
    "acct_1",
    livemode=True,
    adopted=datetime(2025, 1, 1, tzinfo=UTC),
    crm=CrmWords("crm", churned=("churned",), active=("active", "trial")),
    entitlements=AccessWords("app", ("active", "grace")),
)
ESTATE: Final = Estate((ACME,), frozenset(Source))
S = TypeVar("S", bound=msgspec.Struct)

_DECODING: Final = Decoding(b"of no installation")
_PRICE: Final = objects.price(
    "price_pro", created=SINCE, product="prod_pro", currency=CURRENCY, unit_amount=AMOUNT, lookup_key="pro"
)


def customers(first: int, count: int) -> list[Facts]:
    """So many, with nothing derived yet: each call makes them anew."""
    return [_customer(number) for number in range(first, first + count)]


def _customer(number: int) -> Facts:
    kind, turn = number % 100, number // 100 % 4
    odd = turn if kind == 99 else None
    status = "trialing" if kind < 2 else "past_due" if kind == 2 else "active"
    id_ = f"cus_{number}"
    mrr = "0" if status == "trialing" else "90.00" if odd == 2 else "20.00"
    record = Record(
        f"crm_{number}",
        stripe_customer=id_,
        stripe_account=ACME.stripe_account,
        plan="pro",
        status="churned" if odd == 3 else "active",
        mrr=Decimal(mrr),
    )
    entitlement = Entitlement(
        f"ent_{number}",
        stripe_customer=id_,
        stripe_account=ACME.stripe_account,
        feature="app",
        plan="team" if odd == 0 else "pro",
        status="active",
        quantity=5 if odd == 1 else 1,
    )
    return Facts(
        subject=Subject(ACME.slug, "customer", id_),
        account=ACME,
        estate=ESTATE,
        customer=_read(Customer, objects.customer(id_, created=SINCE, name="", email="", currency=CURRENCY)),
        subscriptions=(_subscription(number, status),),
        invoices=tuple(_invoice(number, str(month), _paid_at(month), "paid") for month in range(3))
        + ((_invoice(number, "open", _days_ago(2), "open"),) if status == "past_due" else ()),
        charges=tuple(_charge(number, month) for month in range(3)),
        records=(Filed("crm", record),),
        entitlements=(entitlement,),
        person=f"hash_{number}",
        read_at=dict.fromkeys(Source, NOW),
    )


def _subscription(number: int, status: str) -> Subscription:
    item = objects.subscription_item(
        f"si_{number}",
        created=SINCE,
        subscription=f"sub_{number}",
        price=_PRICE,
        period=(_days_ago(5), _days_ago(-25)),
    )
    return _read(
        Subscription,
        objects.subscription(
            f"sub_{number}", created=SINCE, customer=f"cus_{number}", items=[item], status=status
        ),
    )


def _invoice(number: int, name: str, created: int, status: str) -> Invoice:
    item = objects.subscription_item(
        f"si_{number}",
        created=SINCE,
        subscription=f"sub_{number}",
        price=_PRICE,
        period=(created, created + 30 * DAY_S),
    )
    id_ = f"in_{number}_{name}"
    line = objects.invoice_line(
        f"il_{number}_{name}", invoice=id_, item=item, period=(created, created + 30 * DAY_S)
    )
    return _read(
        Invoice,
        objects.invoice(
            id_,
            created=created,
            customer=f"cus_{number}",
            currency=CURRENCY,
            lines=[line],
            subscription=f"sub_{number}",
            status=status,
            attempted=True,
            attempt_count=1,
        ),
    )


def _charge(number: int, month: int) -> Charge:
    return _read(
        Charge,
        objects.charge(
            f"ch_{number}_{month}",
            created=_paid_at(month),
            amount=AMOUNT,
            currency=CURRENCY,
            customer=f"cus_{number}",
        ),
    )


def _read(shape: type[S], made: dict[str, Any]) -> S:
    read = _DECODING.one(shape, msgspec.json.encode(made))
    assert not isinstance(read, Deleted), "nothing of it is deleted"
    return read


def _paid_at(month: int) -> int:
    return _days_ago(30 * month + 5)


def _days_ago(days: int) -> int:
    return int((NOW - timedelta(days=days)).timestamp())
