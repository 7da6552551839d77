"""The closed sets of the core: what can be read, what can stand, how urgent it is, and what becomes of it."""

from enum import Enum, StrEnum
from typing import Final


class Source(StrEnum):
    """What can be read or not, one by one: a missing permission silences only the rules that need it.

    For Stripe these are the names of `accounts.stripe.resources`; COUPONS come inside others. What the daemon
    itself knows (proposals, attempts, the state of its accounts) is always read and has no name here.
    """

    CUSTOMERS = "customers"
    SUBSCRIPTIONS = "subscriptions"
    COUPONS = "coupons"
    INVOICES = "invoices"
    INVOICE_PAYMENTS = "invoice_payments"
    PAYMENT_INTENTS = "payment_intents"
    CHARGES = "charges"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    FRAUD_WARNINGS = "early_fraud_warnings"
    REVIEWS = "reviews"
    PAYOUTS = "payouts"
    CREDIT_NOTES = "credit_notes"
    PRODUCTS = "products"
    CRM = "crm"
    ENTITLEMENTS = "entitlements"


class System(StrEnum):
    STRIPE = "stripe"
    CRM = "crm"
    ENTITLEMENT = "entitlement"


SYSTEM_OF: Final = {
    source: System.CRM
    if source is Source.CRM
    else System.ENTITLEMENT
    if source is Source.ENTITLEMENTS
    else System.STRIPE
    for source in Source
}


class Kind(StrEnum):
    """What a case can be about. A rule has the name of the one kind that it finds."""

    ACCESS_WITHOUT_PAYMENT = "access_without_payment"
    PAYMENT_WITHOUT_ACCESS = "payment_without_access"
    GRACE_EXPIRED = "grace_expired"
    PLAN_MISMATCH = "plan_mismatch"
    QUANTITY_MISMATCH = "quantity_mismatch"
    CRM_STATUS_MISMATCH = "crm_status_mismatch"
    CRM_RECORD_MISSING = "crm_record_missing"
    STRIPE_CUSTOMER_MISSING = "stripe_customer_missing"
    REVENUE_MISMATCH = "revenue_mismatch"
    DUPLICATE_RECORD = "duplicate_record"
    WRONG_ACCOUNT = "wrong_account"
    REFUNDED_WITH_ACCESS = "refunded_with_access"
    DISPUTE_LOST_WITH_ACCESS = "dispute_lost_with_access"
    DUPLICATE_CUSTOMER = "duplicate_customer"

    DISPUTE_DEADLINE = "dispute_deadline"
    DISPUTE_UPDATE = "dispute_update"
    FRAUD_WARNING = "fraud_warning"
    REVIEW_OPEN = "review_open"
    PAYOUT_FAILED = "payout_failed"
    REFUND_FAILED = "refund_failed"

    PAYMENT_FAILED = "payment_failed"

    APPROVAL_REQUEST = "approval_request"

    UNAPPROVED_MONEY_MOVE = "unapproved_money_move"
    APPROVED_NOT_EXECUTED = "approved_not_executed"
    EXECUTED_DIFFERENTLY = "executed_differently"
    ACCOUNT_DEGRADED = "account_degraded"
    RULE_STORM = "rule_storm"
    EVENT_GAP = "event_gap"


KINDS: Final = tuple(Kind)
DISAGREEMENTS: Final = frozenset(KINDS[: KINDS.index(Kind.DISPUTE_DEADLINE)])  # these wait for `settle`


class Severity(StrEnum):
    """Most urgent first: the order is the rank."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


SEVERITY_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


class CaseState(StrEnum):
    OPEN = "open"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class Substate(StrEnum):
    NEW = "new"
    ONGOING = "ongoing"
    ESCALATED = "escalated"
    NEEDS_REVIEW = "needs_review"
    EXECUTING = "executing"
    EXEC_FAILED = "exec_failed"
    EXEC_UNKNOWN = "exec_unknown"
    AWAITING_STRIPE = "awaiting_stripe"

    AGREEMENT_RETURNED = "agreement_returned"
    EXECUTED = "executed"
    DONE_ELSEWHERE = "done_elsewhere"
    DISMISSED = "dismissed"
    DUPLICATE = "duplicate"
    MISSED_DEADLINE = "missed_deadline"


class Direction(StrEnum):
    """Who is short while a disagreement stands."""

    US = "us"  # we give more than we are paid for
    CUSTOMER = "customer"  # they pay for more than they are given
    BOOKS = "books"  # no money is out of place, only what is written about it


class Due(Enum):
    UNKNOWN = (
        "deadline unknown"  # an answer is needed and nobody knows until when: before every known deadline
    )


DUE_UNKNOWN: Final = Due.UNKNOWN
