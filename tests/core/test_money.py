"""Amounts are integers in minor units, by Stripe's exponents."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.facts import Record
from accounts.money import THREE_DECIMAL, ZERO_DECIMAL, Money, exponent

CURRENCIES = st.sampled_from(
    sorted(ZERO_DECIMAL | THREE_DECIMAL | {"eur", "usd", "isk", "ugx", "huf", "twd"})
)


@given(st.integers(-(10**15), 10**15), CURRENCIES)
def test_an_amount_survives_the_way_to_major_units_and_back(amount_minor: int, currency: str) -> None:
    """Trap D3: minor units from end to end."""
    money = Money(amount_minor, currency)
    assert Money.from_major(str(money.major()), currency) == money
    assert Money.from_minor(str(amount_minor), currency.upper()) == money


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("149.00", "eur", 14900),
        ("149", "JPY", 149),
        ("1.234", "kwd", 1234),
        ("1500", "isk", 150_000),
        ("1500", "ugx", 150_000),
        ("1e3", "usd", 100_000),
        ("-0.01", "usd", -1),
    ],
)
def test_a_crms_number_is_read_from_its_text(text: str, currency: str, minor: int) -> None:
    """Trap D3: currencies with two, no and three decimals, and the two that Stripe sends × 100."""
    assert Money.from_major(text, currency).amount_minor == minor


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "1,000.00", "1e30", "٣", "0x10"])
def test_what_is_not_a_number_is_refused(text: str) -> None:
    if text == "٣":  # a digit all the same, which Decimal reads
        assert Money.from_major(text, "eur").amount_minor == 300
    else:
        with pytest.raises(ValueError, match="is not an amount"):
            Money.from_major(text, "eur")


def test_two_currencies_do_not_add_up() -> None:
    assert Money(1, "eur") + Money(2, "eur") == Money(3, "eur")
    with pytest.raises(ValueError, match="without a rate"):
        Money(1, "eur") + Money(1, "usd")


def test_an_amount_is_shown_as_people_write_it() -> None:
    shown = [
        str(Money(*amount)) for amount in ((123_456, "eur"), (500, "jpy"), (1234, "kwd"), (150_000, "isk"))
    ]
    assert shown == ["1,234.56 EUR", "500 JPY", "1.234 KWD", "1,500 ISK"]
    assert exponent("isk") == exponent("ugx") == 2


def test_a_record_without_a_currency_is_read_in_that_of_its_subscription() -> None:
    assert Record("1", mrr=Decimal("149.00")).mrr_in("jpy") == Money(149, "jpy")
    assert Record("1", mrr=Decimal(14900), mrr_unit="minor", currency="eur").mrr_in("usd") == Money(
        14900, "eur"
    )
    assert Record("1").mrr_in("eur") is None
