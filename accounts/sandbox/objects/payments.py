"""Money on its way: payment intents, charges, refunds, payouts, balance transactions."""

from typing import Any

from accounts.sandbox.objects.shape import Object, completed, no_address

SETTLES_AFTER_S = 2 * 86_400  # money of a charge is available after two days


def payment_intent(
    id: str,
    *,
    created: int,
    amount: int,
    currency: str,
    customer: str | None = None,
    payment_method: str | None = None,
    latest_charge: str | None = None,
    status: str = "succeeded",
    livemode: bool = True,
    **changes: Any,
) -> Object:
    return completed(
        {
            "id": id,
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": amount if status == "requires_capture" else 0,
            "amount_details": {"tip": {}},
            "amount_received": amount if status == "succeeded" else 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic",
            "client_secret": f"{id}_secret_sandbox",
            "confirmation_method": "automatic",
            "created": created,
            "currency": currency,
            "customer": customer,
            "customer_account": None,
            "description": None,
            "excluded_payment_method_types": None,
            "last_payment_error": None,
            "latest_charge": latest_charge,
            "livemode": livemode,
            "metadata": {},
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": payment_method,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": None,
            "review": None,
            "setup_future_usage": "off_session",
            "shipping": None,
            "source": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": status,
            "transfer_data": None,
            "transfer_group": None,
        },
        changes,
    )


def payment_error(
    *,
    code: str,
    decline_code: str | None = None,
    advice_code: str | None = None,
    charge: str | None = None,
    message: str = "The payment was declined.",
) -> Object:
    """`last_payment_error` of a payment intent whose last attempt failed."""
    return {
        "advice_code": advice_code,
        "charge": charge,
        "code": code,
        "decline_code": decline_code,
        "doc_url": f"https://docs.example.com/error-codes/{code}",
        "message": message,
        "network_advice_code": None,
        "network_decline_code": None,
        "payment_method_type": "card",
        "type": "card_error",
    }


def outcome(
    *,
    type: str = "authorized",
    reason: str | None = None,
    risk_level: str = "normal",
    risk_score: int = 20,
    advice_code: str | None = None,
) -> Object:
    """How the issuer, and Stripe's own risk rules, answered a charge."""
    return {
        "advice_code": advice_code,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": {"authorized": "approved_by_network", "blocked": "not_sent_to_network"}.get(
            type, "declined_by_network"
        ),
        "reason": reason,
        "risk_level": risk_level,
        "risk_score": risk_score,
        "seller_message": "Payment complete." if type == "authorized" else "The payment was not completed.",
        "type": type,
    }


def charge(
    id: str,
    *,
    created: int,
    amount: int,
    currency: str,
    customer: str | None = None,
    payment_intent: str | None = None,
    payment_method: str | None = None,
    balance_transaction: str | None = None,
    status: str = "succeeded",
    brand: str = "visa",
    livemode: bool = True,
    **changes: Any,
) -> Object:
    """A charge. Its refunds are not in it: they are asked for by `GET /v1/refunds?charge=`."""
    succeeded = status == "succeeded"
    return completed(
        {
            "id": id,
            "object": "charge",
            "amount": amount,
            "amount_captured": amount if succeeded else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": balance_transaction,
            "billing_details": {
                "address": no_address(),
                "email": None,
                "name": None,
                "phone": None,
                "tax_id": None,
            },
            "calculated_statement_descriptor": "SANDBOX",
            "captured": succeeded,
            "created": created,
            "currency": currency,
            "customer": customer,
            "description": None,
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "fraud_details": {},
            "livemode": livemode,
            "metadata": {},
            "on_behalf_of": None,
            "outcome": outcome() if succeeded else outcome(type="issuer_declined", reason="generic_decline"),
            "paid": succeeded,
            "payment_intent": payment_intent,
            "payment_method": payment_method,
            "payment_method_details": {
                "card": {
                    "amount_authorized": amount if succeeded else None,
                    "authorization_code": None,
                    "brand": brand,
                    "checks": {
                        "address_line1_check": None,
                        "address_postal_code_check": None,
                        "cvc_check": "pass",
                    },
                    "country": "DE",
                    "exp_month": 8,
                    "exp_year": 2031,
                    "fingerprint": "sandboxsandbox00",
                    "funding": "credit",
                    "installments": None,
                    "last4": "4242",
                    "mandate": None,
                    "network": brand,
                    "network_token": {"used": False},
                    "network_transaction_id": None,
                    "regulated_status": "unregulated",
                    "three_d_secure": None,
                    "wallet": None,
                },
                "type": "card",
            },
            "radar_options": {},
            "receipt_email": None,
            "receipt_number": None,
            "receipt_url": f"https://receipt.example.com/{id}",
            "refunded": False,
            "review": None,
            "shipping": None,
            "source": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": status,
            "transfer_data": None,
            "transfer_group": None,
        },
        changes,
    )


def refund(
    id: str,
    *,
    created: int,
    amount: int,
    currency: str,
    charge: str | None,
    payment_intent: str | None = None,
    customer: str | None = None,
    payment_method: str | None = None,
    balance_transaction: str | None = None,
    status: str = "succeeded",
    reason: str | None = "requested_by_customer",
    **changes: Any,
) -> Object:
    """A refund. The fields of a failed or pending one are set only then, as at Stripe."""
    base: Object = {
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": balance_transaction,
        "charge": charge,
        "created": created,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "destination_details": {
            "card": {
                "reference": None,
                "reference_status": "pending",
                "reference_type": None,
                "type": "refund",
            },
            "type": "card",
        },
        "failure_balance_transaction": None,
        "failure_reason": None,
        "metadata": {},
        "payment_intent": payment_intent,
        "payment_method": payment_method,
        "pending_reason": "processing" if status == "pending" else None,
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }
    return completed(base, changes)


def balance_transaction(
    id: str,
    *,
    created: int,
    amount: int,
    currency: str,
    type: str,
    source: str | None,
    fee: int = 0,
    reporting_category: str | None = None,
    **changes: Any,
) -> Object:
    fees = [
        {"amount": fee, "application": None, "currency": currency, "description": None, "type": "stripe_fee"}
    ]
    return completed(
        {
            "id": id,
            "object": "balance_transaction",
            "amount": amount,
            "available_on": created + SETTLES_AFTER_S,
            "balance_type": "payments",
            "created": created,
            "currency": currency,
            "description": None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": fees if fee else [],
            "net": amount - fee,
            "reporting_category": reporting_category or type,
            "source": source,
            "status": "available",
            "type": type,
        },
        changes,
    )


def payout(
    id: str,
    *,
    created: int,
    amount: int,
    currency: str,
    balance_transaction: str | None,
    status: str = "paid",
    automatic: bool = True,
    livemode: bool = True,
    **changes: Any,
) -> Object:
    return completed(
        {
            "id": id,
            "object": "payout",
            "amount": amount,
            "application_fee": None,
            "application_fee_amount": None,
            "arrival_date": created + SETTLES_AFTER_S,
            "automatic": automatic,
            "balance_transaction": balance_transaction,
            "created": created,
            "currency": currency,
            "description": "STRIPE PAYOUT",
            "destination": "ba_sandbox",
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "livemode": livemode,
            "metadata": {},
            "method": "standard",
            "original_payout": None,
            "payout_method": None,
            "reconciliation_status": "completed" if automatic else "not_applicable",
            "reversed_by": None,
            "source_type": "card",
            "statement_descriptor": None,
            "status": status,
            "trace_id": None,
            "type": "bank_account",
        },
        changes,
    )
