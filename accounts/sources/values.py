"""What a foreign value means: text, ids, amounts, counts and times, read strictly or refused with the reason.

JSON, SQL and CSV say the same thing differently (149.00, "149.00", 149); after this they are equal. Every
function returns None for "no value" and raises ValueError with the end of a sentence for what it cannot mean.
"""

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

KEY_CHARACTERS_MAX = 255  # what fits an address, an index and a page of a console
TEXT_CHARACTERS_MAX = 1000  # a name, a plan, a status; more is shown cut
AMOUNT_DIGITS_MAX = 15  # beyond a billion a second in any currency: a mistake, not an amount
COUNT_MAX = 10**12  # the same for seats
SHOWN_CHARACTERS_MAX = 40  # of a value that an error quotes

_AMOUNT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]"
)  # no database or terminal wants them
_EPOCH_S = (946_684_800, 7_258_118_400)  # the years 2000 to 2200; outside, the number means something else


def shown(value: object) -> str:
    """A foreign value for an error: short, and without what could steer a terminal."""
    if isinstance(value, int) and abs(value) > 10**SHOWN_CHARACTERS_MAX:
        return "a number of more than forty digits"  # Python itself refuses to write out the longest
    text = str(value)
    cut = text[:SHOWN_CHARACTERS_MAX] + ("…" if len(text) > SHOWN_CHARACTERS_MAX else "")
    return "“" + "".join(letter if letter.isprintable() else "�" for letter in cut) + "”"


def text(value: object) -> str | None:
    """Words that people wrote. What cannot be stored becomes �: nobody may stop us by naming a firm so."""
    plain = _plain(value)
    if plain is None:
        return None
    clean = _UNPRINTABLE.sub("�", plain)
    return clean if len(clean) <= TEXT_CHARACTERS_MAX else clean[: TEXT_CHARACTERS_MAX - 1] + "…"


def key(value: object) -> str | None:
    """What names a row or a Stripe object; never repaired, because it must name the same thing again."""
    plain = _plain(value)
    if plain is None:
        return None
    if len(plain) > KEY_CHARACTERS_MAX:
        raise ValueError(f"longer than {KEY_CHARACTERS_MAX} characters")
    if not plain.isprintable():
        raise ValueError("holding characters that cannot be written")
    return plain


def stripe_id(value: object) -> str | None:
    found = key(value)
    if found is not None and re.fullmatch(r"[A-Za-z0-9_]+", found, re.ASCII) is None:
        raise ValueError("not an id of Stripe")
    return found


def currency(value: object) -> str | None:
    found = key(value)
    if found is not None and re.fullmatch(r"[A-Za-z]{3}", found, re.ASCII) is None:
        raise ValueError("not a currency of three letters")
    return found.lower() if found else None


def amount(value: object) -> Decimal | None:
    """A decimal from its text; a float is taken for the shortest text that means it."""
    if isinstance(value, float):
        value = repr(value)
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        written = _plain(value)
        if written is None:
            return None
        if len(written) > SHOWN_CHARACTERS_MAX or _AMOUNT.fullmatch(written) is None:
            raise ValueError("not an amount")
        number = Decimal(written)
    try:
        too_long = (
            not number.is_finite()
            or number.adjusted() >= AMOUNT_DIGITS_MAX
            or len(number.as_tuple().digits) > 2 * AMOUNT_DIGITS_MAX
        )
    except InvalidOperation:
        too_long = True
    if too_long:
        raise ValueError("not an amount")
    return number


def whole_amount(value: object) -> Decimal | None:
    """An amount in minor units: a number without a fraction, written without an exponent."""
    number = amount(value)
    if number is not None and number != number.to_integral_value():
        raise ValueError('not an amount in minor units; set amounts = "major" if it counts whole ones')
    return Decimal(int(number)) if number is not None else None


def count(value: object) -> int | None:
    try:
        number = amount(value)
    except ValueError:
        raise ValueError("not a count") from None
    if number is None:
        return None
    if number != number.to_integral_value() or not 0 <= number <= COUNT_MAX:
        raise ValueError("not a count")
    return int(number)


def moment(value: object) -> datetime | None:
    """ISO dates and times, Unix seconds and milliseconds. A date is its first instant; no zone means UTC."""
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        value = int(value)
    written = _plain(value)
    if written is None:
        return None
    if re.fullmatch(r"\d{9,13}", written, re.ASCII):
        return _since_epoch(int(written))
    if re.match(r"\d{4}-\d{2}-\d{2}", written, re.ASCII) is None:
        raise ValueError("not a date or time such as 2026-02-01 or 2026-02-01T09:30:00Z")
    try:
        return _utc(datetime.fromisoformat(written))
    except (ValueError, OverflowError):
        raise ValueError("not a date or time that exists") from None


def written(value: object) -> object:
    """A value of ours as others write it. A moment at midnight is a date, because that is what it was read from."""
    if isinstance(value, datetime):
        utc = value.astimezone(UTC)
        is_date = utc.time() == datetime.min.time()
        return utc.date().isoformat() if is_date else utc.isoformat().replace("+00:00", "Z")
    return value


def _since_epoch(number: int) -> datetime:
    earliest, latest = _EPOCH_S
    if earliest <= number <= latest:
        return datetime.fromtimestamp(number, UTC)
    if earliest * 1000 <= number <= latest * 1000:
        return datetime.fromtimestamp(number // 1000, UTC).replace(microsecond=number % 1000 * 1000)
    raise ValueError("not a time between the years 2000 and 2200")


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _plain(value: object) -> str | None:
    """The text of a scalar, trimmed; None for null and for nothing but blanks."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{_sort(value)}, where a text or a number belongs")
    if abs(value) >= 10**KEY_CHARACTERS_MAX:
        raise ValueError(f"longer than {KEY_CHARACTERS_MAX} digits")
    return str(value)


def _sort(value: object) -> str:
    match value:
        case bool():
            return "a yes or no"
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case bytes() | bytearray() | memoryview():
            return "binary"
        case _:
            return "a fraction" if isinstance(value, float | Decimal) else "of an unknown kind"
