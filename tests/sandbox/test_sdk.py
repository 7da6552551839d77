"""The official library, sync and async, runs against every endpoint that the pretend Stripe serves."""

import asyncio
from functools import reduce
from io import BytesIO
from typing import Any

import pytest
import stripe

from accounts.sandbox.stripe.endpoints import ENDPOINTS
from tests.sandbox.shop import Shop

EVENT = "{event}"  # stands for the id of the shop's first event
THIN = "{thin}"

# By endpoint: the library's method and its arguments. A path means that the library has no method for it.
CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "DELETE /v1/customers/{id}": ("v1.customers.delete", ("cus_1",)),
    "DELETE /v1/products/{id}": ("v1.products.delete", ("prod_bare",)),
    "DELETE /v1/products/{id}/features/{id}": ("v1.products.features.delete", ("prod_1", "prodft_1")),
    "DELETE /v1/subscriptions/{id}": ("v1.subscriptions.cancel", ("sub_1", {"prorate": False})),
    "DELETE /v1/webhook_endpoints/{id}": ("v1.webhook_endpoints.delete", ("we_1",)),
    "GET /v1/account": ("v1.accounts.retrieve_current", ()),
    "GET /v1/accounts": ("v1.accounts.list", ()),
    "GET /v1/accounts/{id}": ("v1.accounts.retrieve", ("{account}",)),
    "GET /v1/balance": ("v1.balance.retrieve", ()),
    "GET /v1/balance_transactions": ("v1.balance_transactions.list", ({"type": "charge", "source": "ch_1"},)),
    "GET /v1/balance_transactions/{id}": ("v1.balance_transactions.retrieve", ("txn_1",)),
    "GET /v1/charges": ("v1.charges.list", ({"customer": "cus_1", "created": {"gte": 1}},)),
    "GET /v1/charges/{id}": ("v1.charges.retrieve", ("ch_1", {"expand": ["refunds"]})),
    "GET /v1/charges/{id}/refunds": ("/v1/charges/ch_2/refunds", ()),
    "GET /v1/credit_notes": ("v1.credit_notes.list", ({"invoice": "in_open"},)),
    "GET /v1/credit_notes/{id}": ("v1.credit_notes.retrieve", ("cn_1",)),
    "GET /v1/credit_notes/{id}/lines": ("v1.credit_notes.line_items.list", ("cn_1",)),
    "GET /v1/customers": ("v1.customers.list", ({"email": "ada@example.com"},)),
    "GET /v1/customers/{id}": ("v1.customers.retrieve", ("cus_1", {"expand": ["subscriptions"]})),
    "GET /v1/customers/{id}/payment_methods": (
        "v1.customers.payment_methods.list",
        ("cus_1", {"type": "card"}),
    ),
    "GET /v1/customers/{id}/payment_methods/{id}": (
        "v1.customers.payment_methods.retrieve",
        ("cus_1", "pm_1"),
    ),
    "GET /v1/customers/{id}/subscriptions": ("/v1/customers/cus_1/subscriptions", ()),
    "GET /v1/disputes": (
        "v1.disputes.list",
        ({"charge": "ch_disputed", "expand": ["data.charge.customer"]},),
    ),
    "GET /v1/disputes/{id}": ("v1.disputes.retrieve", ("dp_1",)),
    "GET /v1/entitlements/active_entitlements": (
        "v1.entitlements.active_entitlements.list",
        ({"customer": "cus_1", "expand": ["data.feature"]},),
    ),
    "GET /v1/entitlements/active_entitlements/{id}": (
        "v1.entitlements.active_entitlements.retrieve",
        ("ent_1",),
    ),
    "GET /v1/entitlements/features": ("v1.entitlements.features.list", ({"lookup_key": "api"},)),
    "GET /v1/entitlements/features/{id}": ("v1.entitlements.features.retrieve", ("feat_1",)),
    "GET /v1/events": ("v1.events.list", ({"types": ["customer.updated"], "delivery_success": True},)),
    "GET /v1/events/{id}": ("v1.events.retrieve", (EVENT,)),
    "GET /v1/files": ("v1.files.list", ({"purpose": "dispute_evidence"},)),
    "GET /v1/files/{id}": ("v1.files.retrieve", ("file_1",)),
    "GET /v1/invoice_payments": (
        "v1.invoice_payments.list",
        ({"payment": {"type": "payment_intent", "payment_intent": "pi_1"}},),
    ),
    "GET /v1/invoice_payments/{id}": ("v1.invoice_payments.retrieve", ("inpay_1",)),
    "GET /v1/invoices": ("v1.invoices.list", ({"status": "open", "subscription": "sub_1"},)),
    "GET /v1/invoices/{id}": (
        "v1.invoices.retrieve",
        ("in_paid", {"expand": ["payments.data.payment.payment_intent"]}),
    ),
    "GET /v1/invoices/{id}/lines": ("v1.invoices.line_items.list", ("in_paid", {"limit": 100})),
    "GET /v1/payment_intents": ("v1.payment_intents.list", ({"customer": "cus_1"},)),
    "GET /v1/payment_intents/{id}": ("v1.payment_intents.retrieve", ("pi_1", {"expand": ["latest_charge"]})),
    "GET /v1/payment_links": ("v1.payment_links.list", ({"active": True},)),
    "GET /v1/payment_links/{id}": ("v1.payment_links.retrieve", ("plink_1",)),
    "GET /v1/payment_links/{id}/line_items": ("v1.payment_links.line_items.list", ("plink_1",)),
    "GET /v1/payment_methods": ("v1.payment_methods.list", ({"customer": "cus_1"},)),
    "GET /v1/payment_methods/{id}": ("v1.payment_methods.retrieve", ("pm_1",)),
    "GET /v1/payouts": ("v1.payouts.list", ({"status": "pending", "arrival_date": {"gte": 1}},)),
    "GET /v1/payouts/{id}": ("v1.payouts.retrieve", ("po_1",)),
    "GET /v1/prices": ("v1.prices.list", ({"lookup_keys": ["pro_month"], "active": True},)),
    "GET /v1/prices/{id}": ("v1.prices.retrieve", ("price_1",)),
    "GET /v1/products": ("v1.products.list", ({"ids": ["prod_1"]},)),
    "GET /v1/products/{id}": ("v1.products.retrieve", ("prod_1",)),
    "GET /v1/products/{id}/features": ("v1.products.features.list", ("prod_1",)),
    "GET /v1/products/{id}/features/{id}": ("v1.products.features.retrieve", ("prod_1", "prodft_1")),
    "GET /v1/radar/early_fraud_warnings": ("v1.radar.early_fraud_warnings.list", ({"charge": "ch_1"},)),
    "GET /v1/radar/early_fraud_warnings/{id}": ("v1.radar.early_fraud_warnings.retrieve", ("issfr_1",)),
    "GET /v1/refunds": ("v1.refunds.list", ({"charge": "ch_2"},)),
    "GET /v1/refunds/{id}": ("v1.refunds.retrieve", ("re_1",)),
    "GET /v1/reviews": ("v1.reviews.list", ()),
    "GET /v1/reviews/{id}": ("v1.reviews.retrieve", ("prv_1",)),
    "GET /v1/subscription_items": ("v1.subscription_items.list", ({"subscription": "sub_1"},)),
    "GET /v1/subscription_items/{id}": ("v1.subscription_items.retrieve", ("si_sub_1",)),
    "GET /v1/subscriptions": (
        "v1.subscriptions.list",
        ({"status": "all", "price": "price_1", "current_period_end": {"gt": 5}},),
    ),
    "GET /v1/subscriptions/{id}": ("v1.subscriptions.retrieve", ("sub_1", {"expand": ["latest_invoice"]})),
    "GET /v1/webhook_endpoints": ("v1.webhook_endpoints.list", ()),
    "GET /v1/webhook_endpoints/{id}": ("v1.webhook_endpoints.retrieve", ("we_1",)),
    "GET /v2/core/events": (
        "v2.core.events.list",
        (
            {
                "types": ["v1.customer.updated"],
                "created": {"gte": "2026-01-01T00:00:00Z"},
                "object_id": "cus_1",
            },
        ),
    ),
    "GET /v2/core/events/{id}": ("v2.core.events.retrieve", (THIN,)),
    "POST /v1/charges/{id}": ("v1.charges.update", ("ch_1", {"fraud_details": {"user_report": "safe"}})),
    "POST /v1/credit_notes": ("v1.credit_notes.create", ({"invoice": "in_open", "amount": 900},)),
    "POST /v1/credit_notes/{id}": ("v1.credit_notes.update", ("cn_1", {"memo": "sorry"})),
    "POST /v1/credit_notes/{id}/void": ("v1.credit_notes.void_credit_note", ("cn_1",)),
    "POST /v1/customers": ("v1.customers.create", ({"name": "Bob", "metadata": {"a": "b"}},)),
    "POST /v1/customers/{id}": ("v1.customers.update", ("cus_1", {"name": "Ada L."})),
    "POST /v1/disputes/{id}": (
        "v1.disputes.update",
        ("dp_1", {"evidence": {"receipt": "file_1", "uncategorized_text": "It was them."}}),
    ),
    "POST /v1/disputes/{id}/close": ("v1.disputes.close", ("dp_1",)),
    "POST /v1/entitlements/features": (
        "v1.entitlements.features.create",
        ({"name": "Seats", "lookup_key": "seats"},),
    ),
    "POST /v1/entitlements/features/{id}": ("v1.entitlements.features.update", ("feat_1", {"active": False})),
    "POST /v1/files": ("v1.files.create", ({"purpose": "dispute_evidence", "file": "{file}"},)),
    "POST /v1/invoices/{id}": ("v1.invoices.update", ("in_open", {"auto_advance": False})),
    "POST /v1/invoices/{id}/finalize": ("v1.invoices.finalize_invoice", ("in_draft",)),
    "POST /v1/invoices/{id}/mark_uncollectible": ("v1.invoices.mark_uncollectible", ("in_open",)),
    "POST /v1/invoices/{id}/pay": ("v1.invoices.pay", ("in_open", {"off_session": True})),
    "POST /v1/invoices/{id}/send": ("v1.invoices.send_invoice", ("in_open",)),
    "POST /v1/invoices/{id}/void": ("v1.invoices.void_invoice", ("in_open",)),
    "POST /v1/payment_intents/{id}/cancel": ("v1.payment_intents.cancel", ("pi_3",)),
    "POST /v1/payment_intents/{id}/capture": (
        "v1.payment_intents.capture",
        ("pi_3", {"amount_to_capture": 4000}),
    ),
    "POST /v1/payment_links": (
        "v1.payment_links.create",
        ({"line_items": [{"price": "price_1", "quantity": 2}]},),
    ),
    "POST /v1/payment_links/{id}": ("v1.payment_links.update", ("plink_1", {"active": False})),
    "POST /v1/payouts": ("v1.payouts.create", ({"amount": 500, "currency": "usd"},)),
    "POST /v1/payouts/{id}": ("v1.payouts.update", ("po_1", {"metadata": {"a": "b"}})),
    "POST /v1/payouts/{id}/cancel": ("v1.payouts.cancel", ("po_1",)),
    "POST /v1/prices": (
        "v1.prices.create",
        (
            {
                "currency": "usd",
                "unit_amount": 1900,
                "recurring": {"interval": "year"},
                "product": "prod_1",
                "lookup_key": "basic_year",
            },
        ),
    ),
    "POST /v1/prices/{id}": ("v1.prices.update", ("price_1", {"active": False})),
    "POST /v1/products": ("v1.products.create", ({"name": "Basic"},)),
    "POST /v1/products/{id}": ("v1.products.update", ("prod_1", {"description": "more"})),
    "POST /v1/products/{id}/features": (
        "v1.products.features.create",
        ("prod_1", {"entitlement_feature": "feat_2"}),
    ),
    "POST /v1/refunds": ("v1.refunds.create", ({"charge": "ch_1", "amount": 100, "reason": "duplicate"},)),
    "POST /v1/refunds/{id}": ("v1.refunds.update", ("re_1", {"metadata": {"a": "b"}})),
    "POST /v1/refunds/{id}/cancel": ("v1.refunds.cancel", ("re_1",)),
    "POST /v1/reviews/{id}/approve": ("v1.reviews.approve", ("prv_1",)),
    "POST /v1/subscriptions/{id}": (
        "v1.subscriptions.update",
        ("sub_1", {"items": [{"id": "si_sub_1", "quantity": 3}], "cancel_at_period_end": True}),
    ),
    "POST /v1/subscriptions/{id}/pause": ("v1.subscriptions.pause", ("sub_1",)),
    "POST /v1/subscriptions/{id}/resume": ("v1.subscriptions.resume", ("sub_paused",)),
    "POST /v1/webhook_endpoints": (
        "v1.webhook_endpoints.create",
        ({"url": "https://example.com/other", "enabled_events": ["charge.refunded"]},),
    ),
    "POST /v1/webhook_endpoints/{id}": ("v1.webhook_endpoints.update", ("we_1", {"disabled": True})),
}

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def test_every_endpoint_is_called_by_the_library() -> None:
    assert sorted(CALLS) == sorted(BY_NAME)


