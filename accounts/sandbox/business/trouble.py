"""What goes wrong with a payment: refunds, disputes, early fraud warnings, reviews."""

from typing import Any

from accounts.sandbox import objects
from accounts.sandbox.business.billing import Bill
from accounts.sandbox.business.shop import DAY_S, Shop

DISPUTE_FEE_MAJOR = 15


def refund(
    shop: Shop,
    bill: Bill,
    amount: int | None = None,
    *,
    ago_s: int = 2 * DAY_S,
    status: str = "succeeded",
    **changes: Any,
) -> str:
    """A refund of the whole bill, or of an amount. A failed one leaves the charge as it was."""
    at = max(shop.now - ago_s, bill.created)
    amount = bill.amount if amount is None else amount
    refund = shop.id("re")
    moved = shop.move(refund, "refund", -amount, bill.currency, at)
    if status == "failed":
        returned = shop.move(refund, "refund_failure", amount, bill.currency, at)
        changes |= {
            "failure_balance_transaction": returned["id"],
            "failure_reason": "expired_or_canceled_card",
        }
    made = objects.refund(
        refund,
        created=at,
        amount=amount,
        currency=bill.currency,
        charge=bill.charge,
        payment_intent=bill.intent,
        customer=bill.customer,
        balance_transaction=moved["id"],
        status=status,
        **changes,
    )
    shop.keep(made, "refund.created", *(["refund.failed"] if status == "failed" else []))
    if status != "failed":
        refunded = amount + sum(
            each["amount"]
            for each in shop.account.newest_first("refund", charge=bill.charge)
            if each["id"] != refund and each["status"] != "failed"
        )
        whole = refunded >= bill.amount
        shop.change("charge", bill.charge, "charge.refunded", at, amount_refunded=refunded, refunded=whole)
    return refund


def refund_fails(shop: Shop, refund: str) -> None:
    """A refund that had succeeded comes back: the money is on the balance again, the charge is not refunded."""
    made = shop.account.get("refund", refund)
    if made is None:
        raise LookupError(f"{shop.account.id} has no refund {refund}")
    returned = shop.move(refund, "refund_failure", made["amount"], made["currency"], shop.now)
    failed = {
        "status": "failed",
        "failure_reason": "lost_or_stolen_card",
        "failure_balance_transaction": returned["id"],
    }
    changed = shop.change("refund", refund, "refund.updated", **failed)
    shop.tell("refund.failed", changed, shop.now)
    charge = shop.account.get("charge", made["charge"])
    if charge is not None:
        left = charge["amount_refunded"] - made["amount"]
        shop.change("charge", charge["id"], "charge.updated", amount_refunded=left, refunded=False)


def dispute(
    shop: Shop,
    bill: Bill,
    *,
    due_by: int | None,
    ago_s: int = 5 * DAY_S,
    status: str = "needs_response",
    reason: str = "fraudulent",
    **changes: Any,
) -> str:
    """A dispute of the whole bill. Chargebacks take the money at once, inquiries do not."""
    at = max(shop.now - ago_s, bill.created)
    dispute = shop.id("dp")
    moves = []
    if not status.startswith("warning") and status != "prevented":
        fee = objects.unit_amount(DISPUTE_FEE_MAJOR, bill.currency)
        moves.append(
            shop.move(dispute, "adjustment", -bill.amount, bill.currency, at, fee=fee, category="dispute")
        )
    if status == "won":
        moves.append(
            shop.move(dispute, "adjustment", bill.amount, bill.currency, at, category="dispute_reversal")
        )
    made = objects.dispute(
        dispute,
        created=at,
        amount=bill.amount,
        currency=bill.currency,
        charge=bill.charge,
        payment_intent=bill.intent,
        status=status,
        reason=reason,
        due_by=due_by,
        balance_transactions=moves,
        livemode=shop.account.livemode,
        **changes,
    )
    shop.keep(made, "charge.dispute.created", *(["charge.dispute.funds_withdrawn"] if moves else []))
    shop.change("charge", bill.charge, "charge.updated", at, disputed=True)
    return dispute


def warn(shop: Shop, bill: Bill, *, actionable: bool = True, ago_s: int = DAY_S) -> str:
    """An early fraud warning."""
    made = objects.early_fraud_warning(
        shop.id("issfr"),
        created=max(shop.now - ago_s, bill.created),
        charge=bill.charge,
        payment_intent=bill.intent,
        actionable=actionable,
        livemode=shop.account.livemode,
    )
    shop.keep(made, "radar.early_fraud_warning.created")
    return str(made["id"])


def review(shop: Shop, bill: Bill, *, closed_reason: str | None = None) -> str:
    """A Radar review, open unless it was closed for a reason."""
    made = objects.review(
        shop.id("prv"),
        created=bill.created,
        charge=bill.charge,
        payment_intent=bill.intent,
        closed_reason=closed_reason,
        livemode=shop.account.livemode,
    )
    shop.keep(made, "review.opened", *(["review.closed"] if closed_reason else []))
    if closed_reason is None:
        shop.change("charge", bill.charge, review=made["id"])
        shop.change("payment_intent", bill.intent, review=made["id"])
    return str(made["id"])
