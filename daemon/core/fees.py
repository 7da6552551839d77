"""What a dispute costs beside its amount, and from which amount on it pays to answer one.

Stripe charges for a dispute that is received, and for one that is countered; the second comes back if it is won.
The amounts differ by country and contract. These are the published ones; the rules' parameters `dispute_fee` and
`counter_fee` (“15 USD”, or a list of such) say what an account really pays. A currency without an amount has no
arithmetic.
"""

from collections.abc import Mapping
from typing import Final

from accounts.money import Money
from daemon.core.canonical import Json
from daemon.core.model import Kind, Policy

RECEIVED: Final = {"usd": 1500, "eur": 2000, "gbp": 2000}
COUNTERED: Final = {"usd": 1500, "eur": 2000, "gbp": 2000}


def received_fee(policy: Policy, currency: str) -> Money | None:
    """What a dispute in this currency costs as soon as it comes, whoever wins."""
    return _fee(policy, Kind.FRAUD_WARNING, "dispute_fee", RECEIVED, currency)


def counter_fee(policy: Policy, currency: str) -> Money | None:
    """What an answer costs unless the dispute is won."""
    return _fee(policy, Kind.DISPUTE_DEADLINE, "counter_fee", COUNTERED, currency)


def break_even_percent(at_stake: Money, fee: Money) -> int:
    """How many of a hundred such answers must win so that answering costs no more than accepting, rounded up."""
    whole = at_stake.amount_minor + fee.amount_minor
    return -(-100 * fee.amount_minor // whole) if whole > 0 else 100


def _fee(
    policy: Policy, kind: Kind, parameter: str, published: Mapping[str, int], currency: str
) -> Money | None:
    own = policy.parameter(kind, parameter)
    if own is not None:
        return next((each for each in _amounts(own) if each.currency == currency), None)
    return Money(published[currency], currency) if currency in published else None


def _amounts(written: Json) -> list[Money]:
    """“15 USD” or several of them; what is not an amount is left out."""
    texts = written if isinstance(written, list | tuple) else [written]
    found = []
    for text in texts:
        number, _, currency = str(text).partition(" ")
        try:
            found.append(Money.from_major(number, currency))
        except ValueError:
            continue
    return found
