"""Stripe bills one plan, and the product gives another, or the CRM names another.

How a price is named elsewhere is said under [plans]; a price that has no name there is not compared. Several live
subscriptions agree if each plan has its entitlement; the CRM agrees if it names one of them. Usual cause: a plan was
changed in the Stripe dashboard. Turn it off where neither the product nor the CRM tracks plans.
"""

from collections.abc import Iterator
from datetime import datetime

from daemon.core.model import (
    Difference,
    Direction,
    Disagreement,
    Entitlement,
    Facts,
    Filed,
    Found,
    Kind,
    Policy,
    Recommendation,
    Side,
    Source,
    Subscription,
    System,
    as_given,
    correction,
    entitlement_set,
)

needs = (Source.CUSTOMERS, Source.SUBSCRIPTIONS, Source.PRODUCTS, Source.CRM, Source.ENTITLEMENTS)


def plan_mismatch(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    if not facts.live:
        return
    access = facts.access(now)
    if not access and facts.account.entitlements is not None:
        return
    if len(facts.live) == 1 and _agree_to_the_letter(facts, access):
        return
    named = [each for each in access if each.plan]
    filed = facts.record if facts.record is not None and facts.record.record.plan else None
    if not named and filed is None:
        return
    given = {_folded(each.plan) for each in named}
    plans = [(subscription, facts.plans_of(subscription)) for subscription in facts.live]
    billed = {_folded(name) for _, items in plans for names in items for name in names}
    all_known = all(items and all(items) for _, items in plans)
    crm_differs = filed is not None and all_known and _folded(filed.record.plan) not in billed
    unbilled = [each for each in named if _folded(each.plan) not in billed] if all_known else []
    for subscription, items in plans:
        own = [{_folded(name) for name in names} for names in items if names]
        # An item that nothing is given for is an extra; one of which something unbilled is given instead is not.
        met = [bool(names & given) for names in own]
        differs = bool(own and given) and (not any(met) or bool(unbilled and not all(met)))
        if differs or (own and crm_differs):
            others = tuple(unbilled or named) if differs else ()
            yield _mismatch(facts, subscription, tuple(named), others, filed, crm_differs)


def _agree_to_the_letter(facts: Facts, access: tuple[Entitlement, ...]) -> bool:
    """Most customers have one plan, and every system writes it alike: then nothing is to be weighed."""
    items = facts.live[0].items.data
    if len(items) != 1 or items[0].price is None:
        return False
    names = facts.account.plans.of(items[0].price, facts.products)
    for each in access:
        if each.plan and each.plan not in names:
            return False
    filed = facts.record
    return filed is None or not filed.record.plan or filed.record.plan in names


def _mismatch(
    facts: Facts,
    subscription: Subscription,
    named: tuple[Entitlement, ...],
    others: tuple[Entitlement, ...],
    filed: Filed | None,
    crm_differs: bool,
) -> Disagreement:
    """Of the entitlements that name a plan, `others` name another one than Stripe bills."""
    billed = facts.plan_of(subscription)
    says: dict[System, str | None] = {System.STRIPE: billed}
    told = [f"Stripe bills {billed} ({subscription.id})"]
    sides = [Side(Source.SUBSCRIPTIONS, (subscription.id,))]
    if named:
        says[System.ENTITLEMENT] = (others or named)[0].plan
    if others:
        told.append(f"the product gives {others[0].plan} ({others[0].key})")
        sides.append(Side(Source.ENTITLEMENTS, tuple(each.key for each in others)))
    if filed is not None:
        says[System.CRM] = filed.record.plan
    if filed is not None and crm_differs:
        told.append(f"the CRM says {filed.record.plan} ({filed.record.key})")
        sides.append(Side(Source.CRM, (filed.record.key,)))
    remedies: list[Recommendation] = [
        entitlement_set(facts, each.feature, each.status, billed, each.quantity) for each in others
    ]
    if filed is not None and crm_differs:
        remedies.append(correction(filed, plan=billed))
    return Disagreement(
        kind=Kind.PLAN_MISMATCH,
        subject=facts.subject,
        per=("subscription", subscription.id),
        title=", ".join(told[:-1]) + " and " + told[-1],
        sides=tuple(sides),
        facts={
            System.STRIPE: {"subscription": subscription.id, "plan": billed},
            System.ENTITLEMENT: as_given(others),
            System.CRM: {filed.record.key: {"plan": filed.record.plan}} if filed and crm_differs else {},
        },
        differences=(Difference("plan", says),),
        odd_one_out=_odd_one_out(others, filed if crm_differs else None),
        amount=facts.monthly_of(subscription),
        direction=None if others else Direction.BOOKS,
        recommended=remedies[0],
        drafts=tuple(remedies[1:]),
    )


def _odd_one_out(others: tuple[Entitlement, ...], differing: Filed | None) -> System | None:
    """Two against one; where there are only two, Stripe is the system of record."""
    if not others:
        return System.CRM
    if differing is None:
        return System.ENTITLEMENT
    if _folded(differing.record.plan) in {_folded(each.plan) for each in others}:
        return System.STRIPE
    return None


def _folded(plan: str | None) -> str:
    """People write Pro where a key says pro."""
    return (plan or "").strip().casefold()
