"""Deadlines: when one comes into view, how urgent it is, and when that changes next.

Windows are spans of real time before the deadline, so a change of clocks moves none of them. Where only business
days count, a window that would open on a weekend opens on the Friday before, at the same time of day.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from daemon.core.model import DUE_UNKNOWN, Deadlines, Due, Severity, moment

SATURDAY: Final = 5
NO_ANSWER_POSSIBLE: Final = 0  # what Stripe sends as `due_by` then


def due_of(due_by: int | None) -> datetime | Due | None:
    """Stripe's `due_by`: a moment, unknown where it says nothing, None where no answer is possible."""
    if due_by is None:
        return DUE_UNKNOWN
    return None if due_by == NO_ANSWER_POSSIBLE else moment(due_by)


def opens_at(due_at: datetime, window: timedelta, deadlines: Deadlines, timezone: ZoneInfo) -> datetime:
    """When this window before the deadline begins."""
    edge = due_at - window
    if not deadlines.business_days:
        return edge
    local = edge.astimezone(timezone)
    weekend = local.weekday() - SATURDAY
    if weekend < 0:
        return edge
    # Days are taken from the wall clock: Friday at nine stays nine, whatever the clocks do on Sunday.
    return (local - timedelta(days=weekend + 1)).astimezone(UTC)


def severity_of(
    due_at: datetime | Due, now: datetime, deadlines: Deadlines, timezone: ZoneInfo
) -> Severity | None:
    """How urgent it is: critical inside the narrowest window, high inside the next; None: not yet in view."""
    if isinstance(due_at, Due) or now >= due_at:
        return Severity.CRITICAL
    narrowest_first = sorted(deadlines.windows)
    for window, severity in zip(narrowest_first, _SEVERITIES, strict=False):
        if now >= opens_at(due_at, window, deadlines, timezone):
            return severity
    in_view = [opens_at(due_at, window, deadlines, timezone) for window in narrowest_first]
    return Severity.NORMAL if now >= min(in_view, default=due_at) else None


def changes_at(
    due_at: datetime | Due, now: datetime, deadlines: Deadlines, timezone: ZoneInfo
) -> datetime | None:
    """The next moment at which the severity changes by time alone."""
    if isinstance(due_at, Due):
        return None
    moments = [due_at, *(opens_at(due_at, window, deadlines, timezone) for window in deadlines.windows)]
    return min((each for each in moments if each > now), default=None)


_SEVERITIES: Final = (Severity.CRITICAL, Severity.HIGH)
