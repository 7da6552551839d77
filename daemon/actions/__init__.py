"""What can be done to the world, once somebody has approved it: one file for each thing, one line for each here."""

from typing import Final

from daemon.actions import (
    acknowledge,
    capture,
    credit_note,
    crm_task,
    crm_update,
    dispute_accept,
    dispute_evidence,
    entitlement_set,
    message,
    payment_link,
    refund,
    review_approve,
    subscription_cancel,
    subscription_change,
    subscription_pause,
    subscription_resume,
)
from daemon.actions.invoices import INVOICE_PAY, INVOICE_SEND, INVOICE_UNCOLLECTIBLE, INVOICE_VOID
from daemon.actions.payouts import PAYOUT_CANCEL, PAYOUT_CREATE
from daemon.actions.shape import Action

ACTIONS: Final[tuple[Action, ...]] = (
    refund,
    capture,
    dispute_evidence,
    dispute_accept,
    INVOICE_PAY,
    INVOICE_SEND,
    INVOICE_VOID,
    INVOICE_UNCOLLECTIBLE,
    credit_note,
    subscription_cancel,
    subscription_pause,
    subscription_resume,
    subscription_change,
    PAYOUT_CREATE,
    PAYOUT_CANCEL,
    review_approve,
    payment_link,
    entitlement_set,
    crm_update,
    crm_task,
    message,
    acknowledge,
)
BY_NAME: Final = {action.name: action for action in ACTIONS}