@pytest.mark.parametrize("name", CALLS)
def test_the_sync_library_runs_against(name: str, shop: Shop) -> None:
    method, arguments = CALLS[name]
    client = shop.client()
    if method.startswith("/"):
        answer: Any = client.deserialize(client.raw_request("get", method), api_mode="V1")
    else:
        answer = _method(client, method)(*_filled(shop, arguments))
    _check(answer, name)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings(
    "ignore:Use 'content=<...>':DeprecationWarning"
)  # the library's own, on every POST
def test_the_async_library_runs_against(name: str, shop: Shop) -> None:
    asyncio.run(_call_async(name, shop))


async def _call_async(name: str, shop: Shop) -> None:
    method, arguments = CALLS[name]
    http = stripe.HTTPXClient()
    client = shop.client(http_client=http)
    try:
        if method.startswith("/"):
            answer: Any = client.deserialize(await client.raw_request_async("get", method), api_mode="V1")
        else:
            answer = await _method(client, f"{method}_async")(*_filled(shop, arguments))
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]
    _check(answer, name)


def _method(client: stripe.StripeClient, dotted: str) -> Any:
    return reduce(getattr, dotted.split("."), client)


def _filled(shop: Shop, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    event = shop.sandbox.on_loop(lambda: next(shop.account.newest_first("event")))["id"]
    known = {EVENT: event, THIN: event.replace("evt_", "evt_thin"), "{account}": shop.account.id}
    return tuple(
        each | {"file": _evidence()}
        if isinstance(each, dict) and "file" in each
        else known.get(each, each)
        if isinstance(each, str)
        else each
        for each in arguments
    )


def _evidence() -> BytesIO:
    evidence = BytesIO(b"%PDF-1.4 a receipt")
    evidence.name = "receipt.pdf"
    return evidence


def _check(answer: Any, name: str) -> None:
    """It is an object of the class that the endpoint names, or a list of them."""
    endpoint = BY_NAME[name]
    if name == "GET /v2/core/events":
        assert [each.object for each in answer.data] == ["v2.core.event"]
    elif endpoint.listing:
        assert answer.object == "list"
        assert {each.object for each in answer.data} <= {endpoint.cls}
        assert answer.data or endpoint.path in ("/v1/accounts", "/v1/payment_links/{id}/line_items")
    else:
        assert answer.object == endpoint.cls
