"""What can be done to a finalized invoice: collect it, send it, void it, or give it up. One line for each.

Stripe keeps no tag of ours on any of these, so they are verified by the invoice's state; that it was sent leaves no
state at all, only an event. Collecting is a real attempt to charge: card networks count those that are bound to fail.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from accounts.errors import Forbidden
from accounts.facts import Address
from accounts.stripe.shapes import Customer, Event, Invoice, InvoicePayment, PaymentIntent, Subscription
from accounts.stripe.writes import Outcome, Writer
from daemon.actions import details as given_as
from daemon.actions.reading import all_of, done, still, the, writer_of
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace, Where
from daemon.core.canonical import Json

SENT: Final = "invoice.sent"
EVENTS_ARE_LATE_FOR: Final = timedelta(minutes=5)  # an event that is not listed by then was never made
CLOCKS_DIFFER_MAX: Final = timedelta(seconds=60)  # Stripe's and ours, and Stripe's whole seconds


@dataclass(frozen=True, slots=True)
class InvoiceAction:
    """One thing that can be done to an invoice."""

    name: str
    sentence: str  # on the button, around the invoice's id
    since: tuple[str, ...]  # the states in which Stripe takes it
    call: Callable[[Writer, str, str], Outcome]
    until: str | None  # the state that proves it; None: none does
    charges: bool = False  # whether it takes money, and from what it takes it matters
    where: Where = "stripe"
    repeatable: Literal[True] = True
    verifiable: Literal[True] = True
    caller_only: Literal[False] = False

    def read(self, details: Mapping[str, Json], place: Place) -> Asked:
        id_ = given_as.an_id(given_as.known(details, self.name, ("invoice",)), "invoice")
        return Asked({"invoice": id_}, Address("invoice", id_))

    def see(self, hands: Hands, asked: Asked) -> Seen:
        invoice = the(hands.reader, Invoice, "invoice", asked.target.id)
        material: dict[str, Json] = {
            "invoice": invoice.id,
            "status": invoice.status,
            "total": invoice.total,
            "amount_remaining": invoice.amount_remaining,
            "currency": invoice.currency,
            "attempt_count": invoice.attempt_count,
            "next_payment_attempt": invoice.next_payment_attempt,
            "collection_method": invoice.collection_method,
            "livemode": invoice.livemode,
        }
        if self.charges:
            material["payment_method"] = _payment_method(hands, invoice)
        return Seen(asked.target, material, invoice.customer, {"invoice": invoice})

    def describe(self, asked: Asked, place: Place) -> str:
        what = self.sentence.format(asked.target.id + given_as.of_customer(place))
        return given_as.button(what, place)

    def preflight(self, asked: Asked, seen: Seen, now: datetime) -> str | None:
        invoice: Invoice = seen.objects["invoice"]
        if invoice.status not in self.since:
            return f"{invoice.id} is {invoice.status}; it would have to be {' or '.join(self.since)}."
        if self.charges and not invoice.amount_remaining:
            return f"Nothing of {invoice.id} is open."
        if self.charges and seen.material["payment_method"] is None:
            return f"There is no payment method that {invoice.id} could be collected from."
        return None

    def request(self, asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
        return {"invoice": asked.target.id}

    def execute(self, hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
        return done(self.call(writer_of(hands), asked.target.id, key))

    def verify(self, hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
        if self.until is None:
            return _sent(hands, asked.target.id, sent.sent_at)
        invoice = still(hands.reader, Invoice, asked.target)
        if invoice is None:
            return Trace.UNSURE
        if invoice.status == self.until:
            return Done(invoice.id, invoice.status, replayed=True)
        return Trace.UNSURE if self.charges and _is_being_paid(hands, invoice) else Trace.ABSENT


INVOICE_PAY: Final = InvoiceAction(
    "invoice_pay", "Collect {} now", ("open", "uncollectible"),
    lambda writer, id_, key: writer.invoice_pay(id_, {"off_session": True}, key=key),
    until="paid", charges=True,
)  # fmt: skip
INVOICE_SEND: Final = InvoiceAction(
    "invoice_send", "Send {} to the customer by e-mail", ("open",),
    lambda writer, id_, key: writer.invoice_send(id_, key=key),
    until=None,
)  # fmt: skip
INVOICE_VOID: Final = InvoiceAction(
    "invoice_void", "Void {} for good", ("open", "uncollectible"),
    lambda writer, id_, key: writer.invoice_void(id_, key=key),
    until="void",
)  # fmt: skip
INVOICE_UNCOLLECTIBLE: Final = InvoiceAction(
    "invoice_uncollectible", "Mark {} as uncollectible", ("open",),
    lambda writer, id_, key: writer.invoice_uncollectible(id_, key=key),
    until="uncollectible",
)  # fmt: skip


def _payment_method(hands: Hands, invoice: Invoice) -> str | None:
    """What Stripe would collect from, in the order in which it looks."""
    own = invoice.default_payment_method or invoice.default_source
    if own is None and invoice.subscription is not None:
        paid_by = the(hands.reader, Subscription, "subscription", invoice.subscription)
        own = paid_by.default_payment_method or paid_by.default_source
    if own is None and invoice.customer is not None:
        customer = the(hands.reader, Customer, "customer", invoice.customer)
        settings = customer.invoice_settings
        own = (settings.default_payment_method if settings else None) or customer.default_source
    return own


def _is_being_paid(hands: Hands, invoice: Invoice) -> bool:
    """Whether a payment is on its way: a bank debit takes days, and the invoice is open meanwhile."""
    paying: list[InvoicePayment] = all_of(hands.reader, "invoice_payments", invoice=invoice.id, status="open")
    for each in paying:
        if each.payment.payment_intent is not None:
            paid_by = Address("payment_intent", each.payment.payment_intent)
            intent = still(hands.reader, PaymentIntent, paid_by)
            if intent is not None and intent.status == "processing":
                return True
    return False


def _sent(hands: Hands, invoice: str, sent_at: datetime) -> Done | Trace:
    since = sent_at - CLOCKS_DIFFER_MAX
    try:
        events: list[Event] = all_of(hands.reader, "events", type=SENT, created_gte=int(since.timestamp()))
    except Forbidden:
        return Trace.UNSURE  # an act_key need not read events
    if any(each.object_id == invoice for each in events):
        return Done(invoice, replayed=True)
    return Trace.ABSENT if hands.now - sent_at >= EVENTS_ARE_LATE_FOR else Trace.UNSURE
