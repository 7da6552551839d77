"""The approval matrix: how many people of which roles a proposal needs. The first line that matches applies.

What no line matches needs two. Where limits are set, so does what moves a currency that no limit names. While a
proposal waits and the policy changes, the stricter of the old and the new one holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from accounts.money import Money
from daemon.core.model import ApproveLine, AutoLine, Limits, Policy

APPROVERS_UNLESS_SAID: Final = 2
DISPUTES: Final = frozenset({"dispute_evidence", "dispute_accept"})
AUTOMATIC: Final = 0  # approvers that something needs which the policy approves by itself
NO_LINE: Final = "no line of the matrix"


@dataclass(frozen=True, slots=True)
class Need:
    approvers: int
    roles: tuple[str, ...]
    rule: str  # which line of the policy says so, as people read it


def need_of(policy: Policy, action: str, account: str, money: Money | None) -> Need:
    for number, line in enumerate(policy.approve, start=1):
        if _matches(line, action, account, money):
            need = Need(line.approvers, line.roles, _named(number, line))
            break
    else:
        roles = ("approver", "disputes") if action in DISPUTES else ("approver",)
        need = Need(APPROVERS_UNLESS_SAID, roles, NO_LINE)
    if money is not None and need.approvers < APPROVERS_UNLESS_SAID and _unlimited(policy.limits, money):
        rule = f"{need.rule}, and no limit names {money.currency.upper()}"
        return Need(APPROVERS_UNLESS_SAID, need.roles, rule)
    return need


def stricter(old: Need, new: Need) -> Need:
    """What holds for something that was proposed under the old policy and is decided under the new one."""
    roles = tuple(each for each in new.roles if each in old.roles)
    more = old if old.approvers > new.approvers else new
    return Need(more.approvers, roles or new.roles, more.rule)


def auto_line(policy: Policy, action: str, account: str, money: Money | None) -> tuple[str, AutoLine] | None:
    """The line by which this is approved without a person as far as its own amount goes, and the line's name."""
    for number, line in enumerate(policy.auto, start=1):
        if line.action != action or line.account not in {None, account}:
            continue
        if _within(line, money):
            return f"auto line {number}: {line.action}", line
    return None


def _matches(line: ApproveLine, action: str, account: str, money: Money | None) -> bool:
    if line.action != action or line.account not in {None, account}:
        return False
    if line.over is None:
        return True
    same = money is not None and money.currency == line.over.currency
    return same and money is not None and money.amount_minor > line.over.amount_minor


def _named(number: int, line: ApproveLine) -> str:
    return f"approve line {number}: " + ", ".join(_words(line))


def _words(line: ApproveLine) -> Iterator[str]:
    yield line.action
    if line.over is not None:
        yield f"over {line.over}"
    if line.account is not None:
        yield f"account {line.account}"


def _unlimited(limits: Limits, money: Money) -> bool:
    named = {each.currency for each in (*limits.person_daily, *limits.account_daily)}
    return bool(named) and money.currency not in named


def _within(line: AutoLine, money: Money | None) -> bool:
    """Money moves without a person only inside both caps, which a refund's line always has."""
    if money is None:
        return line.action != "refund"
    if line.each is None or line.day is None:
        return False
    return money.currency == line.each.currency and money.amount_minor <= line.each.amount_minor
