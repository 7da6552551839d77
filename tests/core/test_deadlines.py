"""When a deadline comes into view, how urgent it is, and when that changes: over weekends and changes of clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.deadlines import changes_at, due_of, opens_at, severity_of
from daemon.core.model import DUE_UNKNOWN, Deadlines, Severity

BERLIN = ZoneInfo("Europe/Berlin")
APIA = ZoneInfo("Pacific/Apia")  # thirteen hours ahead: another day of the week for half of ours
CALENDAR = Deadlines(business_days=False)
BUSINESS = Deadlines()
WEDNESDAY = datetime(2026, 3, 18, 12, tzinfo=UTC)


def urgency(before: timedelta, deadlines: Deadlines = CALENDAR) -> Severity | None:
    return severity_of(WEDNESDAY, WEDNESDAY - before, deadlines, BERLIN)


@pytest.mark.parametrize(
    ("before", "severity"),
    [
        (timedelta(days=7, seconds=1), None),
        (timedelta(days=7), Severity.NORMAL),
        (timedelta(hours=72, seconds=1), Severity.NORMAL),
        (timedelta(hours=72), Severity.HIGH),
        (timedelta(hours=24, seconds=1), Severity.HIGH),
        (timedelta(hours=24), Severity.CRITICAL),
        (timedelta(0), Severity.CRITICAL),
        (timedelta(days=-30), Severity.CRITICAL),
    ],
)
def test_the_narrower_the_window_the_more_urgent(before: timedelta, severity: Severity | None) -> None:
    assert urgency(before) == severity


def test_an_unknown_deadline_is_critical_and_none_needs_no_answer() -> None:
    assert due_of(None) is DUE_UNKNOWN
    assert due_of(0) is None
    assert due_of(1_800_000_000) == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert severity_of(DUE_UNKNOWN, WEDNESDAY, BUSINESS, BERLIN) is Severity.CRITICAL
    assert changes_at(DUE_UNKNOWN, WEDNESDAY, BUSINESS, BERLIN) is None


def test_a_window_that_would_open_on_a_weekend_opens_on_the_friday_before() -> None:
    monday = datetime(2026, 3, 16, 8, tzinfo=UTC)  # nine in Berlin
    friday = datetime(2026, 3, 13, 8, tzinfo=UTC)

    assert opens_at(monday, timedelta(hours=24), BUSINESS, BERLIN) == friday
    assert opens_at(monday, timedelta(hours=48), BUSINESS, BERLIN) == friday
    assert opens_at(monday, timedelta(hours=72), BUSINESS, BERLIN) == friday
    assert opens_at(monday, timedelta(hours=96), BUSINESS, BERLIN) == friday - timedelta(days=1)
    assert opens_at(monday, timedelta(hours=24), CALENDAR, BERLIN) == monday - timedelta(days=1)


def test_which_day_it_is_depends_on_where_people_are() -> None:
    due_at = datetime(
        2026, 3, 14, 23, tzinfo=UTC
    )  # a window of 24 h opens on Friday here, on Saturday in Apia

    assert opens_at(due_at, timedelta(hours=24), BUSINESS, ZoneInfo("UTC")) == due_at - timedelta(hours=24)
    assert opens_at(due_at, timedelta(hours=24), BUSINESS, APIA) == due_at - timedelta(hours=48)


def test_a_change_of_clocks_moves_no_window() -> None:
    # On Sunday, 29 March 2026, Berlin loses an hour.
    monday = datetime(2026, 3, 30, 7, tzinfo=UTC)  # nine in Berlin, in summer time

    assert opens_at(monday, timedelta(hours=96), CALENDAR, BERLIN) == monday - timedelta(hours=96)
    on_friday = opens_at(monday, timedelta(hours=24), BUSINESS, BERLIN)
    assert on_friday.astimezone(BERLIN) == datetime(2026, 3, 27, 9, tzinfo=BERLIN)


def test_windows_of_any_number() -> None:
    one = Deadlines((timedelta(days=2),), business_days=False)
    four = Deadlines(tuple(timedelta(days=each) for each in (10, 5, 2, 1)), business_days=False)

    assert urgency(timedelta(days=2), one) is Severity.CRITICAL
    assert urgency(timedelta(days=3), one) is None
    assert urgency(timedelta(days=9), four) is Severity.NORMAL
    assert urgency(timedelta(days=4), four) is Severity.NORMAL
    assert urgency(timedelta(days=2), four) is Severity.HIGH


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
    st.timedeltas(timedelta(days=-1), timedelta(days=14)),
    st.booleans(),
)
def test_between_two_announced_moments_nothing_changes(
    due: datetime, before: timedelta, business_days: bool
) -> None:
    due_at = due.replace(tzinfo=UTC)
    now = due_at - before
    deadlines = Deadlines(business_days=business_days)

    again = changes_at(due_at, now, deadlines, BERLIN)
    here = severity_of(due_at, now, deadlines, BERLIN)

    if again is None:
        assert here is Severity.CRITICAL
    else:
        assert again > now
        assert severity_of(due_at, again - timedelta(microseconds=1), deadlines, BERLIN) == here
