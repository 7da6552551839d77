"""The rules: what each says should stand. To add one, write its module and put its name here."""

from daemon.core.rule import rule_of
from daemon.core.rules import (
    access_without_payment,
    account_degraded,
    approval_request,
    approved_not_executed,
    crm_record_missing,
    crm_status_mismatch,
    dispute_deadline,
    dispute_lost_with_access,
    dispute_update,
    duplicate_customer,
    duplicate_record,
    event_gap,
    executed_differently,
    fraud_warning,
    grace_expired,
    payment_failed,
    payment_without_access,
    payout_failed,
    plan_mismatch,
    quantity_mismatch,
    refund_failed,
    refunded_with_access,
    revenue_mismatch,
    review_open,
    rule_storm,
    stripe_customer_missing,
    unapproved_money_move,
    wrong_account,
)

RULES = tuple(
    rule_of(module)
    for module in (
        access_without_payment,
        payment_without_access,
        grace_expired,
        plan_mismatch,
        quantity_mismatch,
        crm_status_mismatch,
        crm_record_missing,
        stripe_customer_missing,
        revenue_mismatch,
        duplicate_record,
        wrong_account,
        refunded_with_access,
        dispute_lost_with_access,
        duplicate_customer,
        dispute_deadline,
        dispute_update,
        fraud_warning,
        review_open,
        payout_failed,
        refund_failed,
        payment_failed,
        approval_request,
        unapproved_money_move,
        approved_not_executed,
        executed_differently,
        account_degraded,
        rule_storm,
        event_gap,
    )
)

BY_KIND = {rule.kind: rule for rule in RULES}
