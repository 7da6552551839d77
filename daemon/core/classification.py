"""Why a payment failed, as a bucket that says what helps next; the first line that holds decides, and is named.

The signals come from the payment intent's last error, which any later update clears, and from its latest charge,
which keeps them. Neither is ever believed to be complete: what no line knows is `unknown`, and for people.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from accounts.stripe.shapes import Charge, Invoice, PaymentIntent, Subscription
from daemon.core.context import charge_of, open_disputes
from daemon.core.model import Facts, Severity

ATTEMPTS_SPENT_MIN: Final = 4  # the first attempt and the three retries that a schedule of one's own may have


class Bucket(StrEnum):
    TEMPORARY_FAILURE = "temporary_failure"
    MISSING_PAYMENT_METHOD = "missing_payment_method"
    AUTHENTICATION_NEEDED = "authentication_needed"
    HIGH_RISK_CHURN = "high_risk_churn"
    UNKNOWN = "unknown"


SEVERITY: Final = {
    Bucket.TEMPORARY_FAILURE: Severity.LOW,  # Stripe tries again by itself
    Bucket.MISSING_PAYMENT_METHOD: Severity.NORMAL,
    Bucket.AUTHENTICATION_NEEDED: Severity.NORMAL,
    Bucket.HIGH_RISK_CHURN: Severity.HIGH,
    Bucket.UNKNOWN: Severity.NORMAL,
}


@dataclass(frozen=True, slots=True)
class Signals:
    """All that the lines look at."""

    intent_status: str | None = None
    codes: frozenset[str] = frozenset()  # error, decline and outcome codes of the last attempt
    advice: frozenset[str] = frozenset()
    outcome: str | None = None
    risk_level: str | None = None
    on_file: bool = True  # a default payment method somewhere
    charged: bool = True  # an attempt got as far as a charge
    leaving: bool = False
    disputed: bool = False
    warned: bool = False
    attempts: int = 1
    retries_left: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the classification. Its id is stored with the case and never changes its meaning."""

    id: str
    bucket: Bucket
    holds: Callable[[Signals], bool]


AUTHENTICATE: Final = frozenset(
    {
        "authentication_required", "authentication_not_handled", "mobile_device_authentication_required",
        "payment_intent_authentication_failure", "invoice_payment_intent_requires_action",
        "online_or_offline_pin_required",
    }
)  # fmt: skip
UNUSABLE: Final = frozenset(
    {
        "missing", "invoice_no_payment_method_types", "expired_card", "expired_payment_method", "incorrect_number",
        "invalid_number", "invalid_account", "new_account_information_available", "lost_card", "stolen_card",
        "pickup_card", "revocation_of_authorization", "revocation_of_all_authorizations", "card_not_supported",
        "restricted_card", "payment_method_restricted", "invalid_expiry_month", "invalid_expiry_year",
        "incorrect_cvc",
    }
)  # fmt: skip
SUSPECTED: Final = frozenset({"fraudulent", "merchant_blacklist", "stop_payment_order"})
PASSING: Final = frozenset(
    {
        "insufficient_funds", "processing_error", "issuer_not_available", "reenter_transaction", "try_again_later",
        "card_velocity_exceeded", "withdrawal_count_limit_exceeded", "approve_with_id", "api_error",
    }
)  # fmt: skip

# A customer who hears these learns what only the bank may tell, or what helps a thief.
NEVER_TOLD: Final = frozenset(
    {"lost_card", "stolen_card", "pickup_card", "fraudulent", "merchant_blacklist", "highest_risk_level"}
)

