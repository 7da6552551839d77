"""Customers: made, changed, and deleted with all they subscribe to."""

from accounts.sandbox import objects
from accounts.sandbox.stripe.call import Answer, Call, reads, writes
from accounts.sandbox.stripe.lists import Cursors, Question, page_of
from accounts.sandbox.stripe.params import Params
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.stripe.subscriptions import OVER, end
from accounts.sandbox.world import Json

PERMISSIONS = BY_CLASS["customer"].permissions
TEXTS = ("business_name", "description", "email", "individual_name", "name", "phone")


def _create(call: Call) -> Answer:
    customer = objects.customer(
        call.new_id("cus"),
        created=call.now,
        name="",
        email="",
        currency=None,
        livemode=call.account.livemode,
    )
    made = call.put(customer | {"name": None, "email": None} | _given(call.params, customer))
    call.emit("customer.created", made)
    return made


def _update(call: Call) -> Answer:
    before = call.one("customer", call.id)
    after = call.put(before | _given(call.params, before))
    call.emit("customer.updated", after, before)
    return after


def _given(params: Params, customer: Json) -> Json:
    given: Json = {name: params.text(name) or None for name in TEXTS if name in params}
    given["metadata"] = params.metadata(customer["metadata"])
    balance = params.integer("balance")
    if balance is not None:
        given["balance"] = balance
    if settings := params.inside("invoice_settings"):
        method = settings.text("default_payment_method")
        settings.ignore("custom_fields", "footer", "rendering_options")
        settings.finish()
        given["invoice_settings"] = customer["invoice_settings"] | {"default_payment_method": method or None}
    for name in ("address", "shipping"):
        if name in params:
            given[name] = params.tree(name) or None
    params.ignore(
        "cash_balance",
        "default_source",
        "invoice_prefix",
        "next_invoice_sequence",
        "payment_method",
        "preferred_locales",
        "source",
        "tax",
        "tax_exempt",
        "tax_id_data",
        "test_clock",
        "validate",
    )
    params.finish()
    return given


def _delete(call: Call) -> Answer:
    call.params.finish()
    customer = call.one("customer", call.id)
    for subscription in call.account.newest_first("subscription", customer=call.id):
        orphaned = call.put(subscription | {"_orphaned": True})
        if subscription["status"] not in OVER:
            end(call.account, orphaned, call.cause)
    call.account.delete("customer", call.id)
    call.emit("customer.deleted", customer)
    return {"id": call.id, "object": "customer", "deleted": True}


def _subscriptions(call: Call) -> Answer:
    cursors = Cursors.read(call.params)
    call.params.finish()
    question = Question((("customer", call.id), ("listed", True)))
    return page_of(call.account.shelf("subscription"), call.path, question, cursors)


ENDPOINTS = (
    writes("/v1/customers", "customer", PERMISSIONS, _create),
    writes("/v1/customers/{id}", "customer", PERMISSIONS, _update),
    writes("/v1/customers/{id}", "customer", PERMISSIONS, _delete, method="DELETE"),
    reads(
        "/v1/customers/{id}/subscriptions",
        "subscription",
        BY_CLASS["subscription"].permissions,
        _subscriptions,
        listing=True,
    ),
)
