"""The account, and what it sells: products, prices, features, discounts, payment links."""

from decimal import Decimal
from typing import Any

from accounts.money import exponent
from accounts.sandbox.objects.shape import Object, completed, listed


def account(
    id: str, *, created: int, country: str, currency: str, name: str, type: str = "standard", **changes: Any
) -> Object:
    nothing_due: Object = {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": [],
        "disabled_reason": None,
        "errors": [],
        "eventually_due": [],
        "past_due": [],
        "pending_verification": [],
    }
    return completed(
        {
            "id": id,
            "object": "account",
            "business_profile": {
                "annual_revenue": None,
                "estimated_worker_count": None,
                "mcc": "5734",
                "minority_owned_business_designation": None,
                "name": name,
                "product_description": None,
                "support_address": None,
                "support_email": "support@example.com",
                "support_phone": None,
                "support_url": None,
                "url": "https://shop.example.com",
            },
            "business_type": "company",
            "capabilities": {"card_payments": "active", "transfers": "active"},
            "charges_enabled": True,
            "controller": {"type": "account"},
            "country": country,
            "created": created,
            "default_currency": currency,
            "details_submitted": True,
            "email": "owner@example.com",
            "external_accounts": listed(f"/v1/accounts/{id}/external_accounts", []),
            "future_requirements": dict(nothing_due),
            "metadata": {},
            "payouts_enabled": True,
            "requirements": dict(nothing_due),
            "settings": {
                "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
                "card_payments": {
                    "decline_on": {"avs_failure": False, "cvc_failure": False},
                    "statement_descriptor_prefix": None,
                    "statement_descriptor_prefix_kana": None,
                    "statement_descriptor_prefix_kanji": None,
                },
                "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
                "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
                "payments": {
                    "statement_descriptor": name.upper()[:22],
                    "statement_descriptor_kana": None,
                    "statement_descriptor_kanji": None,
                    "statement_descriptor_prefix_kana": None,
                    "statement_descriptor_prefix_kanji": None,
                },
                "payouts": {
                    "debit_negative_balances": True,
                    "schedule": {"delay_days": 2, "interval": "daily"},
                    "statement_descriptor": None,
                },
                "sepa_debit_payments": {},
            },
            "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
            "type": type,
        },
        changes,
    )


def product(id: str, *, created: int, name: str, livemode: bool = True, **changes: Any) -> Object:
    return completed(
        {
            "id": id,
            "object": "product",
            "active": True,
            "created": created,
            "default_price": None,
            "description": None,
            "images": [],
            "livemode": livemode,
            "marketing_features": [],
            "metadata": {},
            "name": name,
            "package_dimensions": None,
            "shippable": None,
            "statement_descriptor": None,
            "tax_code": None,
            "type": "service",
            "unit_label": None,
            "updated": created,
            "url": None,
        },
        changes,
    )


def price(
    id: str,
    *,
    created: int,
    product: str,
    currency: str,
    unit_amount: int | None,
    interval: str | None = "month",
    lookup_key: str | None = None,
    meter: str | None = None,
    livemode: bool = True,
    **changes: Any,
) -> Object:
    recurring = interval and {
        "interval": interval,
        "interval_count": 1,
        "meter": meter,
        "trial_period_days": None,
        "usage_type": "metered" if meter else "licensed",
    }
    return completed(
        {
            "id": id,
            "object": "price",
            "active": True,
            "billing_scheme": "per_unit",
            "created": created,
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": livemode,
            "lookup_key": lookup_key,
            "metadata": {},
            "nickname": None,
            "product": product,
            "recurring": recurring,
            "tax_behavior": "unspecified",
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring" if interval else "one_time",
            "unit_amount": unit_amount,
            "unit_amount_decimal": None if unit_amount is None else str(unit_amount),
        },
        changes,
    )