LINES: Final = (
    Line("authentication_needed.requires_action", Bucket.AUTHENTICATION_NEEDED,
         lambda s: s.intent_status == "requires_action"),
    Line("authentication_needed.code", Bucket.AUTHENTICATION_NEEDED, lambda s: bool(s.codes & AUTHENTICATE)),
    # Nothing was tried because there was nothing to try it with. A decline, which needs a method, says more.
    Line("missing_payment_method.none_on_file", Bucket.MISSING_PAYMENT_METHOD,
         lambda s: not s.on_file and not s.charged and not s.codes),
    Line("missing_payment_method.never_charged", Bucket.MISSING_PAYMENT_METHOD,
         lambda s: s.intent_status == "requires_payment_method" and not s.charged and not s.codes),
    Line("missing_payment_method.code", Bucket.MISSING_PAYMENT_METHOD, lambda s: bool(s.codes & UNUSABLE)),
    Line("missing_payment_method.advice", Bucket.MISSING_PAYMENT_METHOD,
         lambda s: "confirm_card_data" in s.advice),
    Line("high_risk_churn.blocked", Bucket.HIGH_RISK_CHURN, lambda s: s.outcome == "blocked"),
    Line("high_risk_churn.risk_level", Bucket.HIGH_RISK_CHURN,
         lambda s: s.risk_level == "highest" or "highest_risk_level" in s.codes),
    Line("high_risk_churn.code", Bucket.HIGH_RISK_CHURN, lambda s: bool(s.codes & SUSPECTED)),
    Line("high_risk_churn.do_not_try_again", Bucket.HIGH_RISK_CHURN,
         lambda s: "do_not_try_again" in s.advice | s.codes),
    Line("high_risk_churn.leaving", Bucket.HIGH_RISK_CHURN, lambda s: s.leaving),
    Line("high_risk_churn.disputed", Bucket.HIGH_RISK_CHURN, lambda s: s.disputed),
    Line("high_risk_churn.warned", Bucket.HIGH_RISK_CHURN, lambda s: s.warned),
    Line("high_risk_churn.retries_spent", Bucket.HIGH_RISK_CHURN,
         lambda s: s.attempts >= ATTEMPTS_SPENT_MIN and not s.retries_left),
    Line("temporary_failure.code", Bucket.TEMPORARY_FAILURE, lambda s: bool(s.codes & PASSING)),
    Line("temporary_failure.advice", Bucket.TEMPORARY_FAILURE, lambda s: "try_again_later" in s.advice),
    Line("unknown", Bucket.UNKNOWN, lambda s: True),
)  # fmt: skip


def classify(signals: Signals) -> Line:
    return next(line for line in LINES if line.holds(signals))


def may_be_told(signals: Signals) -> bool:
    """Whether the reason may stand in a message to the customer."""
    secret = signals.codes & NEVER_TOLD or signals.outcome == "blocked" or signals.risk_level == "highest"
    return not secret


def signals_of(facts: Facts, subscription: Subscription, invoice: Invoice) -> Signals:
    """What was read about the last attempt to collect this invoice, and about who owes it."""
    intent = intent_of(facts, invoice)
    charge = attempt_of(facts, invoice, intent)
    error = intent.last_payment_error if intent is not None else None
    outcome = charge.outcome if charge is not None else None
    codes = {
        *((error.code, error.decline_code) if error else ()),
        *((charge.failure_code,) if charge and charge.status == "failed" else ()),
        *((outcome.reason,) if outcome and outcome.type != "authorized" else ()),
    }
    advice = {error.advice_code if error else None, outcome.advice_code if outcome else None}
    return Signals(
        intent_status=intent.status if intent is not None else None,
        codes=frozenset(code for code in codes if code),
        advice=frozenset(code for code in advice if code),
        outcome=outcome.type if outcome else None,
        risk_level=outcome.risk_level if outcome else None,
        on_file=_on_file(facts, subscription, invoice),
        charged=charge is not None or (intent is not None and intent.latest_charge is not None),
        leaving=subscription.cancel_at_period_end or subscription.cancel_at is not None,
        disputed=bool(open_disputes(facts)),
        warned=any(each.actionable for each in facts.fraud_warnings),
        attempts=invoice.attempt_count,
        retries_left=invoice.next_payment_attempt is not None,
    )


def intent_of(facts: Facts, invoice: Invoice) -> PaymentIntent | None:
    """The payment intent that is to pay the rest of an invoice: of several, the newest that is not done."""
    ids = set(invoice.paid_through or ()) | {
        each.payment.payment_intent for each in facts.invoice_payments if each.invoice == invoice.id
    }
    found = [each for each in facts.payment_intents if each.id in ids and each.status != "canceled"]
    return max(found, key=lambda each: (each.status != "succeeded", each.created, each.id), default=None)


def attempt_of(facts: Facts, invoice: Invoice, intent: PaymentIntent | None) -> Charge | None:
    """The latest charge that was tried for an invoice."""
    if intent is not None and (latest := charge_of(facts, intent.latest_charge)) is not None:
        return latest
    ids = set(invoice.paid_through or ()) | {
        each.payment.charge for each in facts.invoice_payments if each.invoice == invoice.id
    }
    tried = [
        each
        for each in facts.charges
        if each.id in ids or (intent is not None and each.payment_intent == intent.id)
    ]
    return max(tried, key=lambda each: (each.created, each.id), default=None)


def _on_file(facts: Facts, subscription: Subscription, invoice: Invoice) -> bool:
    customer = facts.customer
    settings = customer.invoice_settings if customer is not None else None
    return any(
        (
            invoice.default_payment_method,
            invoice.default_source,
            subscription.default_payment_method,
            subscription.default_source,
            settings and settings.default_payment_method,
            customer and customer.default_source,
        )
    )
