"""What customers are billed: invoices with their lines and payments, and credit notes."""

from typing import Any

from accounts.sandbox.objects.shape import Object, completed, listed, no_automatic_tax


def invoice_line(
    id: str, *, invoice: str, item: Object, period: tuple[int, int], livemode: bool = True, **changes: Any
) -> Object:
    price, quantity = item["price"], item["quantity"] or 0
    amount = (price["unit_amount"] or 0) * quantity
    return completed(
        {
            "id": id,
            "object": "line_item",
            "amount": amount,
            "currency": price["currency"],
            "description": f"{quantity} × {price['lookup_key'] or price['id']}",
            "discount_amounts": [],
            "discountable": True,
            "discounts": [],
            "invoice": invoice,
            "livemode": livemode,
            "metadata": {},
            "parent": {
                "invoice_item_details": None,
                "subscription_item_details": {
                    "invoice_item": None,
                    "proration": False,
                    "proration_details": {"credited_items": None},
                    "subscription": item["subscription"],
                    "subscription_item": item["id"],
                },
                "type": "subscription_item_details",
            },
            "period": {"end": period[1], "start": period[0]},
            "pretax_credit_amounts": [],
            "pricing": {
                "price_details": {"price": price["id"], "product": price["product"]},
                "type": "price_details",
                "unit_amount_decimal": price["unit_amount_decimal"],
            },
            "quantity": quantity,
            "quantity_decimal": str(quantity),
            "subtotal": amount,
            "taxes": [],
        },
        changes,
    )


def invoice(
    id: str,
    *,
    created: int,
    customer: str | None,
    currency: str,
    lines: list[Object],
    subscription: str | None = None,
    status: str = "paid",
    billing_reason: str = "subscription_cycle",
    livemode: bool = True,
    **changes: Any,
) -> Object:
    """An invoice. `payments` and `confirmation_secret` are not in it: Stripe adds them only when asked to."""
    total = sum(line["amount"] for line in lines)
    paid = status == "paid"
    return completed(
        {
            "id": id,
            "object": "invoice",
            "account_country": "DE",
            "account_name": None,
            "account_tax_ids": None,
            "amount_due": total,
            "amount_overpaid": 0,
            "amount_paid": total if paid else 0,
            "amount_remaining": 0 if paid else total,
            "amount_shipping": 0,
            "application": None,
            "attempt_count": 1 if paid else 0,
            "attempted": paid,
            "auto_advance": False,
            "automatic_tax": no_automatic_tax() | {"provider": None, "status": None},
            "automatically_finalizes_at": None,
            "billing_reason": billing_reason,
            "collection_method": "charge_automatically",
            "created": created,
            "currency": currency,
            "custom_fields": None,
            "customer": customer,
            "customer_account": None,
            "customer_address": None,
            "customer_email": None,
            "customer_name": None,
            "customer_phone": None,
            "customer_shipping": None,
            "customer_tax_exempt": "none",
            "customer_tax_ids": [],
            "default_payment_method": None,
            "default_source": None,
            "default_tax_rates": [],
            "description": None,
            "discounts": [],
            "due_date": None,
            "effective_at": None if status == "draft" else created,
            "ending_balance": None if status == "draft" else 0,
            "footer": None,
            "from_invoice": None,
            "hosted_invoice_url": f"https://invoice.example.com/{id}",
            "invoice_pdf": f"https://invoice.example.com/{id}/pdf",
            "issuer": {"type": "self"},
            "last_finalization_error": None,
            "latest_revision": None,
            "lines": listed(f"/v1/invoices/{id}/lines", lines),
            "livemode": livemode,
            "metadata": {},
            "next_payment_attempt": None,
            "number": None if status == "draft" else f"SB-{id[-8:].upper()}",
            "on_behalf_of": None,
            "parent": subscription
            and {
                "quote_details": None,
                "subscription_details": {"metadata": {}, "subscription": subscription},
                "type": "subscription_details",
            },
            "payment_settings": {
                "default_mandate": None,
                "payment_method_options": None,
                "payment_method_types": None,
            },
            "period_end": created,
            "period_start": created,
            "post_payment_credit_notes_amount": 0,
            "pre_payment_credit_notes_amount": 0,
            "receipt_number": None,
            "rendering": None,
            "shipping_cost": None,
            "shipping_details": None,
            "starting_balance": 0,
            "statement_descriptor": None,
            "status": status,
            "status_details": None,
            "status_transitions": {
                "finalized_at": None if status == "draft" else created,
                "marked_uncollectible_at": None,
                "paid_at": created if paid else None,
                "voided_at": None,
            },
            "subtotal": total,
            "subtotal_excluding_tax": total,
            "test_clock": None,
            "total": total,
            "total_discount_amounts": [],
            "total_excluding_tax": total,
            "total_pretax_credit_amounts": [],
            "total_taxes": [],
            "webhooks_delivered_at": created,
        },
        changes,
    )


