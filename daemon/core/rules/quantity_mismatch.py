"""Stripe bills another number of seats than the product gives.

Entitlements without a quantity and metered items say nothing. Of several live subscriptions each is compared with
the entitlements of its own plan. Usual cause: seats were added in the product, and not in Stripe.
"""

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction

from accounts.stripe.shapes.billing import SubscriptionItem
from daemon.core.model import (
    Difference,
    Direction,
    Disagreement,
    Entitlement,
    Facts,
    Found,
    Kind,
    Money,
    Policy,
    Side,
    Source,
    Subscription,
    System,
    entitlement_set,
)

needs = (Source.SUBSCRIPTIONS, Source.PRODUCTS, Source.ENTITLEMENTS)


def quantity_mismatch(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    if not facts.live or not facts.entitlements:
        return
    counted = [each for each in facts.access(now) if each.quantity is not None]
    if not counted or _agree_to_the_letter(facts.live, counted):
        return
    for subscription in facts.live:
        billed = [item.quantity for item in subscription.items.data if item.quantity is not None]
        given, siblings = _of_its_plan(facts, subscription, counted)
        if not billed or not given:
            continue
        # Quantities may be kept per item, per feature, or as one sum on either side.
        of_stripe = {*billed, sum(billed), sum(billed) + siblings}
        seats = [each.quantity or 0 for each in given]
        if of_stripe.isdisjoint({*seats, sum(seats)}):
            yield _mismatch(facts, subscription, given[0], _seats_of(facts, subscription, given[0].plan))


def _agree_to_the_letter(live: tuple[Subscription, ...], counted: list[Entitlement]) -> bool:
    """Most customers have one item and one entitlement, and the same number of each."""
    items = live[0].items.data
    return (
        len(live) == 1 and len(counted) == 1 and len(items) == 1 and items[0].quantity == counted[0].quantity
    )


def _of_its_plan(
    facts: Facts, subscription: Subscription, counted: list[Entitlement]
) -> tuple[list[Entitlement], int]:
    """The entitlements to compare it with, and how many seats other live subscriptions of its plan have."""
    if len(facts.live) == 1:
        return counted, 0
    own = _names(facts, subscription)
    siblings = [each for each in facts.live if each is not subscription and _names(facts, each) & own]
    seats = sum(item.quantity or 0 for each in siblings for item in each.items.data)
    return [each for each in counted if each.plan and _folded(each.plan) in own], seats


def _names(facts: Facts, subscription: Subscription) -> set[str]:
    return {name for item in subscription.items.data for name in _names_of(facts, item)}


def _names_of(facts: Facts, item: SubscriptionItem) -> set[str]:
    if item.price is None:
        return set()
    return {_folded(name) for name in facts.account.plans.of(item.price, facts.products)}


def _folded(plan: str) -> str:
    """People write Pro where a key says pro."""
    return plan.strip().casefold()


def _seats_of(facts: Facts, subscription: Subscription, plan: str | None) -> int:
    """What is billed of the plan that is given; of all items where none bears its name."""
    items = [item for item in subscription.items.data if item.quantity is not None]
    of_plan = [item for item in items if plan and _folded(plan) in _names_of(facts, item)]
    return sum(item.quantity or 0 for item in of_plan or items)


def _mismatch(facts: Facts, subscription: Subscription, given: Entitlement, billed: int) -> Disagreement:
    plan = facts.plan_of(subscription)
    seats = given.quantity or 0
    monthly = facts.monthly_of(subscription)
    difference = (
        Money(round(Fraction(monthly.amount_minor * abs(seats - billed), billed)), monthly.currency)
        if monthly is not None and billed
        else None
    )
    return Disagreement(
        kind=Kind.QUANTITY_MISMATCH,
        subject=facts.subject,
        per=("subscription", subscription.id),
        title=f"Stripe bills {billed} × {plan} ({subscription.id}) and the product gives {seats} ({given.key})",
        sides=(
            Side(Source.SUBSCRIPTIONS, (subscription.id,)),
            Side(Source.ENTITLEMENTS, (given.key,)),
        ),
        facts={
            System.STRIPE: {"subscription": subscription.id, "quantity": billed},
            System.ENTITLEMENT: {given.key: {"quantity": seats}},
        },
        differences=(Difference("quantity", {System.STRIPE: billed, System.ENTITLEMENT: seats}),),
        odd_one_out=System.ENTITLEMENT,
        amount=difference,
        direction=Direction.US if seats > billed else Direction.CUSTOMER,
        recommended=entitlement_set(facts, given.feature, given.status, given.plan, billed),
    )
