"""What is sold: products, prices, and payment links to them."""

from accounts.sandbox import objects
from accounts.sandbox.stripe.call import Answer, Call, reads, writes
from accounts.sandbox.stripe.lists import Cursors, page_of_few
from accounts.sandbox.stripe.params import Params
from accounts.sandbox.stripe.refusals import parameter_invalid, parameter_missing, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json

PRODUCT = BY_CLASS["product"].permissions
PRICE = BY_CLASS["price"].permissions
LINK = BY_CLASS["payment_link"].permissions

INTERVALS = ("day", "week", "month", "year")
LINK_LINES_MAX = 20


def _create_product(call: Call) -> Answer:
    id_, name = call.params.text("id"), call.params.required("name")
    product = objects.product(
        id_ or call.new_id("prod"), created=call.now, name=name, livemode=call.account.livemode
    )
    changes = _product_changes(call.params, product)
    if id_ and call.account.get("product", id_):
        raise refused(f"Product already exists: {id_}", "resource_already_exists", "id")
    made = call.put(product | changes)
    call.emit("product.created", made)
    return made


def _update_product(call: Call) -> Answer:
    before = call.one("product", call.id)
    after = call.put(before | _product_changes(call.params, before) | {"updated": call.now})
    call.emit("product.updated", after, before)
    return after


def _product_changes(params: Params, product: Json) -> Json:
    changes: Json = {"metadata": params.metadata(product["metadata"])}
    active = params.flag("active")
    if active is not None:
        changes["active"] = active
    for name in (
        "default_price",
        "description",
        "name",
        "statement_descriptor",
        "tax_code",
        "unit_label",
        "url",
    ):
        if name in params:
            changes[name] = params.text(name) or None
    params.ignore("images", "marketing_features", "package_dimensions", "shippable", "tax_details", "type")
    params.finish()
    return changes


def _delete_product(call: Call) -> Answer:
    call.params.finish()
    product = call.one("product", call.id)
    if next(call.account.newest_first("price", product=call.id), None) is not None:
        raise refused("This product cannot be deleted because it has one or more user-created prices.")
    call.account.delete("product", call.id)
    call.emit("product.deleted", product)
    return {"id": call.id, "object": "product", "deleted": True}


def _create_price(call: Call) -> Answer:
    params = call.params
    currency, product_id = params.required("currency"), params.text("product")
    unit_amount = params.integer("unit_amount", least=0)
    recurring, inline = params.inside("recurring"), params.inside("product_data")
    interval, count, meter = _recurring(recurring)
    lookup_key, nickname = params.text("lookup_key"), params.text("nickname")
    transfer, active = params.flag("transfer_lookup_key"), params.flag("active")
    metadata = params.metadata({})
    params.ignore("billing_scheme", "tax_behavior")
    params.finish()
    if bool(product_id) == bool(inline):
        raise parameter_missing("product")
    if unit_amount is None:
        raise parameter_missing("unit_amount")
    _free_lookup_key(call, lookup_key, transfer)
    product = call.one("product", product_id, "product") if product_id else _inline_product(call, inline)
    price = objects.price(
        call.new_id("price"),
        created=call.now,
        product=product["id"],
        currency=currency,
        unit_amount=unit_amount,
        interval=interval,
        lookup_key=lookup_key,
        meter=meter,
        livemode=call.account.livemode,
        active=active is not False,
        metadata=metadata,
        nickname=nickname,
    )
    if price["recurring"]:
        price["recurring"]["interval_count"] = count
    call.put(price)
    call.emit("price.created", price)
    return price


def _recurring(recurring: Params | None) -> tuple[str | None, int, str | None]:
    if recurring is None:
        return None, 1, None
    interval, count = (
        recurring.text("interval", one_of=INTERVALS),
        recurring.integer("interval_count", least=1),
    )
    meter = recurring.text("meter")
    recurring.ignore("usage_type", "trial_period_days")
    recurring.finish()
    if interval is None:
        raise parameter_missing("recurring[interval]")
    return interval, count or 1, meter


