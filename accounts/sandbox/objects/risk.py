"""Payments that are contested or suspected: disputes, early fraud warnings, reviews, and files as evidence."""

from typing import Any

from accounts.sandbox.objects.shape import Object, completed


def dispute(
    id: str,
    *,
    created: int,
    amount: int,
    currency: str,
    charge: str,
    payment_intent: str | None = None,
    status: str = "needs_response",
    reason: str = "fraudulent",
    due_by: int | None,
    submission_count: int = 0,
    has_evidence: bool | None = None,
    past_due: bool = False,
    balance_transactions: list[Object] | None = None,
    is_charge_refundable: bool | None = None,
    livemode: bool = True,
    **changes: Any,
) -> Object:
    """A dispute. An inquiry (`warning_…`) takes no money yet, and its charge can still be refunded."""
    inquiry = status.startswith("warning")
    return completed(
        {
            "id": id,
            "object": "dispute",
            "amount": amount,
            "balance_transactions": balance_transactions or [],
            "charge": charge,
            "created": created,
            "currency": currency,
            "enhanced_eligibility_types": [],
            "evidence": no_evidence(),
            "evidence_details": {
                "due_by": due_by,
                "enhanced_eligibility": {},
                "has_evidence": submission_count > 0 if has_evidence is None else has_evidence,
                "past_due": past_due,
                "submission_count": submission_count,
                "submission_method": "manual" if submission_count else "not_submitted",
            },
            "intended_submission_method": "prefer_manual",
            "is_charge_refundable": inquiry if is_charge_refundable is None else is_charge_refundable,
            "livemode": livemode,
            "metadata": {},
            "network_reason_code": "10.4" if reason == "fraudulent" else "13.1",
            "payment_intent": payment_intent,
            "payment_method_details": {
                "card": {
                    "brand": "visa",
                    "case_type": "inquiry" if inquiry else "chargeback",
                    "network": "visa",
                    "network_reason_code": "10.4" if reason == "fraudulent" else "13.1",
                },
                "type": "card",
            },
            "reason": reason,
            "status": status,
        },
        changes,
    )


EVIDENCE_FIELDS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def no_evidence() -> Object:
    return dict.fromkeys(EVIDENCE_FIELDS) | {"enhanced_evidence": {}}


def early_fraud_warning(
    id: str,
    *,
    created: int,
    charge: str,
    payment_intent: str | None = None,
    actionable: bool = True,
    fraud_type: str = "made_with_stolen_card",
    livemode: bool = True,
) -> Object:
    return {
        "id": id,
        "object": "radar.early_fraud_warning",
        "actionable": actionable,
        "charge": charge,
        "created": created,
        "fraud_type": fraud_type,
        "livemode": livemode,
        "payment_intent": payment_intent,
    }


def review(
    id: str,
    *,
    created: int,
    charge: str | None,
    payment_intent: str | None = None,
    closed_reason: str | None = None,
    livemode: bool = True,
    **changes: Any,
) -> Object:
    return completed(
        {
            "id": id,
            "object": "review",
            "billing_zip": None,
            "charge": charge,
            "closed_reason": closed_reason,
            "created": created,
            "ip_address": None,
            "ip_address_location": None,
            "livemode": livemode,
            "open": closed_reason is None,
            "opened_reason": "rule",
            "payment_intent": payment_intent,
            "reason": closed_reason or "rule",
            "session": None,
        },
        changes,
    )


def file(
    id: str, *, created: int, purpose: str, size: int, filename: str, type: str, **changes: Any
) -> Object:
    return completed(
        {
            "id": id,
            "object": "file",
            "created": created,
            "expires_at": None,
            "filename": filename,
            "links": None,
            "purpose": purpose,
            "size": size,
            "title": None,
            "type": type,
            "url": f"https://files.example.com/v1/files/{id}/contents",
        },
        changes,
    )
