"""Which cases go to people by name of rule: the policy's own lines first, in their order, then the built-in ones.

    high_value, renewal_soon, …   as [escalate] of the policy says; a line holds if all that it names holds
    pending_cancellation          the subscription is to end, so the next message may decide whether it does
    open_dispute                  money is contested already
    refund_requested              somebody has asked for a refund that is not decided yet
    access_exception              past due beyond the grace period, with access: somebody has to grant that

A built-in line is switched off by no policy: each of them is a case that nobody should answer by template.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from accounts.stripe.shapes import Subscription
from daemon.core.context import open_disputes
from daemon.core.model import Escalation, Facts, Policy, Source, moment

READS: Final = (Source.CRM, Source.ENTITLEMENTS, Source.DISPUTES)


class Escalated(NamedTuple):
    by: str | None  # the rule that sends it to people; None: nothing does
    look_again_at: datetime | None  # when time alone brings another rule


def escalated(
    facts: Facts, subscription: Subscription | None, policy: Policy, now: datetime, *, about_dispute: str = ""
) -> Escalated:
    """The first rule that holds. A dispute's own case is not escalated for being a dispute."""
    moments = [edge for line in policy.escalate for edge in _renewal_window(line, facts) if edge > now]
    by = next(_names(facts, subscription, policy, now, about_dispute), None)
    if subscription is not None and (ends := _grace_ends(facts, subscription, policy)) and ends > now:
        moments.append(ends)
    return Escalated(by, min(moments, default=None))


def _names(
    facts: Facts, subscription: Subscription | None, policy: Policy, now: datetime, about_dispute: str
) -> Iterator[str]:
    for line in policy.escalate:
        if _holds(line, facts, now):
            yield line.name
    if subscription is not None and (subscription.cancel_at_period_end or subscription.cancel_at is not None):
        yield "pending_cancellation"
    if any(each.id != about_dispute for each in open_disputes(facts)):
        yield "open_dispute"
    if any(each.action == "refund" for each in facts.proposals):
        yield "refund_requested"
    if subscription is not None and facts.access(now):
        ends = _grace_ends(facts, subscription, policy)
        if ends is not None and now >= ends:
            yield "access_exception"


def _holds(line: Escalation, facts: Facts, now: datetime) -> bool:
    if line.mrr_over is None and line.renewal_within is None:
        return False
    if line.mrr_over is not None:
        # Currencies are not exchanged to decide who sees a case: a rate in a file is for totals.
        filed = facts.record
        worth = filed.record.mrr_in(line.mrr_over.currency) if filed is not None else None
        if worth is None or worth.currency != line.mrr_over.currency:
            return False
        if worth.amount_minor <= line.mrr_over.amount_minor:
            return False
    if line.renewal_within is not None:
        window = _renewal_window(line, facts)
        return bool(window) and window[0] <= now < window[1]
    return True


def _renewal_window(line: Escalation, facts: Facts) -> tuple[datetime, ...]:
    """From when to when a line about renewals holds. The CRM keeps contracts; a paid month's end is no renewal."""
    filed = facts.record
    if line.renewal_within is None or filed is None or filed.record.renewal is None:
        return ()
    return filed.record.renewal - line.renewal_within, filed.record.renewal


def _grace_ends(facts: Facts, subscription: Subscription, policy: Policy) -> datetime | None:
    if subscription.status != "past_due":
        return None
    unpaid = [
        moment(each.due_date or each.created)
        for each in facts.invoices
        if each.subscription == subscription.id and each.status == "open"
    ]
    return min(unpaid) + policy.grace_past_due if unpaid else None
