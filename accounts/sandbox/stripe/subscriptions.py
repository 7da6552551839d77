"""Subscriptions: changed, canceled now or at the period's end, and paused in two ways."""

from accounts.sandbox import objects
from accounts.sandbox.stripe.call import Answer, Call, reads, writes
from accounts.sandbox.stripe.lists import Cursors, page_of_few
from accounts.sandbox.stripe.params import Params
from accounts.sandbox.stripe.refusals import missing, parameter_missing, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json, StripeAccount

PERMISSIONS = BY_CLASS["subscription"].permissions
PAUSES = ("keep_as_draft", "mark_uncollectible", "void")
OVER = ("canceled", "incomplete_expired")
PAUSABLE = ("active", "past_due", "trialing", "unpaid")
FEEDBACK = (
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
)


def _update(call: Call) -> Answer:
    params, before = call.params, call.one("subscription", call.id)
    after = before | {"metadata": params.metadata(before["metadata"])}
    after["cancellation_details"] = _details(params, before)
    changes_more = any(
        name in params
        for name in ("items", "cancel_at_period_end", "cancel_at", "pause_collection", "description")
    )
    if before["status"] in OVER and changes_more:
        raise refused("A canceled subscription can only update its cancellation_details and metadata.")
    _read_cancellation(call, params, after)
    if "pause_collection" in params:
        after["pause_collection"] = _pause_collection(params)
    for name in ("description", "default_payment_method"):
        if name in params:
            after[name] = params.text(name) or None
    after["items"] = before["items"] | {"data": _items(call, params, before)}
    params.ignore(
        "automatic_tax",
        "billing_cycle_anchor",
        "collection_method",
        "days_until_due",
        "off_session",
        "payment_behavior",
        "payment_settings",
        "proration_behavior",
        "proration_date",
        "trial_end",
    )
    params.finish()
    call.put(after)
    call.emit("customer.subscription.updated", after, before)
    if after["cancel_at"]:
        account = call.account
        call.world.clock.at(
            after["cancel_at"], lambda: _end_when_due(account, after["id"], after["cancel_at"])
        )
    return after


def _details(params: Params, subscription: Json) -> Json:
    known: Json = subscription["cancellation_details"]
    if given := params.inside("cancellation_details"):
        comment, feedback = given.text("comment"), given.text("feedback", one_of=FEEDBACK)
        given.ignore("feedback_option")
        given.finish()
        return known | {"comment": comment or known["comment"], "feedback": feedback or known["feedback"]}
    return known


def _read_cancellation(call: Call, params: Params, after: Json) -> None:
    unset = "cancel_at" in params
    at_end, at = params.flag("cancel_at_period_end"), params.integer("cancel_at")
    if at_end:
        after["cancel_at"] = after["items"]["data"][0]["current_period_end"]
    elif at is not None or at_end is False or unset:
        after["cancel_at"] = at
    else:
        return
    after["cancel_at_period_end"] = bool(at_end)
    after["canceled_at"] = call.now if after["cancel_at"] else None
    reason = "cancellation_requested" if after["cancel_at"] else None
    after["cancellation_details"] = after["cancellation_details"] | {"reason": reason}


def _pause_collection(params: Params) -> Json | None:
    pause = params.inside("pause_collection")
    if pause is None:
        return None
    behavior = pause.text("behavior", one_of=PAUSES)
    resumes_at = pause.integer("resumes_at")
    pause.finish()
    if behavior is None:
        raise parameter_missing("pause_collection[behavior]")
    return {"behavior": behavior, "resumes_at": resumes_at}


def _items(call: Call, params: Params, before: Json) -> list[Json]:
    items: list[Json] = list(before["items"]["data"])
    for given in params.each("items"):
        id_, price_id = given.text("id"), given.text("price")
        quantity, deleted = given.integer("quantity", least=0), given.flag("deleted")
        metadata = given.metadata({})
        given.ignore("clear_usage", "discounts", "tax_rates")
        given.finish()
        at = next((at for at, item in enumerate(items) if item["id"] == id_), None)
        if id_ and at is None:
            raise missing("subscription_item", id_, given.name("id"), 400)
        price = call.one("price", price_id, given.name("price")) if price_id else None
        if at is None:
            items.append(_new_item(call, before, given, price, quantity))
        elif deleted:
            del items[at]
        else:
            changes: Json = {"metadata": items[at]["metadata"] | metadata}
            changes |= {"price": price, "plan": objects.plan_of(price)} if price else {}
            changes |= {} if quantity is None else {"quantity": quantity}
            items[at] = items[at] | changes
    if not items:
        raise refused("A subscription must have at least one active plan.", param="items")
    return items