def plan_of(price: Object) -> Object:
    """The older form of a recurring price, which subscription items still carry beside it."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": price["livemode"],
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": recurring["usage_type"],
    }


def coupon(
    id: str,
    *,
    created: int,
    percent_off: float,
    duration: str,
    months: int | None = None,
    livemode: bool = True,
    **changes: Any,
) -> Object:
    return completed(
        {
            "id": id,
            "object": "coupon",
            "amount_off": None,
            "created": created,
            "currency": None,
            "duration": duration,
            "duration_in_months": months,
            "livemode": livemode,
            "max_redemptions": None,
            "metadata": {},
            "name": None,
            "percent_off": percent_off,
            "redeem_by": None,
            "times_redeemed": 1,
            "valid": True,
        },
        changes,
    )


def discount(
    id: str, *, coupon: str, customer: str, subscription: str | None, start: int, **changes: Any
) -> Object:
    return completed(
        {
            "id": id,
            "object": "discount",
            "checkout_session": None,
            "customer": customer,
            "customer_account": None,
            "end": None,
            "invoice": None,
            "invoice_item": None,
            "promotion_code": None,
            "source": {"coupon": coupon, "type": "coupon"},
            "start": start,
            "subscription": subscription,
            "subscription_item": None,
        },
        changes,
    )


def feature(id: str, *, name: str, lookup_key: str, livemode: bool = True, **changes: Any) -> Object:
    return completed(
        {
            "id": id,
            "object": "entitlements.feature",
            "active": True,
            "livemode": livemode,
            "lookup_key": lookup_key,
            "metadata": {},
            "name": name,
        },
        changes,
    )


def active_entitlement(id: str, *, feature: str, lookup_key: str, livemode: bool = True) -> Object:
    """What a customer may use, as Stripe has it. It names no customer: Stripe is asked by customer."""
    return {
        "id": id,
        "object": "entitlements.active_entitlement",
        "feature": feature,
        "livemode": livemode,
        "lookup_key": lookup_key,
    }


def active_entitlement_summary(customer: str, entitlements: list[Object], livemode: bool = True) -> Object:
    return {
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": listed(
            f"/v1/customer/{customer}/entitlements", entitlements[:10]
        )  # further ones are read by the list
        | {"has_more": len(entitlements) > 10},
        "livemode": livemode,
    }


def payment_link(id: str, *, currency: str, livemode: bool = True, **changes: Any) -> Object:
    return completed(
        {
            "id": id,
            "object": "payment_link",
            "active": True,
            "after_completion": {
                "hosted_confirmation": {"custom_message": None},
                "type": "hosted_confirmation",
            },
            "allow_promotion_codes": False,
            "application": None,
            "application_fee_amount": None,
            "application_fee_percent": None,
            "automatic_tax": {"enabled": False, "liability": None},
            "billing_address_collection": "auto",
            "consent_collection": None,
            "currency": currency,
            "custom_fields": [],
            "custom_text": {
                "after_submit": None,
                "shipping_address": None,
                "submit": None,
                "terms_of_service_acceptance": None,
            },
            "customer_creation": "if_required",
            "inactive_message": None,
            "invoice_creation": None,
            "livemode": livemode,
            "metadata": {},
            "on_behalf_of": None,
            "payment_intent_data": None,
            "payment_method_collection": "always",
            "payment_method_types": None,
            "phone_number_collection": {"enabled": False},
            "restrictions": None,
            "shipping_address_collection": None,
            "shipping_options": [],
            "submit_type": "auto",
            "subscription_data": None,
            "tax_id_collection": {"enabled": False, "required": "never"},
            "transfer_data": None,
            "url": f"https://buy.example.com/{id}",
        },
        changes,
    )


def balance(*, available: dict[str, int], pending: dict[str, int], livemode: bool = True) -> Object:
    def amounts(by_currency: dict[str, int]) -> list[Object]:
        return [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in sorted(by_currency.items())
        ]

    return {
        "object": "balance",
        "available": amounts(available),
        "livemode": livemode,
        "pending": amounts(pending),
        "refund_and_dispute_prefunding": {"available": [], "pending": []},
    }


def unit_amount(major: Decimal | int, currency: str) -> int:
    """A list price in the smallest unit of its currency."""
    return int(major * 10 ** exponent(currency))
