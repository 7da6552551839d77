"""Limits: how much one vote may reach, and how much a person and an account may approve in a day, by currency.

Amounts of two currencies are never compared. A day is a day in the configured time zone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.money import Money
from daemon.core.approval.objection import Objection
from daemon.core.approval.principal import Principal
from daemon.core.model import Limits

Spent = Mapping[str, int]  # minor units by currency


def day_of(now: datetime, timezone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the day of this moment begins and ends there. It may have 23 or 25 hours."""
    midnight = now.astimezone(timezone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)


def of_vote(who: Principal, money: Money | None) -> Objection | None:
    """Why one vote of this person may not reach this far. Somebody with limits has none to spare elsewhere."""
    if money is None or reach(who.limits, money):
        return None
    limit = _in(who.limits, money.currency)
    if limit is None:
        return Objection("limit", f"{who.name} may approve up to {_all(who.limits)}, and nothing in "
                         f"{money.currency.upper()}; this is {money}.")  # fmt: skip
    return Objection("limit", f"{who.name} may approve up to {limit} at a time; this is {money}.")


def reach(given: Sequence[Money], money: Money | None) -> bool:
    """Whether one vote of somebody with these limits reaches this far."""
    if money is None or not given:
        return True
    limit = _in(given, money.currency)
    return limit is not None and money.amount_minor <= limit.amount_minor


def of_day(
    limits: Limits, money: Money | None, *, person: tuple[str, Spent], account: tuple[str, Spent]
) -> Objection | None:
    """Why this would be too much today: for the person who votes, or for the account. Each with what was spent."""
    if money is None:
        return None
    for (name, spent), daily in ((person, limits.person_daily), (account, limits.account_daily)):
        limit = _in(daily, money.currency)
        before = Money(spent.get(money.currency, 0), money.currency)
        if limit is not None and before.amount_minor + money.amount_minor > limit.amount_minor:
            return Objection(
                "limit",
                f"{name} has {before} of {limit} approved today; {money} more would be too much. It can be approved "
                "tomorrow, or be asked for anew once the policy has changed.",
            )
    return None


def stricter(old: Limits, new: Limits) -> Limits:
    """What holds for something that was proposed under the old policy and is decided under the new one."""
    return replace(
        new,
        person_daily=_lower(old.person_daily, new.person_daily),
        account_daily=_lower(old.account_daily, new.account_daily),
    )


def _lower(one: Sequence[Money], other: Sequence[Money]) -> tuple[Money, ...]:
    """Of each currency the lower limit; what one of them limits is limited."""
    lowest: dict[str, int] = {}
    for each in (*one, *other):
        lowest[each.currency] = min(each.amount_minor, lowest.get(each.currency, each.amount_minor))
    return tuple(Money(amount, currency) for currency, amount in lowest.items())


def _in(limits: Sequence[Money], currency: str) -> Money | None:
    return next((each for each in limits if each.currency == currency), None)


def _all(limits: Sequence[Money]) -> str:
    return ", ".join(str(each) for each in limits)
