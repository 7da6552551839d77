"""Refunds a payment, in whole or in part, by its charge or its payment intent; always with the amount named.

A refund of a disputed payment would lose the money twice: to the customer, and to the bank. So it is refused while a
dispute holds the money or has taken it; an inquiry, which takes nothing yet, may be answered with one. After a fraud
warning only all that is left may be refunded: a part of it would not keep the whole from being disputed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from accounts.budget import Purpose
from accounts.errors import Forbidden, Malformed
from accounts.facts import ID_PATTERN, Address
from accounts.money import CURRENCIES, Money, step
from accounts.stripe.decoding import OUR_TAG, Deleted
from accounts.stripe.reads import Reader
from accounts.stripe.resources import BY_NAME
from accounts.stripe.shapes import Charge, Dispute, EarlyFraudWarning, PaymentIntent, Refund
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

if TYPE_CHECKING:
    from accounts.stripe import params as p

name: Final = "refund"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = frozenset({"charge", "payment_intent", "amount", "currency", "reason"})
REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")  # Stripe knows no others
CAME_TO_NOTHING: Final = frozenset({"failed", "canceled"})  # the money is on the balance again
HARMLESS: Final = frozenset(
    {"won", "warning_needs_response", "warning_under_review", "warning_closed"}
)  # disputes that neither hold the money nor have taken it


def read(details: Mapping[str, Json], place: Place) -> Asked:
    """Without an amount nothing can be approved; `see`, which knows what is left, says so."""
    if unknown := sorted(set(details) - FIELDS):
        raise BadDetails(f"A refund has no {unknown[0][:60]!r}; it has {', '.join(sorted(FIELDS))}.")
    given = {field: value for field, value in details.items() if value is not None}
    target = _target(given)
    reason = given.get("reason")
    if reason is not None and reason not in REASONS:
        raise BadDetails(
            f"reason: Stripe takes {', '.join(REASONS)}, or none; say more in the justification."
        )
    complete: dict[str, Json] = {target.type: target.id, "reason": reason}
    if "currency" not in given:
        # Callers that know only one currency name none; what they paid in says it, in `see`.
        return Asked({**complete, "amount": given["amount"]} if "amount" in given else complete, target)
    currency = given["currency"]
    if not isinstance(currency, str) or currency.lower() not in CURRENCIES:
        raise BadDetails('currency: name the payment\'s own currency as Stripe writes it, such as "eur".')
    complete["currency"] = currency.lower()
    if "amount" not in given:
        return Asked(complete, target)
    return _of_amount(Asked(complete, target), given["amount"], currency.lower())


def see(hands: Hands, asked: Asked) -> Seen:
    reader = hands.reader
    intent = _intent(reader, asked.target) if asked.target.type == "payment_intent" else None
    charge = _charge(reader, intent.latest_charge or "" if intent else asked.target.id)
    completed = None
    if "amount" in asked.details and asked.money is None:
        completed = _of_amount(asked, asked.details["amount"], charge.currency)
    elif asked.money is None:
        left = Money(_left(charge), charge.currency)
        raise BadDetails(
            f"amount: say how much is to be refunded, in minor units; of {charge.id} up to {left} "
            f"({left.amount_minor}) can be."
        )
    address = Address("charge", charge.id)
    refunds: list[Refund] = _of(reader, "refunds", address)
    # A charge that was never disputed has no list of disputes, whose permission a key may lack.
    disputes: list[Dispute] = _of(reader, "disputes", address) if charge.disputed else []
    warnings = _warnings(reader, address)
    material: dict[str, Json] = {
        "charge": charge.id,
        "status": charge.status,
        "captured": charge.captured,
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "currency": charge.currency,
        "livemode": charge.livemode,
        "disputed": charge.disputed,
        "disputes": [{"id": each.id, "status": each.status} for each in sorted(disputes, key=_by_id)],
        "fraud_warnings": [
            {"id": each.id, "actionable": each.actionable} for each in sorted(warnings, key=_by_id)
        ],
        "refunds": [
            {"id": each.id, "status": each.status, "amount": each.amount}
            for each in sorted(refunds, key=_by_id)
        ],
    }
    if intent is not None:
        material["payment_intent"] = intent.id
    objects = {"charge": charge, "refunds": refunds, "disputes": disputes, "warnings": warnings}
    return Seen(address, material, charge.customer, objects, completed)


def describe(asked: Asked, place: Place) -> str:
    assert asked.money is not None, "what cannot be approved is not described"
    mode = "live" if place.livemode else "test"
    return f"Refund {asked.money} of {asked.target.id} on {place.account} ({mode})"


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    charge: Charge = seen.objects["charge"]
    if asked.money is None:
        return "The amount is missing, and without it Stripe would refund all that is left."
    if charge.status != "succeeded" or not charge.captured:
        return f"{charge.id} was not paid ({charge.status}), so there is nothing to refund."
    if asked.money.currency != charge.currency:
        paid, meant = charge.currency.upper(), asked.money.currency.upper()
        return f"{charge.id} was paid in {paid}, and the refund is in {meant}."
    disputes: Sequence[Dispute] = seen.objects["disputes"]
    for dispute in disputes:
        if dispute.status not in HARMLESS:
            return (
                f"{charge.id} is disputed ({dispute.id}, {dispute.status.replace('_', ' ')}): a refund now would pay "
                "the customer twice. Answer or accept the dispute instead."
            )
    if charge.disputed and not disputes:
        return (
            f"{charge.id} is disputed, and the dispute is not in Stripe's list: look at it in the dashboard."
        )
    left = _left(charge)
    if asked.money.amount_minor > left:
        return (
            f"Of {charge.id} only {Money(left, charge.currency)} are left to refund, less than {asked.money}."
        )
    warnings: Sequence[EarlyFraudWarning] = seen.objects["warnings"]
    if any(each.actionable for each in warnings) and asked.money.amount_minor < left:
        return (
            f"A fraud warning stands on {charge.id}: after a refund of a part the whole may still be disputed, and be "
            f"lost twice. Refund all {Money(left, charge.currency)} that are left, or nothing."
        )
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    assert asked.money is not None, "the preflight refuses a refund without an amount"
    parameters: dict[str, Json] = {
        "charge": seen.target.id,
        "amount": asked.money.amount_minor,
        "metadata": {OUR_TAG: tag},
    }
    reason = asked.details.get("reason")
    return parameters if reason is None else {**parameters, "reason": reason}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    """A refund that bears our tag already is this one: made by another key, or by the database this is a copy of."""
    assert hands.writer is not None, "only the executor acts"
    tag = cast(Mapping[str, str], request["metadata"])[OUR_TAG]
    made = _tagged(hands.reader, Address("charge", str(request["charge"])), tag)
    if made is not None and made.status not in CAME_TO_NOTHING:
        return _done(made)
    done = hands.writer.refund(cast("p.RefundCreateParams", dict(request)), key=key)
    nothing = done.status in CAME_TO_NOTHING
    return Done(done.object_id, done.status, done.request_id, done.replayed, came_to_nothing=nothing)


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    made = _tagged(hands.reader, asked.target, sent.tag)
    return Trace.ABSENT if made is None else _done(made)


def _done(made: Refund) -> Done:
    nothing = made.status in CAME_TO_NOTHING
    return Done(made.id, made.status, replayed=True, came_to_nothing=nothing)


def _target(given: Mapping[str, Json]) -> Address:
    named = [each for each in ("charge", "payment_intent") if each in given]
    if len(named) != 1:
        raise BadDetails("Name the charge or the payment_intent that is to be refunded, one of them.")
    id_ = given[named[0]]
    if not isinstance(id_, str) or ID_PATTERN.fullmatch(id_) is None:
        raise BadDetails(f"{named[0]}: this is not the id of a {named[0].replace('_', ' ')}.")
    return Address(named[0], id_)


def _of_amount(asked: Asked, amount: Json, currency: str) -> Asked:
    money = _amount(amount, currency)
    details = {**asked.details, "currency": currency, "amount": money.amount_minor}
    return Asked(details, asked.target, money)


def _amount(amount: Json, currency: str) -> Money:
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 1:
        raise BadDetails("amount: a whole number of minor units above 0, such as 17450 for 174.50 EUR.")
    if amount % step(currency):
        raise BadDetails(
            f"amount: Stripe's amounts in {currency.upper()} are multiples of {step(currency)}; {amount} is none."
        )
    return Money(amount, currency)


def _intent(reader: Reader, address: Address) -> PaymentIntent:
    found = reader.one(address, purpose=Purpose.LIVE_REREAD)
    if not isinstance(found, PaymentIntent):
        raise BadDetails(f"payment_intent: there is no {address.id} on this account.")
    if found.latest_charge is None:
        raise BadDetails(f"payment_intent: {found.id} was never charged, so there is nothing to refund.")
    return found


def _charge(reader: Reader, id_: str) -> Charge:
    found = reader.one(Address("charge", id_), purpose=Purpose.LIVE_REREAD)
    if found is None or isinstance(found, Deleted):
        raise BadDetails(f"charge: there is no {id_} on this account.")
    return cast(Charge, found)


def _left(charge: Charge) -> int:
    return charge.amount_captured - charge.amount_refunded


def _warnings(reader: Reader, charge: Address) -> list[EarlyFraudWarning]:
    try:
        return _of(reader, "early_fraud_warnings", charge)
    except Forbidden:
        return []  # Stripe publishes no permission for them: a restricted key may never be able to read them


def _of(reader: Reader, what: str, payment: Address) -> list[Any]:
    """All of these that belong to a payment. Raises Malformed where one of them is not understood."""
    found: list[Any] = []
    of_payment: dict[str, Any] = {payment.type: payment.id}
    for page in reader.pages(BY_NAME[what], purpose=Purpose.LIVE_REREAD, **of_payment):
        if page.unreadable:
            raise Malformed(
                f"{page.unreadable[0].id} of {payment.id} is not understood.", account=reader.account
            )
        found += page.items
    return found


def _tagged(reader: Reader, payment: Address, tag: str) -> Refund | None:
    """The refund of this payment that bears our tag; one that came to nothing only where there is no other."""
    refunds: list[Refund] = _of(reader, "refunds", payment)
    ours = [each for each in refunds if each.metadata and each.metadata.get(OUR_TAG) == tag]
    return min(ours, key=lambda each: (each.status in CAME_TO_NOTHING, each.created, each.id), default=None)


def _by_id(one: Any) -> str:
    return str(one.id)
