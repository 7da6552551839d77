"""Credit notes: first against what is still owed, and what was paid comes back by refund, balance or otherwise."""

from accounts.sandbox import objects
from accounts.sandbox.stripe import refunds
from accounts.sandbox.stripe.call import Answer, Call, reads, writes
from accounts.sandbox.stripe.invoices import settle
from accounts.sandbox.stripe.lists import Cursors, page_of_few
from accounts.sandbox.stripe.refusals import parameter_missing, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json

PERMISSIONS = BY_CLASS["credit_note"].permissions
REASONS = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")


def _create(call: Call) -> Answer:
    params = call.params
    invoice_id, amount = params.required("invoice"), params.integer("amount", least=0)
    credit = params.integer("credit_amount", least=0) or 0
    refund_amount = params.integer("refund_amount", least=0) or 0
    elsewhere = params.integer("out_of_band_amount", least=0) or 0
    reason, memo = params.text("reason", one_of=REASONS), params.text("memo")
    named = [(each.required("refund"), each.integer("amount_refunded")) for each in params.each("refunds")]
    metadata = params.metadata({})
    params.text("email_type", one_of=("credit_note", "none"))
    params.ignore("effective_at")
    params.finish()
    invoice = call.one("invoice", invoice_id, "invoice")
    if amount is None:
        raise parameter_missing("amount")
    if invoice["status"] not in ("open", "paid"):
        raise refused(
            f"Credit notes can only be created for open or paid invoices, not {invoice['status']} ones."
        )
    before_payment = min(amount, invoice["amount_remaining"])
    after_payment = amount - before_payment
    given_back = [(call.one("refund", id_, "refunds"), part) for id_, part in named]
    _check(invoice, after_payment, credit + refund_amount + elsewhere + _total(given_back))
    if refund_amount:
        made = refunds.refund(call.account, _charge(call, invoice), refund_amount, None, {}, call.cause)
        given_back.append((made, refund_amount))
    id_ = call.new_id("cn")
    line = objects.credit_note_line(
        call.new_id("cnli"), amount=amount, invoice_line=None, livemode=call.account.livemode
    )
    note = objects.credit_note(
        id_,
        created=call.now,
        customer=invoice["customer"],
        invoice=invoice_id,
        amount=amount,
        currency=invoice["currency"],
        lines=[line],
        refunds=[
            {"amount_refunded": part or made["amount"], "refund": made["id"], "type": "refund"}
            for made, part in given_back
        ],
        livemode=call.account.livemode,
        memo=memo,
        metadata=metadata,
        out_of_band_amount=elsewhere or None,
        post_payment_amount=after_payment,
        pre_payment_amount=before_payment,
        reason=reason,
        type="post_payment" if after_payment else "pre_payment",
    )
    call.put(note)
    _credit(call, invoice, before_payment, after_payment)
    call.emit("credit_note.created", note)
    return note


def _check(invoice: Json, after_payment: int, given_back: int) -> None:
    creditable = invoice["amount_paid"] - invoice["post_payment_credit_notes_amount"]
    if after_payment > creditable:
        raise refused(
            f"The credit note is {after_payment - creditable} more than what is left of the invoice.",
            param="amount",
        )
    if after_payment != given_back:
        raise refused(
            "The sum of refund_amount, refunds, credit_amount and out_of_band_amount must equal the credit note "
            f"amount that was already paid: {after_payment}, not {given_back}."
        )


def _total(given_back: list[tuple[Json, int | None]]) -> int:
    return sum(part or refund["amount"] for refund, part in given_back)


def _charge(call: Call, invoice: Json) -> Json:
    for payment in call.account.newest_first("invoice_payment", invoice=invoice["id"], status="paid"):
        intent = call.one("payment_intent", payment["payment"]["payment_intent"])
        return call.one("charge", intent["latest_charge"])
    raise refused("The invoice was not paid by a charge that could be refunded.", "charge_not_refundable")


def _credit(call: Call, invoice: Json, before_payment: int, after_payment: int) -> None:
    remaining = invoice["amount_remaining"] - before_payment
    after = invoice | {
        "amount_due": invoice["amount_due"] - before_payment,
        "amount_remaining": remaining,
        "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] + before_payment,
        "post_payment_credit_notes_amount": invoice["post_payment_credit_notes_amount"] + after_payment,
    }
    call.put(after)
    call.emit("invoice.updated", after, invoice)
    if before_payment and not remaining:
        settle(call, after)


def _void(call: Call) -> Answer:
    call.params.finish()
    note = call.one("credit_note", call.id)
    invoice = call.one("invoice", note["invoice"])
    if note["status"] == "void" or invoice["status"] != "open":
        raise refused("A credit note can be voided once, and only while its invoice is open.")
    amount = note["pre_payment_amount"]
    restored = invoice | {
        "amount_due": invoice["amount_due"] + amount,
        "amount_remaining": invoice["amount_remaining"] + amount,
        "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] - amount,
    }
    voided = call.put(note | {"status": "void", "voided_at": call.now})
    call.put(restored)
    call.emit("credit_note.voided", voided)
    call.emit("invoice.updated", restored, invoice)
    return voided


def _update(call: Call) -> Answer:
    before = call.one("credit_note", call.id)
    after = before | {"metadata": call.params.metadata(before["metadata"])}
    memo = call.params.text("memo")
    call.params.finish()
    if memo is not None:
        after["memo"] = memo or None
    call.put(after)
    call.emit("credit_note.updated", after, before)
    return after


def _lines(call: Call) -> Answer:
    cursors = Cursors.read(call.params)
    call.params.finish()
    lines = call.one("credit_note", call.id)["lines"]["data"]
    return page_of_few("credit_note_line_item", call.path, lines, cursors)


ENDPOINTS = (
    writes("/v1/credit_notes", "credit_note", PERMISSIONS, _create),
    writes("/v1/credit_notes/{id}", "credit_note", PERMISSIONS, _update),
    writes("/v1/credit_notes/{id}/void", "credit_note", PERMISSIONS, _void),
    reads("/v1/credit_notes/{id}/lines", "credit_note_line_item", PERMISSIONS, _lines, listing=True),
)
