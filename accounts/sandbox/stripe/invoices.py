"""Invoices: finalized, sent, paid, voided, given up; and what a payment does to the subscription."""

from accounts.sandbox import objects
from accounts.sandbox.stripe import payments
from accounts.sandbox.stripe.call import Answer, Call, reads, writes
from accounts.sandbox.stripe.lists import Cursors, page_of_few
from accounts.sandbox.stripe.refusals import Refusal, declined, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json

PERMISSIONS = BY_CLASS["invoice"].permissions
PAYABLE = ("open", "uncollectible")


def _pay(call: Call) -> Answer:
    params = call.params
    payment_method, source = params.text("payment_method"), params.text("source")
    out_of_band, forgive = params.flag("paid_out_of_band"), params.flag("forgive")
    params.ignore("mandate", "off_session")
    params.finish()
    invoice = call.one("invoice", call.id)
    if payment_method:
        call.one("payment_method", payment_method, "payment_method")
    if invoice["status"] == "paid":
        raise refused("Invoice is already paid", "invoice_already_paid")
    if invoice["status"] == "draft":
        invoice = _finalized(call, invoice)
    if invoice["status"] not in PAYABLE:
        raise _wrong_status(invoice, "paid", PAYABLE)
    if not (out_of_band or forgive):
        _charge(call, invoice, payment_method or source)
    return settle(call, invoice)


def _charge(call: Call, invoice: Json, payment_method: str | None) -> None:
    payment = next(call.account.newest_first("invoice_payment", invoice=invoice["id"], status="open"), None)
    intent = (
        call.one("payment_intent", payment["payment"]["payment_intent"])
        if payment
        else _intent(call, invoice)
    )
    if payment is None:
        payment = objects.invoice_payment(
            call.new_id("inpay"),
            created=call.now,
            invoice=invoice["id"],
            payment_intent=intent["id"],
            amount=invoice["amount_remaining"],
            currency=invoice["currency"],
            status="open",
            livemode=call.account.livemode,
        )
    intent, charge = payments.attempt(call, intent, payment_method)
    if charge["status"] == "failed":
        call.emit("invoice.payment_failed", call.put(invoice | {"attempted": True}))
        error = intent["last_payment_error"]
        raise declined(error["message"], error["code"], error["decline_code"], charge["id"])
    paid = payment | {
        "amount_paid": charge["amount"],
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": call.now},
    }
    call.emit("invoice_payment.paid", call.put(paid))


def _intent(call: Call, invoice: Json) -> Json:
    return call.put(
        objects.payment_intent(
            call.new_id("pi"),
            created=call.now,
            amount=invoice["amount_remaining"],
            currency=invoice["currency"],
            customer=invoice["customer"],
            payment_method=invoice["default_payment_method"],
            status="requires_payment_method",
            livemode=call.account.livemode,
        )
    )


def settle(call: Call, before: Json) -> Json:
    """The invoice is paid, and its subscription recovers if nothing else is open."""
    after = call.put(
        before
        | {
            "amount_paid": before["amount_paid"] + before["amount_remaining"],
            "amount_remaining": 0,
            "attempted": True,
            "next_payment_attempt": None,
            "status": "paid",
            "status_transitions": before["status_transitions"] | {"paid_at": call.now},
        }
    )
    call.emit("invoice.paid", after)
    call.emit("invoice.payment_succeeded", after)
    details = (after["parent"] or {}).get("subscription_details") or {}
    subscription = call.account.get("subscription", details.get("subscription") or "")
    if subscription and subscription["status"] in ("past_due", "unpaid", "incomplete"):
        others = call.account.newest_first("invoice", subscription=subscription["id"], status="open")
        if next(others, None) is None:
            recovered = call.put(subscription | {"status": "active"})
            call.emit("customer.subscription.updated", recovered, subscription)
    return after


def _finalized(call: Call, before: Json) -> Json:
    after = before | {
        "effective_at": call.now,
        "ending_balance": 0,
        "number": f"SB-{before['id'][-8:].upper()}",
        "status": "open",
        "status_transitions": before["status_transitions"] | {"finalized_at": call.now},
    }
    call.put(after)
    call.emit("invoice.finalized", after)
    return after


def _finalize(call: Call) -> Answer:
    call.params.ignore("auto_advance")
    call.params.finish()
    invoice = call.one("invoice", call.id)
    if invoice["status"] != "draft":
        raise refused("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    return _finalized(call, invoice)


def _send(call: Call) -> Answer:
    call.params.finish()
    invoice = call.one("invoice", call.id)
    if invoice["status"] == "draft":
        invoice = _finalized(call, invoice)
    if invoice["status"] != "open":
        raise _wrong_status(invoice, "sent", ("open",))
    call.emit("invoice.sent", invoice)
    return invoice


def _void(call: Call) -> Answer:
    call.params.finish()
    before = call.one("invoice", call.id)
    if before["status"] not in PAYABLE:
        raise _wrong_status(before, "voided", PAYABLE)
    transitions = before["status_transitions"] | {"voided_at": call.now}
    after = before | {"next_payment_attempt": None, "status": "void", "status_transitions": transitions}
    call.put(after)
    call.emit("invoice.voided", after)
    return after


def _mark_uncollectible(call: Call) -> Answer:
    call.params.finish()
    before = call.one("invoice", call.id)
    if before["status"] != "open":
        raise _wrong_status(before, "marked uncollectible", ("open",))
    transitions = before["status_transitions"] | {"marked_uncollectible_at": call.now}
    details = {"uncollectible": {"reason": "marked_uncollectible"}}
    after = before | {"status": "uncollectible", "status_details": details, "status_transitions": transitions}
    call.put(after)
    call.emit("invoice.marked_uncollectible", after)
    return after


def _update(call: Call) -> Answer:
    params, before = call.params, call.one("invoice", call.id)
    after = before | {"metadata": params.metadata(before["metadata"])}
    advance, description = params.flag("auto_advance"), params.text("description")
    params.finish()
    if advance is not None:
        after["auto_advance"] = advance
    if description is not None:
        after["description"] = description or None
    call.put(after)
    call.emit("invoice.updated", after, before)
    return after


def _lines(call: Call) -> Answer:
    cursors = Cursors.read(call.params)
    call.params.finish()
    lines = call.one("invoice", call.id)["lines"]["data"]
    return page_of_few("line_item", call.path, lines, cursors)


def _wrong_status(invoice: Json, done: str, wanted: tuple[str, ...]) -> Refusal:
    return refused(
        f"Invoice {invoice['id']} cannot be {done}: its status is {invoice['status']}, not {' or '.join(wanted)}.",
        "invoice_not_editable",
    )


ENDPOINTS = (
    writes("/v1/invoices/{id}", "invoice", PERMISSIONS, _update),
    writes("/v1/invoices/{id}/finalize", "invoice", PERMISSIONS, _finalize),
    writes("/v1/invoices/{id}/mark_uncollectible", "invoice", PERMISSIONS, _mark_uncollectible),
    writes("/v1/invoices/{id}/pay", "invoice", PERMISSIONS, _pay),
    writes("/v1/invoices/{id}/send", "invoice", PERMISSIONS, _send),
    writes("/v1/invoices/{id}/void", "invoice", PERMISSIONS, _void),
    reads("/v1/invoices/{id}/lines", "line_item", PERMISSIONS, _lines, listing=True),
)
