"""Foreign values: what they mean, and what they are refused for."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.sources import values

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", ["149.00", " 149 ", 149, Decimal("149.0"), 149.0, "1.49e2", "+149"])
def test_an_amount_is_the_same_number_however_it_is_written(value: object) -> None:
    assert values.amount(value) == Decimal(149)


def test_a_fraction_in_json_or_sql_keeps_its_digits() -> None:
    assert values.amount(0.1) == Decimal("0.1")
    assert str(values.amount("149.90")) == "149.90"


@pytest.mark.parametrize(
    "value",
    ["1,490.00", "€149", "NaN", "Infinity", "1_000", "٣", "--1", "1e99", "9" * 16, "1." + "1" * 60, True,
     float("nan"), float("inf"), Decimal("NaN"), 10**300, [], {}, b"1", "0x10"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        values.amount(value)


@pytest.mark.parametrize(
    "value",
    ["2026-02-01", "2026-02-01T00:00:00Z", "2026-02-01T01:00:00+01:00", "2026-02-01T00:00:00.000+0000",
     "2026-02-01 00:00:00", 1769904000, "1769904000", 1769904000000, "1769904000000", 1769904000.0,
     date(2026, 2, 1), datetime(2026, 2, 1), FEBRUARY],  # noqa: DTZ001 - databases give naive ones
)  # fmt: skip
def test_a_moment_is_the_same_however_it_is_written(value: object) -> None:
    assert values.moment(value) == FEBRUARY


def test_milliseconds_are_kept() -> None:
    assert values.moment(1769904000123) == FEBRUARY.replace(microsecond=123_000)


@pytest.mark.parametrize(
    "value",
    ["01/02/2026", "2026-02-30", "20260201", "next week", 5, -1769904000, 10**30, True, 1.5, float("nan"), {},
     "9999-12-31T23:59:59-23:59", "1969-01-0"],
)  # fmt: skip
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        values.moment(value)


def test_a_name_that_cannot_be_stored_is_repaired_and_a_key_is_refused() -> None:
    assert values.text("Ac\x00me\ud800\x1b[31m") == "Ac�me��[31m"
    assert values.text("x" * 5000) == "x" * 999 + "…"
    for hostile in ("a\x00b", "a\nb", "x" * 256, "\ud800", "a\u202eb"):
        with pytest.raises(ValueError, match="characters"):
            values.key(hostile)


def test_a_number_too_long_to_write_out_is_refused_all_the_same() -> None:
    for read in (values.amount, values.count, values.key, values.moment, values.text):
        with pytest.raises(ValueError, match=r"not a|longer"):
            read(10**5000)
    assert values.shown(10**5000) == "a number of more than forty digits"


def test_blank_is_no_value_and_a_number_may_be_a_key() -> None:
    assert [read("  ") for read in (values.text, values.key, values.amount, values.count, values.moment)] == [
        None
    ] * 5
    assert values.key(1001) == "1001"
    strange: tuple[object, ...] = (True, 1.5, [], {}, b"x")
    for wrong in strange:
        with pytest.raises(ValueError, match=r"\w"):
            values.key(wrong)


def test_counts_are_whole_and_not_negative() -> None:
    assert [values.count(value) for value in ("5", 5, 5.0, Decimal("5.00"), None)] == [5, 5, 5, 5, None]
    for wrong in ("-1", 1.5, "many", 10**13, True):
        with pytest.raises(ValueError, match="not a count"):
            values.count(wrong)


def test_minor_units_are_whole() -> None:
    assert str(values.whole_amount("14900.0")) == "14900"
    assert str(values.whole_amount("1.49e4")) == "14900"
    with pytest.raises(ValueError, match="major"):
        values.whole_amount("149.90")


def test_currencies_and_ids_of_stripe() -> None:
    assert values.currency(" EUR ") == "eur"
    assert values.stripe_id("cus_1") == "cus_1"
    for read, wrong in (
        (values.currency, "euro"),
        (values.currency, "€€€"),
        (values.stripe_id, "cus_1 (old)"),
    ):
        with pytest.raises(ValueError, match="not a"):
            read(wrong)


@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.decimals(), st.dates(),
        st.datetimes(), st.lists(st.integers(), max_size=2),
    )
)  # fmt: skip
def test_nothing_foreign_raises_anything_but_a_reason(value: object) -> None:
    for read in (values.text, values.key, values.stripe_id, values.currency, values.amount, values.whole_amount,
                 values.count, values.moment):  # fmt: skip
        try:
            read(value)
        except ValueError as reason:
            assert str(reason)
    assert len(values.shown(value)) <= 60
