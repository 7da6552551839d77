"""Issues a credit note on an invoice: first against what is still open, the rest to the customer's balance.

Money goes back by a refund only, which has guards of its own; a credit note leaves it for the customer's next invoices.
Stripe would write to the customer by itself; it is told not to, since nobody has approved a message.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from accounts.facts import Address
from accounts.money import Money
from accounts.stripe.decoding import OUR_TAG
from accounts.stripe.shapes import CreditNote, Invoice
from daemon.actions import details as given_as
from daemon.actions.reading import all_of, done, tagged, the, writer_of
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

if TYPE_CHECKING:
    from accounts.stripe import params as p

name: Final = "credit_note"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = ("invoice", "amount", "currency", "reason")
REASONS: Final = (
    "duplicate",
    "fraudulent",
    "order_change",
    "product_unsatisfactory",
)  # Stripe knows no others
STATES: Final = ("open", "paid")


def read(details: Mapping[str, Json], place: Place) -> Asked:
    given = given_as.known(details, name, FIELDS)
    id_, amount = given_as.an_id(given, "invoice"), given_as.an_amount(given)
    reason = given_as.a_choice(given, "reason", REASONS) if "reason" in given else None
    asked = Asked({"invoice": id_, "amount": amount, "reason": reason}, Address("invoice", id_))
    return _in(asked, given_as.a_currency(given)) if "currency" in given else asked


def _in(asked: Asked, currency: str) -> Asked:
    amount = given_as.money(cast(int, asked.details["amount"]), currency)
    return replace(asked, details={**asked.details, "currency": currency}, money=amount)


def see(hands: Hands, asked: Asked) -> Seen:
    invoice = the(hands.reader, Invoice, "invoice", asked.target.id)
    notes: list[CreditNote] = all_of(hands.reader, "credit_notes", invoice=invoice.id)
    material: dict[str, Json] = {
        "invoice": invoice.id,
        "status": invoice.status,
        "total": invoice.total,
        "amount_paid": invoice.amount_paid,
        "amount_remaining": invoice.amount_remaining,
        "credited_after_payment": invoice.post_payment_credit_notes_amount,
        "currency": invoice.currency,
        "livemode": invoice.livemode,
        "credit_notes": [{"id": each.id, "status": each.status, "amount": each.amount} for each in notes],
    }
    completed = _in(asked, invoice.currency) if asked.money is None else None
    return Seen(asked.target, material, invoice.customer, {"invoice": invoice}, completed)


def describe(asked: Asked, place: Place) -> str:
    amount = asked.money or f"{asked.details['amount']} minor units"
    return given_as.button(f"Credit {amount} on {asked.target.id}{given_as.of_customer(place)}", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    invoice: Invoice = seen.objects["invoice"]
    if invoice.status not in STATES:
        return f"{invoice.id} is {invoice.status}; only open and paid invoices take a credit note."
    if asked.money is None or asked.money.currency != invoice.currency:
        return f"{invoice.id} is in {invoice.currency.upper()}; name the amount in that currency."
    creditable = invoice.amount_remaining + invoice.amount_paid - invoice.post_payment_credit_notes_amount
    if asked.money.amount_minor > creditable:
        left = Money(creditable, invoice.currency)
        return f"Of {invoice.id} only {left} can still be credited, less than {asked.money}."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    invoice: Invoice = seen.objects["invoice"]
    amount = cast(int, asked.details["amount"])
    parameters: dict[str, Json] = {
        "invoice": invoice.id,
        "amount": amount,
        "email_type": "none",
        "metadata": {OUR_TAG: tag},
    }
    if asked.details["reason"] is not None:
        parameters["reason"] = asked.details["reason"]
    if amount > invoice.amount_remaining:
        parameters["credit_amount"] = amount - invoice.amount_remaining
    return parameters


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    tag = cast(Mapping[str, str], request["metadata"])[OUR_TAG]
    return _issued(hands, asked, tag) or done(
        writer_of(hands).credit_note(cast("p.CreditNoteCreateParams", dict(request)), key=key)
    )


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    return _issued(hands, asked, sent.tag) or Trace.ABSENT


def _issued(hands: Hands, asked: Asked, tag: str) -> Done | None:
    notes: list[CreditNote] = all_of(hands.reader, "credit_notes", invoice=asked.target.id)
    made = tagged(notes, tag)
    return None if made is None else Done(made.id, made.status, replayed=True)
