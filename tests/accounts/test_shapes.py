"""Stripe's objects as we keep them: one shape for all API versions, and nothing personal in it."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import stripe
from msgspec.structs import fields

from accounts.errors import Malformed
from accounts.facts import Address
from accounts.stripe import shapes
from accounts.stripe.decoding import OUR_TAG, Decoding, Deleted, restored, stored
from accounts.stripe.resources import RESOURCES
from accounts.stripe.shapes.base import Expanded, Shape, hash_email, hash_evidence
from tests.accounts.building import HASH_KEY

Json = dict[str, Any]

DECODING = Decoding(HASH_KEY, ["source", "plan"])
SHAPES = [shape for shape in vars(shapes).values() if isinstance(shape, type) and issubclass(shape, Shape)]
SHAPES.remove(Shape)

# Fields that only older versions send, and ours, which gather what Stripe spreads over levels and versions.
OLDER_OR_OURS = {
    "Customer": set(),
    "CreditNote": {"refund"},
    "Discount": {"coupon"},
    "Invoice": {"charge", "paid_through", "payment_intent", "subscription"},
    "Subscription": {"current_period_end", "current_period_start", "discount"},
}

PERSONAL = {
    "address", "billing_details", "billing_zip", "business_name", "client_secret", "comment",
    "confirmation_secret", "customer_address", "customer_email", "customer_name", "customer_phone",
    "customer_shipping", "customer_tax_ids", "description", "destination", "fingerprint",
    "fraud_details", "hosted_invoice_url", "individual_name", "invoice_pdf", "ip_address",
    "ip_address_location", "last4", "phone", "pdf", "preferred_locales", "receipt_email", "receipt_url",
    "secret", "session", "shipping", "statement_descriptor", "tax_ids",
}  # fmt: skip


def read(shape: type[Any], obj: Json) -> Any:
    return DECODING.one(shape, json.dumps(obj).encode())


def price(**more: Any) -> Json:
    return {
        "object": "price", "id": "price_1", "currency": "usd", "product": "prod_1", "active": True, "created": 5,
        "livemode": True, "unit_amount": 14900, "unit_amount_decimal": "14900", "type": "recurring",
        "billing_scheme": "per_unit", "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
    } | more  # fmt: skip


def subscription(**more: Any) -> Json:
    item = {
        "object": "subscription_item", "id": "si_1", "price": price(), "quantity": 3, "discounts": [],
        "current_period_start": 100, "current_period_end": 200,
    }  # fmt: skip
    return {
        "object": "subscription", "id": "sub_1", "created": 50, "customer": "cus_1", "livemode": True,
        "status": "active", "currency": "usd", "latest_invoice": "in_1", "discounts": [],
        "items": {"object": "list", "data": [item], "has_more": False, "url": "/v1/subscription_items"},
    } | more  # fmt: skip


def invoice(**more: Any) -> Json:
    return {
        "object": "invoice", "id": "in_1", "amount_due": 500, "amount_paid": 0, "amount_remaining": 500,
        "created": 50, "currency": "usd", "customer": "cus_1", "livemode": True, "total": 500, "status": "open",
    } | more  # fmt: skip


def test_a_subscription_of_acacia_and_of_endive_are_the_same() -> None:
    """Trap A15: periods that moved to the items."""
    coupon = {"object": "coupon", "id": "half", "percent_off": 50, "duration": "forever"}
    endive = subscription(
        discounts=[
            {"object": "discount", "id": "di_1", "start": 60, "end": None, "source": {"coupon": coupon}}
        ]
    )
    acacia = subscription(
        current_period_start=100,
        current_period_end=200,
        discounts=["di_1"],
        discount={"object": "discount", "id": "di_1", "start": 60, "end": None, "coupon": coupon},
    )
    for item in acacia["items"]["data"]:
        del item["current_period_start"], item["current_period_end"]

    old, new = read(shapes.Subscription, acacia), read(shapes.Subscription, endive)

    assert old == new
    assert stored(old) == stored(new)
    assert new.period_end == 200
    assert new.discounts[0].coupon.percent_off == Decimal(50)


def test_an_invoice_of_acacia_and_of_endive_are_the_same() -> None:
    """Trap A15: the link from an invoice to its subscription."""
    paid = {
        "object": "invoice_payment", "id": "inpay_1", "amount_requested": 500, "created": 51, "currency": "usd",
        "invoice": "in_1", "is_default": True, "livemode": True, "status": "open",
        "payment": {"type": "payment_intent", "payment_intent": "pi_1"},
    }  # fmt: skip
    endive = invoice(
        parent={"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
        payments={"object": "list", "data": [paid], "has_more": False},
    )
    acacia = invoice(subscription="sub_1", payment_intent="pi_1", charge="ch_1", paid=False)

    old, new = read(shapes.Invoice, acacia), read(shapes.Invoice, endive)

    assert old == new
    assert stored(old) == stored(new)
    assert (new.subscription, new.paid_through) == ("sub_1", ("pi_1",))


def test_an_invoice_whose_payments_were_not_asked_for_does_not_say_that_there_are_none() -> None:
    assert read(shapes.Invoice, invoice()).paid_through is None


def test_a_credit_note_of_acacia_and_of_endive_are_the_same() -> None:
    common = {
        "object": "credit_note", "id": "cn_1", "amount": 5, "created": 1, "currency": "usd", "customer": "cus_1",
        "invoice": "in_1", "livemode": True, "status": "issued", "total": 5, "type": "post_payment",
    }  # fmt: skip
    old = read(shapes.CreditNote, common | {"refund": "re_1"})
    new = read(shapes.CreditNote, common | {"refunds": [{"amount_refunded": 5, "refund": "re_1"}]})
    assert old == new
    assert new.refunds == ("re_1",)


def test_an_item_that_names_only_a_plan_gets_its_price() -> None:
    plan = {
        "object": "plan", "id": "price_1", "currency": "usd", "product": "prod_1", "active": True, "created": 5,
        "livemode": True, "amount": 14900, "amount_decimal": "14900", "interval": "month", "interval_count": 1,
        "usage_type": "licensed", "billing_scheme": "per_unit",
    }  # fmt: skip
    item = {"object": "subscription_item", "id": "si_1", "quantity": 1}
    oldest = subscription(items={"data": [item | {"plan": plan}]})
    between = subscription(items={"data": [item | {"plan": plan, "price": price()}]})
    newest = subscription(items={"data": [item | {"price": price()}]})
    read_all = [read(shapes.Subscription, each) for each in (oldest, between, newest)]
    assert read_all[0] == read_all[1] == read_all[2]


def test_a_reference_is_an_id_whether_it_came_expanded_or_not() -> None:
    whole = {"id": "cus_1", "object": "customer", "email": "mary@example.com", "name": "Mary"}
    assert read(shapes.Subscription, subscription(customer=whole)) == read(
        shapes.Subscription, subscription()
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_shape_names_its_references(shape: type[Shape]) -> None:
    expandable = {field.name for field in fields(shape) if Expanded in getattr(field.type, "__args__", ())}
    assert set(shape.refs) == expandable


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_shape_has_only_fields_that_stripe_has_today(shape: type[Shape]) -> None:
    named = {"EarlyFraudWarning": stripe.radar.EarlyFraudWarning, "Feature": stripe.entitlements.Feature}
    named["ActiveEntitlement"] = stripe.entitlements.ActiveEntitlement
    theirs = named.get(shape.__name__) or getattr(stripe, shape.__name__)
    ours = {field.name for field in fields(shape)} - OLDER_OR_OURS.get(shape.__name__, set())
    assert ours <= set(theirs.__annotations__)


def test_every_resource_has_a_shape_of_its_type() -> None:
    for resource in RESOURCES:
        if resource.name != "events":
            assert resource.shape.__struct_config__.tag == resource.type


def structs(shape: Any, seen: set[type]) -> set[type]:
    """All structs that a shape is made of."""
    kind = getattr(shape, "__origin__", shape)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and shape not in seen:
        seen.add(shape)
        for field in fields(shape):
            structs(field.type, seen)
    for part in getattr(shape, "__args__", ()):
        structs(part, seen)
    return seen


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_no_shape_names_anything_personal(resource: Any) -> None:
    for struct in structs(resource.shape, set()):
        assert not {field.encode_name for field in fields(struct)} & PERSONAL, struct


def test_nothing_personal_is_kept_of_a_customer_but_a_keyed_hash() -> None:
    kept = read(
        shapes.Customer,
        {
            "object": "customer", "id": "cus_1", "created": 1, "livemode": True, "email": " Mary@Example.com ",
            "name": "Mary", "phone": "+1 555", "address": {"line1": "Elm Street"}, "description": "Mary's",
            "metadata": {"home": "Elm Street", "plan": "pro", OUR_TAG: "prop_1"},
            "invoice_settings": {"default_payment_method": {"id": "pm_1", "card": {"last4": "4242"}}},
        },
    )  # fmt: skip
    assert (
        kept.email == hash_email(HASH_KEY, "mary@example.com") != hash_email(b"another", "mary@example.com")
    )
    assert kept.metadata == {"plan": "pro", OUR_TAG: "prop_1"}
    assert kept.invoice_settings.default_payment_method == "pm_1"
    content = stored(kept).decode().lower()
    assert not [word for word in ("mary", "elm", "555", "4242", "@") if word in content]


@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_customers_without_an_address_are_not_one_person(nothing: str | None) -> None:
    customer = {"object": "customer", "id": "cus_1", "created": 50, "livemode": True, "email": nothing}

    assert read(shapes.Customer, customer).email is None


def test_evidence_is_one_hash_that_tells_an_edit_and_nothing_else() -> None:
    nothing = hash_evidence(HASH_KEY, {"customer_name": None, "enhanced_evidence": {"visa": {}}})
    something = hash_evidence(HASH_KEY, {"customer_name": "Mary", "product_description": "A chair"})
    edited = hash_evidence(HASH_KEY, {"product_description": "A table", "customer_name": "Mary"})
    assert nothing == ""
    assert len({nothing, something, edited}) == 3


@pytest.mark.parametrize(
    ("shape", "obj"),
    [
        (shapes.Subscription, subscription()),
        (shapes.Invoice, invoice()),
        (shapes.Price, price(metadata={"plan": "x"})),
    ],
    ids=["subscription", "invoice", "price"],
)
def test_what_is_stored_comes_back_as_it_was(shape: type[Any], obj: Json) -> None:
    once = read(shape, obj)
    assert restored(shape, stored(once)) == once
    assert stored(restored(shape, stored(once))) == stored(once)


def test_a_deleted_object_is_known_to_be_deleted() -> None:
    assert read(shapes.Customer, {"id": "cus_1", "object": "customer", "deleted": True}) == Deleted("cus_1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_due": 10**30}, {"amount_due": 1.5}, {"amount_due": "500"}, {"amount_due": None}, {"created": -1},
        {"created": 10**14}, {"status": 7}, {"object": "charge"}, {"id": ""}, {"id": "x" * 256}, {"customer": 5},
    ],
    ids=str,
)  # fmt: skip
def test_an_object_of_the_wrong_kind_is_malformed(wrong: Json) -> None:
    with pytest.raises(Malformed, match="Nothing was concluded"):
        read(shapes.Invoice, invoice(**wrong))


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e999999", "1e-999999"])
def test_a_price_with_which_nobody_can_calculate_is_malformed(amount: str) -> None:
    with pytest.raises(Malformed):
        read(shapes.Price, price(unit_amount_decimal=amount))


def test_a_required_field_that_is_missing_is_malformed() -> None:
    incomplete = invoice()
    del incomplete["amount_remaining"]
    with pytest.raises(Malformed, match="amount_remaining"):
        read(shapes.Invoice, incomplete)


BARE: dict[type[Any], Json] = {
    shapes.Charge: {"object": "charge", "amount": 500, "refunded": False, "status": "succeeded"},
    shapes.Dispute: {"object": "dispute", "amount": 5, "charge": "ch_1", "status": "lost"},
    shapes.EarlyFraudWarning: {"object": "radar.early_fraud_warning", "charge": "ch_1", "actionable": True},
    shapes.Invoice: {"object": "invoice", "amount_remaining": 5, "customer": "cus_1", "status": "open"},
    shapes.InvoicePayment: {"object": "invoice_payment", "invoice": "in_1", "payment": {}, "status": "open"},
    shapes.Payout: {"object": "payout", "amount": 5, "status": "failed"},
    shapes.Price: {"object": "price"},
    shapes.Product: {"object": "product"},
    shapes.Review: {"object": "review", "open": True},
}


@pytest.mark.parametrize(("shape", "obj"), BARE.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_an_object_is_understood_without_what_no_judgement_needs(shape: type[Any], obj: Json) -> None:
    bare = {"id": "x_1", "created": 50, "livemode": True, "currency": "usd"} | obj

    assert read(shape, bare).id == "x_1"


def test_what_was_captured_is_the_amount_where_nothing_else_is_said() -> None:
    bare = {"id": "ch_1", "created": 50, "livemode": True, "currency": "usd"} | BARE[shapes.Charge]

    assert read(shapes.Charge, bare).amount_captured == 500
    assert read(shapes.Charge, bare | {"captured": False}).amount_captured == 0


def test_an_enum_may_grow() -> None:
    assert read(shapes.Invoice, invoice(status="evaporated")).status == "evaporated"


def test_a_snapshot_event_and_its_thin_twin_have_the_same_address() -> None:
    snapshot = read(
        shapes.Event,
        {
            "object": "event", "id": "evt_1", "created": 1795694400, "livemode": True, "api_version": "2020-08-27",
            "type": "charge.dispute.created", "request": {"id": "req_1", "idempotency_key": "rcl:1:v1:e0"},
            "data": {"object": {"object": "dispute", "id": "dp_1", "evidence": {"customer_name": "Mary"}}},
        },
    )  # fmt: skip
    thin = read(
        shapes.Event,
        {
            "object": "v2.core.event", "id": "evt_2", "created": "2026-11-26T12:00:00.000Z", "livemode": True,
            "type": "v1.charge.dispute.created", "context": "acct_1", "snapshot_event": "evt_1",
            "reason": {"type": "request", "request": {"id": "req_1", "idempotency_key": "rcl:1:v1:e0"}},
            "related_object": {"id": "dp_1", "type": "dispute", "url": "/v1/disputes/dp_1"},
        },
    )  # fmt: skip
    assert snapshot.address == thin.address == Address("dispute", "dp_1")
    assert snapshot.created == thin.created
    assert snapshot.idempotency_key == thin.idempotency_key == "rcl:1:v1:e0"
    assert (snapshot.thin, thin.thin, thin.snapshot_event) == (False, True, "evt_1")
    assert b"Mary" not in stored(snapshot)


@pytest.mark.parametrize(
    ("about", "customer"),
    [
        ({"object": "customer", "id": "cus_1"}, "cus_1"),
        ({"object": "invoice", "id": "in_1", "customer": "cus_1"}, "cus_1"),
        ({"object": "invoice", "id": "in_1", "customer": {"id": "cus_1", "name": "Mary"}}, "cus_1"),
        ({"object": "dispute", "id": "dp_1"}, None),
        ({"object": "invoice"}, None),  # upcoming: no id, so no address
    ],
)
def test_an_event_names_the_customer_where_it_can(about: Json, customer: str | None) -> None:
    event = read(
        shapes.Event,
        {
            "object": "event",
            "id": "evt_1",
            "created": 1,
            "livemode": False,
            "type": "x",
            "data": {"object": about},
        },
    )
    assert event.customer == customer
    assert (event.address is None) == ("id" not in about)
