"""Payment intents, charges and payment methods: capturing what was only authorized, and how an attempt goes."""

from accounts.sandbox import objects
from accounts.sandbox.stripe import ledger
from accounts.sandbox.stripe.call import Answer, Call, reads, writes
from accounts.sandbox.stripe.lists import Cursors, Question, page_of
from accounts.sandbox.stripe.refusals import invalid, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json

PERMISSIONS = BY_CLASS["payment_intent"].permissions
METHOD_PERMISSIONS = BY_CLASS["payment_method"].permissions

FEE_PERCENT, FEE_FIXED = 2.9, 30
CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)

# Declines that a second attempt with the same card may survive; any other declines again.
PASSING = (
    "insufficient_funds",
    "processing_error",
    "issuer_not_available",
    "try_again_later",
    "reenter_transaction",
)


def fee_of(amount: int) -> int:
    return round(amount * FEE_PERCENT / 100) + FEE_FIXED


def attempt(call: Call, intent: Json, payment_method: str | None) -> tuple[Json, Json]:
    """Charges the card of this intent once: the intent and the charge as they are afterwards."""
    error = intent["last_payment_error"]
    code = error and (error["decline_code"] or error["code"])
    declines = bool(code) and payment_method is None and code not in PASSING
    id_, amount, currency = call.new_id("ch"), intent["amount"], intent["currency"]
    transaction: str | None = None
    if not declines:
        transaction = ledger.book(call.account, "charge", amount, currency, id_, fee=fee_of(amount))["id"]
    charge = objects.charge(
        id_,
        created=call.now,
        amount=amount,
        currency=currency,
        customer=intent["customer"],
        payment_intent=intent["id"],
        payment_method=payment_method or intent["payment_method"],
        balance_transaction=transaction,
        status="failed" if declines else "succeeded",
        livemode=call.account.livemode,
    )
    after = intent | {"latest_charge": id_, "payment_method": charge["payment_method"]}
    if declines:
        charge |= {"failure_code": error["code"], "failure_message": error["message"]}
        charge["outcome"] = objects.outcome(type="issuer_declined", reason=code)
        after |= {"status": "requires_payment_method", "last_payment_error": error | {"charge": id_}}
        call.emit("charge.failed", call.put(charge))
        call.emit("payment_intent.payment_failed", call.put(after))
    else:
        after |= {"status": "succeeded", "amount_received": amount, "last_payment_error": None}
        call.emit("charge.succeeded", call.put(charge))
        call.emit("payment_intent.succeeded", call.put(after))
    return after, charge


def _capture(call: Call) -> Answer:
    params = call.params
    amount = params.integer("amount_to_capture", least=1)
    intent = call.one("payment_intent", call.id)
    metadata = params.metadata(intent["metadata"])
    params.ignore(
        "amount_details",
        "application_fee_amount",
        "final_capture",
        "hooks",
        "payment_details",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
    )
    params.finish()
    if intent["status"] != "requires_capture":
        raise _unexpected_state(intent, "capture", "requires_capture")
    capturable = intent["amount_capturable"]
    amount = capturable if amount is None else amount
    if amount > capturable:
        raise refused(
            f"The amount_to_capture ({amount}) is greater than the capturable amount ({capturable}).",
            "amount_too_large",
            "amount_to_capture",
        )
    charge = call.one("charge", intent["latest_charge"])
    booked = ledger.book(call.account, "charge", amount, intent["currency"], charge["id"], fee=fee_of(amount))
    captured = charge | {
        "amount_captured": amount,
        "balance_transaction": booked["id"],
        "captured": True,
        "paid": True,
        "status": "succeeded",
    }
    after = intent | {
        "amount_capturable": 0,
        "amount_received": amount,
        "metadata": metadata,
        "status": "succeeded",
    }
    call.put(captured)
    call.put(after)
    call.emit("charge.captured", captured)
    call.emit("payment_intent.succeeded", after)
    return after


def _cancel(call: Call) -> Answer:
    reasons = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
    reason = call.params.text("cancellation_reason", one_of=reasons)
    call.params.finish()
    intent = call.one("payment_intent", call.id)
    if intent["status"] not in CANCELABLE:
        raise _unexpected_state(intent, "cancel", " or ".join(CANCELABLE))
    after = call.put(
        intent
        | {
            "status": "canceled",
            "amount_capturable": 0,
            "canceled_at": call.now,
            "cancellation_reason": reason,
        }
    )
    call.emit("payment_intent.canceled", after)
    return after


def _unexpected_state(intent: Json, verb: str, wanted: str) -> Exception:
    return refused(
        f"This PaymentIntent could not be {verb}{'led' if verb == 'cancel' else 'd'} because it has a status of "
        f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be: {wanted}.",
        "payment_intent_unexpected_state",
    )


def _update_charge(call: Call) -> Answer:
    params, before = call.params, call.one("charge", call.id)
    after = before | {"metadata": params.metadata(before["metadata"])}
    description = params.text("description")
    fraud = params.inside("fraud_details")
    report = fraud and fraud.text("user_report", one_of=("fraudulent", "safe"))
    params.ignore("customer", "receipt_email", "shipping", "transfer_group")
    params.finish()
    if description is not None:
        after["description"] = description or None
    if report:
        after["fraud_details"] = {"user_report": report}
    call.put(after)
    call.emit("charge.updated", after, before)
    return after


def _methods_of_customer(call: Call) -> Answer:
    cursors, kind = Cursors.read(call.params), call.params.text("type")
    call.params.ignore("allow_redisplay")
    call.params.finish()
    call.one("customer", call.id)
    facets = (("customer", call.id), *((("type", kind),) if kind else ()))
    return page_of(call.account.shelf("payment_method"), call.path, Question(facets), cursors)


def _method_of_customer(call: Call) -> Answer:
    call.params.finish()
    method = call.one("payment_method", call.ids[1])
    if method["customer"] != call.id:
        raise invalid(f"The payment method {call.ids[1]} does not belong to customer {call.id}.")
    return method


ENDPOINTS = (
    writes("/v1/payment_intents/{id}/capture", "payment_intent", PERMISSIONS, _capture),
    writes("/v1/payment_intents/{id}/cancel", "payment_intent", PERMISSIONS, _cancel),
    writes("/v1/charges/{id}", "charge", BY_CLASS["charge"].permissions, _update_charge),
    reads(
        "/v1/customers/{id}/payment_methods",
        "payment_method",
        METHOD_PERMISSIONS,
        _methods_of_customer,
        listing=True,
    ),
    reads(
        "/v1/customers/{id}/payment_methods/{id}", "payment_method", METHOD_PERMISSIONS, _method_of_customer
    ),
)
