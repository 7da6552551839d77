"""Captures a payment that was only authorized, in whole or in part; what is not captured is released for good."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from accounts.facts import Address
from accounts.money import Money
from accounts.stripe.decoding import OUR_TAG
from accounts.stripe.shapes import PaymentIntent
from daemon.actions import details as given_as
from daemon.actions.reading import charge_of, done, is_ours, still, the, writer_of
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

if TYPE_CHECKING:
    from accounts.stripe import params as p

name: Final = "capture"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = ("payment_intent", "amount", "currency")


def read(details: Mapping[str, Json], place: Place) -> Asked:
    given = given_as.known(details, name, FIELDS)
    id_, amount = given_as.an_id(given, "payment_intent"), given_as.an_amount(given)
    asked = Asked({"payment_intent": id_, "amount": amount}, Address("payment_intent", id_))
    return _in(asked, given_as.a_currency(given)) if "currency" in given else asked


def _in(asked: Asked, currency: str) -> Asked:
    amount = given_as.money(cast(int, asked.details["amount"]), currency)
    return replace(asked, details={**asked.details, "currency": currency}, money=amount)


def see(hands: Hands, asked: Asked) -> Seen:
    intent = the(hands.reader, PaymentIntent, "payment_intent", asked.target.id)
    material: dict[str, Json] = {
        "payment_intent": intent.id,
        "status": intent.status,
        "amount": intent.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_received": intent.amount_received,
        "currency": intent.currency,
        "latest_charge": intent.latest_charge,
        "livemode": intent.livemode,
    }
    completed = _in(asked, intent.currency) if asked.money is None else None
    return Seen(charge_of(intent), material, intent.customer, {"intent": intent}, completed)


def describe(asked: Asked, place: Place) -> str:
    amount = asked.money or f"{asked.details['amount']} minor units"
    return given_as.button(f"Capture {amount} of {asked.target.id}{given_as.of_customer(place)}", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    intent: PaymentIntent = seen.objects["intent"]
    if intent.status != "requires_capture":
        return f"{intent.id} is {intent.status}, so there is nothing to capture."
    if asked.money is None or asked.money.currency != intent.currency:
        return f"{intent.id} was authorized in {intent.currency.upper()}; name the amount in that currency."
    if asked.money.amount_minor > intent.amount_capturable:
        left = Money(intent.amount_capturable, intent.currency)
        return f"Of {intent.id} only {left} can be captured, less than {asked.money}."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    return {
        "payment_intent": asked.target.id,
        "amount_to_capture": asked.details["amount"],
        "metadata": {OUR_TAG: tag},
    }


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    tag = cast(Mapping[str, str], request["metadata"])[OUR_TAG]
    found = _captured(hands, asked, tag)
    if found is not None:
        return found
    params = {field: value for field, value in request.items() if field != "payment_intent"}
    return done(
        writer_of(hands).capture(asked.target.id, cast("p.PaymentIntentCaptureParams", params), key=key)
    )


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    return _captured(hands, asked, sent.tag) or Trace.ABSENT


def _captured(hands: Hands, asked: Asked, tag: str) -> Done | None:
    intent = still(hands.reader, PaymentIntent, asked.target)
    if intent is None or intent.status == "requires_capture" or not is_ours(intent, tag):
        return None
    return Done(intent.id, intent.status, replayed=True)