def invoice_payment(
    id: str,
    *,
    created: int,
    invoice: str,
    payment_intent: str,
    amount: int,
    currency: str,
    status: str = "paid",
    livemode: bool = True,
    **changes: Any,
) -> Object:
    paid = status == "paid"
    return completed(
        {
            "id": id,
            "object": "invoice_payment",
            "amount_paid": amount if paid else None,
            "amount_requested": amount,
            "created": created,
            "currency": currency,
            "invoice": invoice,
            "is_default": True,
            "livemode": livemode,
            "payment": {"payment_intent": payment_intent, "type": "payment_intent"},
            "status": status,
            "status_transitions": {"canceled_at": None, "paid_at": created if paid else None},
        },
        changes,
    )


def credit_note(
    id: str,
    *,
    created: int,
    customer: str,
    invoice: str,
    amount: int,
    currency: str,
    lines: list[Object] | None = None,
    refunds: list[Object] | None = None,
    livemode: bool = True,
    **changes: Any,
) -> Object:
    return completed(
        {
            "id": id,
            "object": "credit_note",
            "amount": amount,
            "amount_shipping": 0,
            "created": created,
            "currency": currency,
            "customer": customer,
            "customer_account": None,
            "customer_balance_transaction": None,
            "discount_amount": 0,
            "discount_amounts": [],
            "effective_at": created,
            "invoice": invoice,
            "lines": listed(f"/v1/credit_notes/{id}/lines", lines or []),
            "livemode": livemode,
            "memo": None,
            "metadata": {},
            "number": f"SB-{id[-8:].upper()}-CN-01",
            "out_of_band_amount": None,
            "pdf": f"https://invoice.example.com/{id}/pdf",
            "post_payment_amount": 0,
            "pre_payment_amount": amount,
            "pretax_credit_amounts": [],
            "reason": None,
            "refunds": refunds or [],
            "shipping_cost": None,
            "status": "issued",
            "subtotal": amount,
            "subtotal_excluding_tax": amount,
            "total": amount,
            "total_excluding_tax": amount,
            "total_taxes": [],
            "type": "pre_payment",
            "voided_at": None,
        },
        changes,
    )


def credit_note_line(
    id: str, *, amount: int, invoice_line: str | None, livemode: bool = True, **changes: Any
) -> Object:
    return completed(
        {
            "id": id,
            "object": "credit_note_line_item",
            "amount": amount,
            "description": None,
            "discount_amount": 0,
            "discount_amounts": [],
            "invoice_line_item": invoice_line,
            "livemode": livemode,
            "metadata": {},
            "pretax_credit_amounts": [],
            "quantity": 1,
            "tax_rates": [],
            "taxes": [],
            "type": "invoice_line_item" if invoice_line else "custom_line_item",
            "unit_amount": None,
            "unit_amount_decimal": None,
        },
        changes,
    )
