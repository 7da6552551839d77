"""Refunds: when Stripe refuses one, what one changes, and how one ends."""

from accounts.sandbox import objects
from accounts.sandbox.stripe import ledger
from accounts.sandbox.stripe.call import Answer, Call, changed, reads, writes
from accounts.sandbox.stripe.lists import Cursors, Question, page_of
from accounts.sandbox.stripe.refusals import invalid, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json, StripeAccount

PERMISSIONS = BY_CLASS["refund"].permissions
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
STILL_REFUNDABLE = ("won", "warning_needs_response", "warning_under_review", "warning_closed")


def create(call: Call) -> Answer:
    params = call.params
    charge_id, intent_id = params.text("charge"), params.text("payment_intent")
    amount = params.integer("amount", least=1)
    reason = params.text("reason", one_of=REASONS)
    currency = params.text("currency")
    metadata = params.metadata({})
    params.ignore("instructions_email", "refund_application_fee", "reverse_transfer")
    params.finish()
    if charge_id and intent_id:
        raise invalid("You may only specify one of these parameters: charge, payment_intent.")
    if not charge_id and not intent_id:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    charge = _charge(call, charge_id, intent_id)
    if currency and currency != charge["currency"]:
        raise invalid(f"The currency of the charge is {charge['currency']}, not {currency}.", "currency")
    return refund(call.account, charge, amount, reason, metadata, call.cause)


def _charge(call: Call, charge_id: str | None, intent_id: str | None) -> Json:
    if charge_id:
        return call.one("charge", charge_id, "charge")
    intent = call.one("payment_intent", intent_id or "", "payment_intent")
    if intent["status"] != "succeeded" or not intent["latest_charge"]:
        raise refused(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            "charge_not_refundable",
            "payment_intent",
        )
    return call.one("charge", intent["latest_charge"], "payment_intent")


def refund(
    account: StripeAccount,
    charge: Json,
    amount: int | None,
    reason: str | None,
    metadata: dict[str, str],
    cause: Json | None,
) -> Json:
    """Makes a refund, or raises the refusal; no amount means all that remains."""
    amount = _refundable(account, charge, amount)
    faults, id_ = account.faults, account.world.new_id("re")
    pending = faults.refunds_pending_s > 0
    made = objects.refund(
        id_,
        created=account.world.clock.now(),
        amount=amount,
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        customer=charge["customer"],
        payment_method=charge["payment_method"],
        balance_transaction=ledger.book(account, "refund", -amount, charge["currency"], id_)["id"],
        status="pending" if pending else "succeeded",
        reason=reason,
        metadata=metadata,
    )
    account.put(made)
    before = dict(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    if reason == "fraudulent":
        charge["fraud_details"] = {"user_report": "fraudulent"}
    _close_review(account, charge, reason, cause)
    account.put(charge)
    account.emit("refund.created", made, None, cause)
    account.emit("charge.refunded", charge, changed(before, charge), cause)
    _calm_warnings(account, charge, cause)
    if pending:
        account.world.clock.after(faults.refunds_pending_s, lambda: _settle(account, id_))
    return made


def _refundable(account: StripeAccount, charge: Json, amount: int | None) -> int:
    id_, remaining = charge["id"], charge["amount_captured"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise refused(f"Charge {id_} cannot be refunded: it was not paid.", "charge_not_refundable", "charge")
    for dispute in account.newest_first("dispute", charge=id_):
        if not dispute["is_charge_refundable"] and dispute["status"] not in STILL_REFUNDABLE:
            raise refused(f"Charge {id_} has been charged back; cannot issue a refund.", "charge_disputed")
    if remaining <= 0:
        raise refused(f"Charge {id_} has already been refunded.", "charge_already_refunded")
    if amount is not None and amount > remaining:
        raise refused(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({remaining}).",
            "amount_too_large",
            "amount",
        )
    return remaining if amount is None else amount


def _close_review(account: StripeAccount, charge: Json, reason: str | None, cause: Json | None) -> None:
    review = charge["review"] and account.get("review", charge["review"])
    if review and review["open"]:
        why = "refunded_as_fraud" if reason == "fraudulent" else "refunded"
        closed = account.put(review | {"open": False, "closed_reason": why, "reason": why})
        charge["review"] = None
        account.emit("review.closed", closed, None, cause)


def _calm_warnings(account: StripeAccount, charge: Json, cause: Json | None) -> None:
    if not charge["refunded"]:
        return
    for warning in account.newest_first("radar.early_fraud_warning", charge=charge["id"]):
        if warning["actionable"]:
            calm = account.put(warning | {"actionable": False})
            account.emit("radar.early_fraud_warning.updated", calm, {"actionable": True}, cause)


def _settle(account: StripeAccount, id_: str) -> None:
    made = account.get("refund", id_)
    if made is None or made["status"] != "pending":
        return
    if account.faults.refunds_fail:
        fail(account, id_)
        return
    settled = account.put(made | {"status": "succeeded", "pending_reason": None})
    account.emit("refund.updated", settled, changed(made, settled))


def fail(account: StripeAccount, id_: str, reason: str = "unknown") -> Json:
    """A pending or even a succeeded refund fails: the money returns to the balance and the charge is paid again."""
    made = account.get("refund", id_)
    if made is None or made["status"] not in ("pending", "succeeded"):
        raise ValueError(f"refund {id_} cannot fail: there is no such refund, or it is over")
    returned = ledger.book(account, "refund_failure", made["amount"], made["currency"], id_)
    failed = account.put(
        made
        | {
            "status": "failed",
            "failure_reason": reason,
            "failure_balance_transaction": returned["id"],
            "pending_reason": None,
        }
    )
    charge = made["charge"] and account.get("charge", made["charge"])
    if charge:
        account.put(
            charge | {"amount_refunded": charge["amount_refunded"] - made["amount"], "refunded": False}
        )
    account.emit("refund.failed", failed)
    account.emit("refund.updated", failed, changed(made, failed))
    return failed


def _update(call: Call) -> Answer:
    before = call.one("refund", call.id)
    metadata = call.params.metadata(before["metadata"])
    call.params.finish()
    after = call.put(before | {"metadata": metadata})
    call.emit("refund.updated", after, before)
    return after


def _cancel(call: Call) -> Answer:
    call.params.finish()
    before = call.one("refund", call.id)
    if before["status"] != "requires_action":
        raise refused(f"Refund {call.id} cannot be canceled: its status is {before['status']}.")
    after = call.put(before | {"status": "canceled"})
    call.emit("refund.updated", after, before)
    return after


def _of_charge(call: Call) -> Answer:
    cursors = Cursors.read(call.params)
    call.params.finish()
    call.one("charge", call.id)
    return page_of(call.account.shelf("refund"), call.path, Question((("charge", call.id),)), cursors)


ENDPOINTS = (
    writes("/v1/refunds", "refund", PERMISSIONS, create),
    writes("/v1/refunds/{id}", "refund", PERMISSIONS, _update),
    writes("/v1/refunds/{id}/cancel", "refund", PERMISSIONS, _cancel),
    reads("/v1/charges/{id}/refunds", "refund", PERMISSIONS, _of_charge, listing=True),
)
