"""Customers, how they pay, and what they subscribe to."""

from typing import Any

from accounts.sandbox.objects.catalog import plan_of
from accounts.sandbox.objects.shape import Object, completed, listed, no_address, no_automatic_tax


def customer(
    id: str,
    *,
    created: int,
    name: str,
    email: str,
    currency: str | None,
    livemode: bool = True,
    **changes: Any,
) -> Object:
    return completed(
        {
            "id": id,
            "object": "customer",
            "address": None,
            "balance": 0,
            "business_name": None,
            "created": created,
            "currency": currency,
            "customer_account": None,
            "default_source": None,
            "delinquent": False,
            "description": None,
            "discount": None,
            "email": email,
            "individual_name": None,
            "invoice_prefix": id[-8:].upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": None,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": livemode,
            "metadata": {},
            "name": name,
            "next_invoice_sequence": 1,
            "phone": None,
            "preferred_locales": [],
            "shipping": None,
            "tax_exempt": "none",
            "test_clock": None,
        },
        changes,
    )


def payment_method(
    id: str, *, created: int, customer: str | None, brand: str = "visa", livemode: bool = True, **changes: Any
) -> Object:
    return completed(
        {
            "id": id,
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": {
                "address": no_address(),
                "email": None,
                "name": None,
                "phone": None,
                "tax_id": None,
            },
            "card": {
                "brand": brand,
                "checks": {
                    "address_line1_check": None,
                    "address_postal_code_check": None,
                    "cvc_check": "pass",
                },
                "country": "DE",
                "display_brand": brand,
                "exp_month": 8,
                "exp_year": 2031,
                "fingerprint": "sandboxsandbox00",
                "funding": "credit",
                "generated_from": None,
                "last4": "4242",
                "networks": {"available": [brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": created,
            "customer": customer,
            "customer_account": None,
            "livemode": livemode,
            "metadata": {},
            "type": "card",
        },
        changes,
    )


def subscription_item(
    id: str,
    *,
    created: int,
    subscription: str,
    price: Object,
    period: tuple[int, int],
    quantity: int | None = 1,
    **changes: Any,
) -> Object:
    return completed(
        {
            "id": id,
            "object": "subscription_item",
            "billing_thresholds": None,
            "created": created,
            "current_period_end": period[1],
            "current_period_start": period[0],
            "discounts": [],
            "metadata": {},
            "plan": plan_of(price),
            "price": price,
            "quantity": quantity,
            "subscription": subscription,
            "tax_rates": [],
        },
        changes,
    )


def subscription(
    id: str,
    *,
    created: int,
    customer: str,
    items: list[Object],
    status: str = "active",
    livemode: bool = True,
    **changes: Any,
) -> Object:
    return completed(
        {
            "id": id,
            "object": "subscription",
            "application": None,
            "application_fee_percent": None,
            "automatic_tax": no_automatic_tax(),
            "billing_cycle_anchor": created,
            "billing_cycle_anchor_config": None,
            "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
            "billing_schedules": [],
            "billing_thresholds": None,
            "cancel_at": None,
            "cancel_at_period_end": False,
            "canceled_at": None,
            "cancellation_details": {
                "comment": None,
                "feedback": None,
                "feedback_option": None,
                "reason": None,
            },
            "collection_method": "charge_automatically",
            "created": created,
            "currency": items[0]["price"]["currency"],
            "customer": customer,
            "customer_account": None,
            "days_until_due": None,
            "default_payment_method": None,
            "default_source": None,
            "default_tax_rates": [],
            "description": None,
            "discounts": [],
            "ended_at": None,
            "invoice_settings": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": {"type": "self"},
            },
            "items": listed(f"/v1/subscription_items?subscription={id}", items),
            "latest_invoice": None,
            "livemode": livemode,
            "metadata": {},
            "next_pending_invoice_item_invoice": None,
            "on_behalf_of": None,
            "pause_collection": None,
            "payment_settings": {
                "payment_method_options": None,
                "payment_method_types": None,
                "save_default_payment_method": "off",
            },
            "pending_invoice_item_interval": None,
            "pending_setup_intent": None,
            "pending_update": None,
            "schedule": None,
            "start_date": created,
            "status": status,
            "status_details": None,
            "test_clock": None,
            "transfer_data": None,
            "trial_end": None,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": None,
        },
        changes,
    )


def paused_details(at: int, type: str = "pause_requested") -> Object:
    """Why a subscription is paused: `status_details` of a subscription whose status says so."""
    return {"paused": {"subscription": {"type": type}, "transitioned_at": at, "type": "subscription"}}
