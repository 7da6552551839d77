"""Payouts to the account's own bank. Whoever asks makes or cancels them; here they are decided, and seen to be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from accounts.facts import Address
from accounts.money import Money
from accounts.stripe.resources import BY_NAME
from accounts.stripe.shapes import Balance, Payout
from daemon.actions import details as given_as
from daemon.actions.reading import LIVE, all_of, still, the
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace, Where
from daemon.core.canonical import Json

CLOCKS_DIFFER_MAX: Final = timedelta(seconds=60)  # Stripe's and ours, and Stripe's whole seconds
CANCELED: Final = "canceled"


@dataclass(frozen=True, slots=True)
class _ByTheCaller:
    """What we never do ourselves."""

    where: Where = "stripe"
    repeatable: Literal[False] = False
    verifiable: Literal[True] = True
    caller_only: Literal[True] = True

    def execute(self, hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
        raise AssertionError("a payout is made by its caller")


@dataclass(frozen=True, slots=True)
class PayoutCreate(_ByTheCaller):
    name: str = "payout_create"

    def read(self, details: Mapping[str, Json], place: Place) -> Asked:
        given = given_as.known(details, self.name, ("amount", "currency"))
        money = given_as.money(given_as.an_amount(given), given_as.a_currency(given))
        complete: dict[str, Json] = {"amount": money.amount_minor, "currency": money.currency}
        return Asked(complete, Address("account", place.stripe_account), money)

    def see(self, hands: Hands, asked: Asked) -> Seen:
        """What is available changes with every payment, so it is looked at and not approved."""
        balance: Balance = hands.reader.the(BY_NAME["balance"], purpose=LIVE)
        material: dict[str, Json] = {"account": asked.target.id, "livemode": balance.livemode}
        return Seen(asked.target, material, None, {"balance": balance})

    def describe(self, asked: Asked, place: Place) -> str:
        return given_as.button(f"Pay out {asked.money} to the account's own bank", place)

    def preflight(self, asked: Asked, seen: Seen, now: datetime) -> str | None:
        assert asked.money is not None, "it is read with its amount"
        balance: Balance = seen.objects["balance"]
        currency = asked.money.currency
        available = sum(each.amount for each in balance.available if each.currency == currency)
        if asked.money.amount_minor > available:
            return f"Only {Money(available, currency)} are available, less than {asked.money}."
        return None

    def request(self, asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
        return dict(asked.details)

    def verify(self, hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
        since = int((sent.sent_at - CLOCKS_DIFFER_MAX).timestamp())
        made: list[Payout] = all_of(hands.reader, "payouts", created_gte=since)
        for each in made:
            if Money(each.amount, each.currency) == asked.money:
                return Done(each.id, each.status, replayed=True)
        return Trace.ABSENT


@dataclass(frozen=True, slots=True)
class PayoutCancel(_ByTheCaller):
    name: str = "payout_cancel"

    def read(self, details: Mapping[str, Json], place: Place) -> Asked:
        id_ = given_as.an_id(given_as.known(details, self.name, ("payout",)), "payout")
        return Asked({"payout": id_}, Address("payout", id_))

    def see(self, hands: Hands, asked: Asked) -> Seen:
        payout = the(hands.reader, Payout, "payout", asked.target.id)
        material: dict[str, Json] = {
            "payout": payout.id,
            "status": payout.status,
            "amount": payout.amount,
            "currency": payout.currency,
            "livemode": payout.livemode,
        }
        return Seen(asked.target, material, None, {"payout": payout})

    def describe(self, asked: Asked, place: Place) -> str:
        return given_as.button(f"Cancel the payout {asked.target.id}", place)

    def preflight(self, asked: Asked, seen: Seen, now: datetime) -> str | None:
        payout: Payout = seen.objects["payout"]
        if payout.automatic:
            return (
                f"{payout.id} is one of Stripe's own, and only a payout that somebody made can be canceled."
            )
        if payout.status != "pending":
            return f"{payout.id} is {payout.status.replace('_', ' ')}, and only a pending payout can be canceled."
        return None

    def request(self, asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
        return dict(asked.details)

    def verify(self, hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
        payout = still(hands.reader, Payout, asked.target)
        if payout is None:
            return Trace.UNSURE
        return Done(payout.id, CANCELED, replayed=True) if payout.status == CANCELED else Trace.ABSENT


PAYOUT_CREATE: Final = PayoutCreate()
PAYOUT_CANCEL: Final = PayoutCancel()
