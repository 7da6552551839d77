"""What is sold: products, prices, coupons, discounts, and the features that a product grants."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import force_setattr

from accounts.stripe.shapes.base import Code, Count, Id, Metadata, Minor, Part, Ref, Shape, Text, Unix, finite


class Product(Shape, frozen=True, kw_only=True, tag="product"):
    refs: ClassVar = ("default_price",)

    id: Id
    created: Unix
    active: bool = True
    livemode: bool | None = None
    name: Text = ""
    default_price: Ref | None = None
    metadata: Metadata | None = None


class Recurring(Part, frozen=True, kw_only=True):
    interval: Code  # day, week, month, year
    interval_count: Count = 1
    usage_type: Code = "licensed"  # metered: the amount is known only afterwards


class TransformQuantity(Part, frozen=True, kw_only=True):
    divide_by: Count
    round: Code


class Price(Shape, frozen=True, kw_only=True, tag="price"):
    refs: ClassVar = ("product",)

    id: Id
    currency: Code
    product: Ref | None = None
    active: bool = True
    billing_scheme: Code = "per_unit"  # tiered: no single unit amount
    created: Unix = 0
    livemode: bool | None = None
    lookup_key: Text | None = None
    nickname: Text | None = None
    metadata: Metadata | None = None
    recurring: Recurring | None = None
    tiers_mode: Code | None = None
    transform_quantity: TransformQuantity | None = None
    type: Code = "recurring"
    unit_amount: Minor | None = None
    unit_amount_decimal: Decimal | None = None  # minor units too, with fractions of them

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        finite(self.unit_amount_decimal)


class Plan(Shape, frozen=True, kw_only=True, tag="plan"):
    """What prices were before there were prices; still sent beside them."""

    refs: ClassVar = ("product",)

    id: Id
    currency: Code
    interval: Code
    product: Ref | None = None
    active: bool = True
    amount: Minor | None = None
    amount_decimal: Decimal | None = None
    billing_scheme: Code = "per_unit"
    created: Unix = 0
    interval_count: Count = 1
    livemode: bool | None = None
    metadata: Metadata | None = None
    nickname: Text | None = None
    tiers_mode: Code | None = None
    transform_usage: TransformQuantity | None = None
    usage_type: Code = "licensed"

    def as_price(self) -> Price:
        return Price(
            id=self.id,
            currency=self.currency,
            product=self.product,
            active=self.active,
            billing_scheme=self.billing_scheme,
            created=self.created,
            livemode=self.livemode,
            metadata=self.metadata,
            nickname=self.nickname,
            recurring=Recurring(
                interval=self.interval, interval_count=self.interval_count, usage_type=self.usage_type
            ),
            tiers_mode=self.tiers_mode,
            transform_quantity=self.transform_usage,
            unit_amount=self.amount,
            unit_amount_decimal=self.amount_decimal,
        )


class Coupon(Shape, frozen=True, kw_only=True, tag="coupon"):
    id: Id
    amount_off: Minor | None = None
    currency: Code | None = None
    duration: Code | None = None  # once, repeating, forever; None where only the coupon's id came
    duration_in_months: Count | None = None
    percent_off: Decimal | None = None

    def __post_init__(self) -> None:
        finite(self.percent_off)


if TYPE_CHECKING:
    CouponRef = Coupon
else:
    CouponRef = Id | Coupon


class DiscountSource(Part, frozen=True, kw_only=True):
    coupon: CouponRef | None = None


class Discount(Shape, frozen=True, kw_only=True, tag="discount"):
    id: Id
    coupon: CouponRef | None = None  # None where only the discount's id came: its terms are not known
    end: Unix | None = None
    start: Unix | None = None
    source: DiscountSource | None = None  # where the coupon is since clover; None afterwards

    def __post_init__(self) -> None:
        coupon: Any = self.coupon or (self.source and self.source.coupon)
        force_setattr(self, "coupon", Coupon(id=coupon) if isinstance(coupon, str) else coupon)
        force_setattr(self, "source", None)


if TYPE_CHECKING:
    DiscountRef = Discount
else:
    DiscountRef = Id | Discount


def discounts_of(named: tuple[Any, ...], single: Discount | None) -> tuple[Discount, ...]:
    """Today's list of discounts, filled with what the older single field knows about one of them."""
    if not named:
        return () if single is None else (single,)
    whole = tuple(Discount(id=each) if isinstance(each, str) else each for each in named)
    if single is None:
        return whole
    if single.id not in {each.id for each in whole}:
        return (*whole, single)
    return tuple(single if each.id == single.id and each.coupon is None else each for each in whole)


class Feature(Shape, frozen=True, kw_only=True, tag="entitlements.feature"):
    id: Id
    active: bool
    livemode: bool
    lookup_key: Text
    name: Text


class ActiveEntitlement(Shape, frozen=True, kw_only=True, tag="entitlements.active_entitlement"):
    """A feature that a customer has now. It names no customer: whoever asked knows."""

    refs: ClassVar = ("feature",)

    id: Id
    feature: Ref
    livemode: bool
    lookup_key: Text


class PaymentLink(Shape, frozen=True, kw_only=True, tag="payment_link"):
    """Its address is left out: whoever has it can pay, and Stripe's dashboard shows it."""

    id: Id
    active: bool
    currency: Code | None = None
    livemode: bool | None = None
    metadata: Metadata | None = None