def _new_item(
    call: Call, subscription: Json, given: Params, price: Json | None, quantity: int | None
) -> Json:
    if price is None:
        raise parameter_missing(given.name("price"))
    first = subscription["items"]["data"][0]
    return objects.subscription_item(
        call.new_id("si"),
        created=call.now,
        subscription=subscription["id"],
        price=price,
        period=(first["current_period_start"], first["current_period_end"]),
        quantity=1 if quantity is None else quantity,
    )


def _cancel(call: Call) -> Answer:
    params, subscription = call.params, call.one("subscription", call.id)
    details = _details(params, subscription)
    params.ignore("invoice_now", "prorate")
    params.finish()
    if subscription["status"] in OVER:
        raise missing("subscription", call.id)
    details = details | {"reason": "cancellation_requested"}
    return end(call.account, subscription | {"cancellation_details": details}, call.cause)


def end(account: StripeAccount, subscription: Json, cause: Json | None = None) -> Json:
    """Cancels at once. Open invoices are no longer collected, and entitlements end with the last subscription."""
    now = account.world.clock.now()
    ended = account.put(
        subscription
        | {"status": "canceled", "canceled_at": subscription["canceled_at"] or now, "ended_at": now}
    )
    account.emit("customer.subscription.deleted", ended, None, cause)
    for invoice in account.newest_first("invoice", customer=ended["customer"], status="open"):
        account.put(invoice | {"auto_advance": False, "next_payment_attempt": None})
    _end_entitlements(account, ended["customer"], cause)
    return ended


def _end_entitlements(account: StripeAccount, customer: str, cause: Json | None) -> None:
    if next(account.newest_first("subscription", customer=customer, listed=True), None) is not None:
        return
    entitlements = list(account.newest_first("entitlements.active_entitlement", customer=customer))
    for entitlement in entitlements:
        account.delete("entitlements.active_entitlement", entitlement["id"])
    if entitlements:
        summary = objects.active_entitlement_summary(customer, [], account.livemode)
        account.emit("entitlements.active_entitlement_summary.updated", summary, None, cause)


def _end_when_due(account: StripeAccount, id_: str, cancel_at: int) -> None:
    subscription = account.get("subscription", id_)
    if subscription and subscription["cancel_at"] == cancel_at and subscription["ended_at"] is None:
        end(account, subscription)


def _pause(call: Call) -> Answer:
    call.params.ignore("bill_for", "invoicing_behavior")
    call.params.text("type", one_of=("subscription",))
    call.params.finish()
    before = call.one("subscription", call.id)
    if before["billing_mode"]["type"] != "flexible":
        raise refused("Only subscriptions with billing_mode flexible can be paused.")
    if before["schedule"]:
        raise refused("A subscription that is managed by a schedule cannot be paused.")
    if before["status"] not in PAUSABLE:
        raise refused(f"A subscription whose status is {before['status']} cannot be paused.")
    after = call.put(before | {"status": "paused", "status_details": objects.paused_details(call.now)})
    call.emit("customer.subscription.paused", after)
    call.emit("customer.subscription.updated", after, before)
    return after


def _resume(call: Call) -> Answer:
    behaviors = ("resume_on_payment_attempt", "resume_on_payment_success")
    call.params.text("payment_behavior", one_of=behaviors)
    call.params.ignore("billing_cycle_anchor", "proration_behavior", "proration_date")
    call.params.finish()
    before = call.one("subscription", call.id)
    if before["status"] != "paused":
        raise refused(f"Only paused subscriptions can be resumed; this one's status is {before['status']}.")
    if before["collection_method"] != "charge_automatically":
        raise refused("Only subscriptions with collection_method charge_automatically can be resumed.")
    after = call.put(before | {"status": "active", "status_details": None})
    call.emit("customer.subscription.resumed", after)
    call.emit("customer.subscription.updated", after, before)
    return after


def _list_items(call: Call) -> Answer:
    id_, cursors = call.params.required("subscription"), Cursors.read(call.params)
    call.params.finish()
    items = call.one("subscription", id_, "subscription")["items"]["data"]
    return page_of_few("subscription_item", "/v1/subscription_items", items, cursors)


def _item(call: Call) -> Answer:
    call.params.finish()
    for subscription in call.account.newest_first("subscription", item=call.id):
        found: Json = next(item for item in subscription["items"]["data"] if item["id"] == call.id)
        return found
    raise missing("subscription_item", call.id)


ENDPOINTS = (
    writes("/v1/subscriptions/{id}", "subscription", PERMISSIONS, _update),
    writes("/v1/subscriptions/{id}", "subscription", PERMISSIONS, _cancel, method="DELETE"),
    writes("/v1/subscriptions/{id}/pause", "subscription", PERMISSIONS, _pause),
    writes("/v1/subscriptions/{id}/resume", "subscription", PERMISSIONS, _resume),
    reads("/v1/subscription_items", "subscription_item", PERMISSIONS, _list_items, listing=True),
    reads("/v1/subscription_items/{id}", "subscription_item", PERMISSIONS, _item),
)
