"""What a subscription brings a month: exactly, in minor units, before tax and after discounts that last for ever.

Whole numbers and fractions of them: a year's price divided by twelve is rounded where it is shown, never where it
is compared.
"""

from collections.abc import Iterable
from enum import Enum
from fractions import Fraction
from typing import Final

from msgspec import Struct

from accounts.money import Money
from accounts.stripe.shapes import Coupon, Customer, Discount, Price, Subscription

Exact = int | Fraction  # most prices are whole and monthly, and whole numbers are ten times as fast

# What is billed once in an interval, times this, is billed in a month.
A_MONTH: Final[dict[str, Exact]] = {
    "day": Fraction(365, 12),
    "week": Fraction(52, 12),
    "month": 1,
    "year": Fraction(1, 12),
}


class Unknowable(Enum):
    """Why nobody can say what a subscription brings a month."""

    NOTHING_BILLED = "it has no items"
    USAGE = "usage is metered"
    TIERS = "the price has tiers or no unit amount"
    INTERVAL = "it is billed in intervals that do not go together"
    CURRENCIES = "it is billed in more than one currency"
    DISCOUNT = "a discount's terms were not read"


class Monthly(Struct, frozen=True):
    minor: Exact
    currency: str

    def rounded(self) -> Money:
        return Money(round(self.minor), self.currency)


class _Bill(Struct, frozen=True):
    """One item's share of an invoice."""

    minor: Exact
    a_month: Exact  # times this, it is a month's
    currency: str


def monthly_of(subscription: Subscription, customer: Customer | None) -> Monthly | Unknowable:
    """Of all its items, less the discounts on them, on it, or else on its customer."""
    discounts = subscription.discounts
    if not discounts and customer is not None and customer.discount is not None:
        discounts = (customer.discount,)  # a subscription's own discount replaces its customer's
    bills: list[_Bill] = []
    for item in subscription.items.data:
        if item.price is None:
            return Unknowable.TIERS
        bill = _billed(item.price, item.quantity)
        if isinstance(bill, Unknowable):
            return bill
        if not item.discounts:
            bills.append(bill)
            continue
        left = _discounted([bill], item.discounts)
        if isinstance(left, Unknowable):
            return left
        bills.extend(left)
    if not bills:
        return Unknowable.NOTHING_BILLED
    if len(bills) > 1 and len({bill.currency for bill in bills}) > 1:
        return Unknowable.CURRENCIES
    if discounts:
        left = _discounted(bills, discounts)
        if isinstance(left, Unknowable):
            return left
        bills = left
    if len(bills) == 1:
        return Monthly(bills[0].minor * bills[0].a_month, bills[0].currency)
    return Monthly(_sum(bill.minor * bill.a_month for bill in bills), bills[0].currency)


def sum_of(parts: Iterable[Monthly | Unknowable]) -> Monthly | Unknowable:
    """Of several subscriptions; one that cannot be known makes the sum unknown."""
    total: Monthly | None = None
    for part in parts:
        if isinstance(part, Unknowable):
            return part
        if total is not None and part.currency != total.currency:
            return Unknowable.CURRENCIES
        total = part if total is None else Monthly(total.minor + part.minor, total.currency)
    return Unknowable.NOTHING_BILLED if total is None else total


def _billed(price: Price, quantity: int | None) -> _Bill | Unknowable:
    recurring = price.recurring
    if recurring is None or recurring.interval not in A_MONTH or not recurring.interval_count:
        return Unknowable.INTERVAL
    if recurring.usage_type != "licensed" or quantity is None:
        return Unknowable.USAGE
    unit: Exact | None = price.unit_amount  # None where the price has a fraction of the minor unit
    if unit is None and price.unit_amount_decimal is not None:
        unit = Fraction(price.unit_amount_decimal)
    if price.billing_scheme != "per_unit" or unit is None:
        return Unknowable.TIERS
    packages = quantity
    if price.transform_quantity is not None and price.transform_quantity.divide_by:
        whole, rest = divmod(quantity, price.transform_quantity.divide_by)
        packages = whole + (1 if rest and price.transform_quantity.round == "up" else 0)
    a_month = A_MONTH[recurring.interval]
    if recurring.interval_count != 1:
        a_month = Fraction(a_month) / recurring.interval_count
    return _Bill(unit * packages, a_month, price.currency)


def _discounted(bills: list[_Bill], discounts: Iterable[Discount]) -> list[_Bill] | Unknowable:
    """What is left of these, one discount after the other."""
    for discount in discounts:
        coupon = discount.coupon
        if coupon is None or coupon.duration is None:
            return Unknowable.DISCOUNT
        if coupon.duration != "forever":
            continue
        left = _less(bills, coupon)
        if isinstance(left, Unknowable):
            return left
        bills = left
    return bills


def _less(bills: list[_Bill], coupon: Coupon) -> list[_Bill] | Unknowable:
    if coupon.percent_off is not None:
        share = 1 - Fraction(coupon.percent_off) / 100
        return [_Bill(bill.minor * share, bill.a_month, bill.currency) for bill in bills]
    if coupon.amount_off is None:
        return Unknowable.DISCOUNT
    if any(bill.currency != coupon.currency for bill in bills):
        return Unknowable.CURRENCIES
    if len({bill.a_month for bill in bills}) > 1:
        return Unknowable.INTERVAL  # an amount comes off an invoice, and these are on different ones
    whole = Fraction(_sum(bill.minor for bill in bills))
    if not whole:
        return bills
    share = max(Fraction(0), 1 - Fraction(coupon.amount_off) / whole)
    return [_Bill(bill.minor * share, bill.a_month, bill.currency) for bill in bills]


def _sum(parts: Iterable[Exact]) -> Exact:
    total: Exact = 0
    for part in parts:
        total += part
    return total
