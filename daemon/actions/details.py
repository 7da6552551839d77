"""What is asked for, as it was written: every field is known, of the right kind and within bounds, or it is refused.

Each function reads one field and says in one sentence what it should be, because an agent has nothing but that
sentence to correct itself by.
"""

from collections.abc import Collection, Mapping
from typing import Final

from accounts.facts import ID_PATTERN
from accounts.money import CURRENCIES, Money, step
from daemon.actions.shape import BadDetails, Place
from daemon.core.canonical import WHOLE_MAX, Json

QUANTITY_MAX: Final = 999_999  # Stripe's
KEY_CHARACTERS_MAX: Final = 255  # of a record or a feature: what fits an index
SHOWN_CHARACTERS_MAX: Final = 60  # of what is repeated in a sentence

Details = Mapping[str, Json]


def known(details: Details, action: str, fields: Collection[str]) -> dict[str, Json]:
    """What is given, without what is null; raises BadDetails for a field that the action does not have."""
    if unknown := sorted(set(details) - set(fields)):
        has = f"it has {', '.join(fields)}" if fields else "it takes none"
        raise BadDetails(f"{action} has no {unknown[0][:SHOWN_CHARACTERS_MAX]!r}; {has}.")
    return {field: value for field, value in details.items() if value is not None}


def an_id(given: Details, field: str) -> str:
    value = given.get(field)
    if not isinstance(value, str) or ID_PATTERN.fullmatch(value) is None:
        raise BadDetails(f"{field}: name it by its id in Stripe.")
    return value


def a_key(given: Details, field: str) -> str:
    """The name of something outside Stripe."""
    value = given.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= KEY_CHARACTERS_MAX or not value.isprintable():
        raise BadDetails(f"{field}: a text of 1 to {KEY_CHARACTERS_MAX} characters.")
    return value


def a_text(given: Details, field: str, characters_max: int) -> str:
    value = given.get(field)
    if not isinstance(value, str) or not value.strip() or len(value) > characters_max:
        raise BadDetails(f"{field}: a text of 1 to {characters_max:,} characters.")
    return value


def a_choice(given: Details, field: str, choices: Collection[str]) -> str:
    value = given.get(field)
    if not isinstance(value, str) or value not in choices:
        raise BadDetails(f"{field}: one of {', '.join(choices)}.")
    return value


def a_flag(given: Details, field: str, default: bool) -> bool:
    value = given.get(field, default)
    if not isinstance(value, bool):
        raise BadDetails(f"{field}: true or false.")
    return value


def a_quantity(given: Details, field: str, least: int = 1) -> int:
    value = given.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= QUANTITY_MAX:
        raise BadDetails(f"{field}: a whole number from {least} to {QUANTITY_MAX:,}.")
    return value


def an_amount(given: Details, field: str = "amount") -> int:
    value = given.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= WHOLE_MAX:
        raise BadDetails(f"{field}: a whole number of minor units above 0, such as 17450 for 174.50 EUR.")
    return value


def a_currency(given: Details, field: str = "currency") -> str:
    value = given.get(field)
    if not isinstance(value, str) or value.lower() not in CURRENCIES:
        raise BadDetails(f'{field}: a currency as Stripe writes it, such as "eur".')
    return value.lower()


def money(amount: int, currency: str) -> Money:
    """Raises BadDetails for an amount that nobody can pay in this currency."""
    if amount % step(currency):
        raise BadDetails(
            f"amount: Stripe's amounts in {currency.upper()} are multiples of {step(currency)}; {amount} is none."
        )
    return Money(amount, currency)


def button(what: str, place: Place) -> str:
    """The sentence on the button: where it happens, and whether it is real."""
    return f"{what} on {place.account} ({'live' if place.livemode else 'test'})"


def of_customer(place: Place) -> str:
    """Whose it is, in the middle of a sentence, as far as the case says so."""
    subject = place.subject
    return f" of {subject.id}" if subject is not None and subject.kind == "customer" else ""