def _inline_product(call: Call, inline: Params | None) -> Json:
    if inline is None:
        raise parameter_missing("product")
    name = inline.required("name")
    inline.ignore("active", "id", "metadata", "statement_descriptor", "tax_code", "unit_label")
    inline.finish()
    product = call.put(
        objects.product(call.new_id("prod"), created=call.now, name=name, livemode=call.account.livemode)
    )
    call.emit("product.created", product)
    return product


def _free_lookup_key(call: Call, lookup_key: str | None, transfer: bool | None) -> None:
    """A lookup key names one price; it moves to a new one only when asked to."""
    if not lookup_key:
        return
    for other in call.account.newest_first("price", lookup_key=lookup_key):
        if not transfer:
            raise refused(
                f"A price ({other['id']}) already uses that lookup key.",
                "resource_already_exists",
                "lookup_key",
            )
        call.put(other | {"lookup_key": None})


def _update_price(call: Call) -> Answer:
    params, before = call.params, call.one("price", call.id)
    after = before | {"metadata": params.metadata(before["metadata"])}
    active, transfer = params.flag("active"), params.flag("transfer_lookup_key")
    lookup_key = params.text("lookup_key")
    if "nickname" in params:
        after["nickname"] = params.text("nickname") or None
    params.ignore("currency_options", "tax_behavior")
    params.finish()
    if active is not None:
        after["active"] = active
    if lookup_key is not None and lookup_key != before["lookup_key"]:
        _free_lookup_key(call, lookup_key, transfer)
        after["lookup_key"] = lookup_key or None
    call.put(after)
    call.emit("price.updated", after, before)
    return after


def _create_link(call: Call) -> Answer:
    params = call.params
    lines = [_line(call, each) for each in params.each("line_items")]
    metadata = params.metadata({})
    currency = params.text("currency")
    params.ignore(
        "after_completion",
        "allow_promotion_codes",
        "automatic_tax",
        "billing_address_collection",
        "customer_creation",
        "inactive_message",
        "invoice_creation",
        "payment_intent_data",
        "payment_method_collection",
        "phone_number_collection",
        "restrictions",
        "submit_type",
        "subscription_data",
        "tax_id_collection",
    )
    params.finish()
    if not lines:
        raise parameter_missing("line_items")
    if len(lines) > LINK_LINES_MAX:
        raise parameter_invalid("line_items", f"You may only specify up to {LINK_LINES_MAX} of these.")
    link = objects.payment_link(
        call.new_id("plink"),
        currency=currency or lines[0]["currency"],
        livemode=call.account.livemode,
        metadata=metadata,
    )
    call.put(link | {"_lines": lines})
    call.emit("payment_link.created", link)
    return link


def _line(call: Call, given: Params) -> Json:
    price_id, quantity = given.required("price"), given.integer("quantity", least=1)
    given.ignore("adjustable_quantity")
    given.finish()
    price = call.one("price", price_id, given.name("price"))
    if quantity is None:
        raise parameter_missing(given.name("quantity"))
    amount = (price["unit_amount"] or 0) * quantity
    return {
        "id": call.new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": price["nickname"],
        "metadata": {},
        "price": price,
        "quantity": quantity,
    }


def _update_link(call: Call) -> Answer:
    params, before = call.params, call.one("payment_link", call.id)
    after = before | {"metadata": params.metadata(before["metadata"])}
    active = params.flag("active")
    params.ignore("inactive_message", "restrictions")
    params.finish()
    if active is not None:
        after["active"] = active
    call.put(after)
    call.emit("payment_link.updated", after, before)
    return after


def _link_lines(call: Call) -> Answer:
    cursors = Cursors.read(call.params)
    call.params.finish()
    return page_of_few("item", call.path, call.one("payment_link", call.id).get("_lines", []), cursors)


ENDPOINTS = (
    writes("/v1/products", "product", PRODUCT, _create_product),
    writes("/v1/products/{id}", "product", PRODUCT, _update_product),
    writes("/v1/products/{id}", "product", PRODUCT, _delete_product, method="DELETE"),
    writes("/v1/prices", "price", PRICE, _create_price),
    writes("/v1/prices/{id}", "price", PRICE, _update_price),
    writes("/v1/payment_links", "payment_link", LINK, _create_link),
    writes("/v1/payment_links/{id}", "payment_link", LINK, _update_link),
    reads("/v1/payment_links/{id}/line_items", "item", LINK, _link_lines, listing=True),
)
