"""Payouts by hand: out of what is available, on their way for two days, cancelable until they leave."""

from accounts.sandbox import objects
from accounts.sandbox.stripe import ledger
from accounts.sandbox.stripe.call import Answer, Call, changed, writes
from accounts.sandbox.stripe.refusals import parameter_missing, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import StripeAccount

PERMISSIONS = BY_CLASS["payout"].permissions


def _create(call: Call) -> Answer:
    params = call.params
    amount, currency = params.integer("amount", least=1), params.required("currency")
    method = params.text("method", one_of=("standard", "instant"))
    description, descriptor = params.text("description"), params.text("statement_descriptor")
    source_type = params.text("source_type", one_of=("bank_account", "card", "fpx"))
    metadata = params.metadata({})
    params.ignore("destination", "payout_method")
    params.finish()
    if amount is None:
        raise parameter_missing("amount")
    balance = ledger.balance(call.account)
    available = next((each["amount"] for each in balance["available"] if each["currency"] == currency), 0)
    if amount > available:
        raise refused(
            "You have insufficient funds in your Stripe account for this transfer. Your "
            f"{currency} balance is {available}.",
            "balance_insufficient",
        )
    id_ = call.new_id("po")
    transaction = ledger.book(call.account, "payout", -amount, currency, id_)
    payout = objects.payout(
        id_,
        created=call.now,
        amount=amount,
        currency=currency,
        balance_transaction=transaction["id"],
        status="pending",
        automatic=False,
        livemode=call.account.livemode,
        description=description,
        metadata=metadata,
        method=method or "standard",
        source_type=source_type or "card",
        statement_descriptor=descriptor,
    )
    call.put(payout)
    call.emit("payout.created", payout)
    account = call.account
    call.world.clock.at(payout["arrival_date"], lambda: _arrive(account, id_))
    return payout


def _arrive(account: StripeAccount, id_: str) -> None:
    payout = account.get("payout", id_)
    if payout is not None and payout["status"] in ("pending", "in_transit"):
        paid = account.put(payout | {"status": "paid"})
        account.emit("payout.paid", paid)
        account.emit("payout.updated", paid, changed(payout, paid))


def _update(call: Call) -> Answer:
    before = call.one("payout", call.id)
    metadata = call.params.metadata(before["metadata"])
    call.params.finish()
    after = call.put(before | {"metadata": metadata})
    call.emit("payout.updated", after, before)
    return after


def _cancel(call: Call) -> Answer:
    call.params.finish()
    before = call.one("payout", call.id)
    if before["status"] != "pending" or before["automatic"]:
        raise refused("Payouts can only be canceled while they are pending, and only if you created them.")
    returned = ledger.book(call.account, "payout_cancel", before["amount"], before["currency"], call.id)
    after = call.put(before | {"status": "canceled", "failure_balance_transaction": returned["id"]})
    call.emit("payout.canceled", after)
    call.emit("payout.updated", after, before)
    return after


ENDPOINTS = (
    writes("/v1/payouts", "payout", PERMISSIONS, _create),
    writes("/v1/payouts/{id}", "payout", PERMISSIONS, _update),
    writes("/v1/payouts/{id}/cancel", "payout", PERMISSIONS, _cancel),
)
