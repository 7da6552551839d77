"""What happens after the daemon has looked for the first time: failures and moves that only count from then on."""

from collections.abc import Iterator
from itertools import islice

from accounts.sandbox.business.billing import newest_paid
from accounts.sandbox.business.planted import Planted
from accounts.sandbox.business.records import moment
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.business.trouble import dispute, refund, refund_fails
from accounts.sandbox.world import Json


def _first(shop: Shop, story: str, kind: str) -> Iterator[Planted]:
    """The first that a story planted in this account; a small world may not have told it."""
    wanted = story, kind, shop.account.id
    found = (each for each in shop.world.planted if (each.story, each.kind, each.account) == wanted)
    return islice(found, 1)


def refund_comes_back(shop: Shop) -> None:
    """A refund that had succeeded fails days later."""
    for planted in _first(shop, "partly_refunded", "refunded_with_access"):
        made = next(shop.account.newest_first("refund", charge=planted.subject))
        refund_fails(shop, made["id"])
        shop.expect("refund_failed", made["id"], planted.subject)


def payout_comes_back(shop: Shop) -> None:
    """A payout that was paid fails; the bank sent it back."""
    for paid in shop.account.newest_first("payout", status="paid"):
        moved = shop.move(paid["id"], "payout_failure", paid["amount"], paid["currency"], shop.now)
        shop.change(
            "payout",
            paid["id"],
            "payout.failed",
            status="failed",
            failure_code="no_account",
            failure_message="The bank account could not be found.",
            failure_balance_transaction=moved["id"],
        )
        shop.expect("payout_failed", paid["id"])
        return


def dispute_is_lost(shop: Shop) -> None:
    """A dispute that was answered is lost; the product is still open for its last payment."""
    for planted in _first(shop, "dispute_answered", "dispute_deadline"):
        shop.change("dispute", planted.subject, "charge.dispute.closed", status="lost")
        charge = planted.ids[0]
        shop.world.planted = [
            each
            for each in shop.world.planted
            if each.subject != planted.subject or each.kind == "dispute_deadline"
        ]
        for kind in ("dispute_update", "dispute_lost_with_access"):
            shop.expect(kind, planted.subject, charge)


def evidence_sent_by_hand(shop: Shop) -> None:
    """Somebody answers a dispute in the dashboard, past every approval."""
    for planted in _first(shop, "dispute_due_in_a_month", "dispute_deadline"):
        made = shop.account.get("dispute", planted.subject)
        if made is not None:
            details = made["evidence_details"] | {
                "has_evidence": True,
                "submission_count": 1,
                "submission_method": "manual",
            }
            shop.change(
                "dispute",
                planted.subject,
                "charge.dispute.updated",
                status="under_review",
                evidence=made["evidence"] | {"uncategorized_text": "The customer used the product."},
                evidence_details=details,
            )
            shop.expect("unapproved_money_move", planted.subject)


def refunded_by_hand(shop: Shop) -> None:
    """Somebody refunds a part in the dashboard, past every approval."""
    for planted in _first(shop, "paid_at_the_second_attempt", "payment_failed"):
        bill = newest_paid(shop, planted.ids[0])
        moved = refund(shop, bill, bill.amount // 2, ago_s=0)
        shop.expect("unapproved_money_move", moved, bill.charge)


def dispute_arrives(shop: Shop) -> None:
    for planted in _first(shop, "leaving_at_the_end", "access_without_payment"):
        bill = newest_paid(shop, planted.subject)
        arrived = dispute(shop, bill, due_by=shop.now + 5 * DAY_S, ago_s=0)
        shop.expect("dispute_deadline", arrived, bill.charge)


def leaves_without_being_closed(shop: Shop) -> None:
    """A customer leaves now, and the CRM hears of it; the product stays open."""
    for planted in _first(shop, "an_old_entitlement_was_closed", "plan_mismatch"):
        customer = planted.ids[0]
        gone: Json = {"status": "canceled", "canceled_at": shop.now, "ended_at": shop.now}
        shop.change("subscription", planted.subject, "customer.subscription.deleted", **gone)
        for record in shop.world.crm:
            if record["stripe_customer"] == customer:
                record |= {"status": "churned", "mrr": "0", "updated": moment(shop.now)}
        shop.expect("access_without_payment", customer, planted.subject)


LATER = (
    refund_comes_back,
    payout_comes_back,
    dispute_is_lost,
    evidence_sent_by_hand,
    refunded_by_hand,
    dispute_arrives,
    leaves_without_being_closed,
)
