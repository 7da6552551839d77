"""The ordinary customer: whatever its state, Stripe, CRM and product agree about it."""

from accounts.sandbox.business.billing import Decline, Subscribed, subscribe
from accounts.sandbox.business.records import entitle, record
from accounts.sandbox.business.shop import DAY_S, HOUR_S, Shop
from accounts.sandbox.business.trouble import dispute, refund

SHARES = {
    "active": 80,
    "trialing": 6,
    "canceled": 8,
    "paused": 1,
    "unpaid": 1,
    "incomplete": 1,
    "incomplete_expired": 1,
    "past_due": 2,
}
YEARLY_SHARE = 0.2
EARLIER_REFUND_SHARE = 0.08
EARLIER_DISPUTE_SHARE = 0.01
GAVE_UP = Decline(decline_code="do_not_honor", attempts=8, retries_left=False)
FUNDS = Decline(decline_code="insufficient_funds", advice_code="try_again_later")


def ordinary(shop: Shop) -> None:
    rng = shop.world.rng
    status = rng.choices(tuple(SHARES), tuple(SHARES.values()))[0]
    plan = rng.choice(("basic", "pro", "pro", "team"))
    quantity = rng.randrange(2, 12) if plan == "team" else 1
    customer = shop.customer()
    made = _subscribed(shop, customer, status, plan, quantity)
    record(shop, customer, made)
    if status not in ("incomplete", "incomplete_expired"):
        entitle(shop, made)
    if status == "past_due":
        shop.expect("payment_failed", made.latest.invoice, customer, made.id)


def _subscribed(shop: Shop, customer: str, status: str, plan: str, quantity: int) -> Subscribed:
    rng, monthly = shop.world.rng, f"{plan}_month"
    match status:
        case "active":
            if rng.random() < YEARLY_SHARE:
                into_s = rng.randrange(DAY_S, 100 * DAY_S)
                return subscribe(
                    shop, customer, f"{plan}_year", quantity=quantity, cycles=rng.randrange(2), into_s=into_s
                )
            made = subscribe(shop, customer, monthly, quantity=quantity, cycles=rng.randrange(1, 12))
            _something_earlier(shop, made)
            return made
        case "trialing":
            into_s = rng.randrange(DAY_S, 10 * DAY_S)
            return subscribe(
                shop, customer, monthly, quantity=quantity, status=status, cycles=0, into_s=into_s
            )
        case "past_due":
            into_s = rng.randrange(DAY_S, 4 * DAY_S)  # well within any grace period
            return subscribe(
                shop, customer, monthly, quantity=quantity, status=status, into_s=into_s, last=FUNDS
            )
        case "unpaid":
            into_s = 25 * DAY_S
            return subscribe(
                shop, customer, monthly, quantity=quantity, status=status, into_s=into_s, last=GAVE_UP
            )
        case "incomplete":
            return subscribe(
                shop, customer, monthly, status=status, cycles=0, into_s=10 * HOUR_S, last=Decline(attempts=1)
            )
        case "incomplete_expired":
            made = subscribe(
                shop,
                customer,
                monthly,
                status=status,
                cycles=0,
                into_s=DAY_S,
                ended_ago_s=9 * DAY_S,
                last=Decline(attempts=1),
            )
            shop.change("invoice", made.latest.invoice, status="void")
            return made
        case _:
            ended_ago_s = rng.randrange(20, 80) * DAY_S
            return subscribe(
                shop, customer, monthly, quantity=quantity, status=status, ended_ago_s=ended_ago_s
            )


def _something_earlier(shop: Shop, made: Subscribed) -> None:
    """Now and then the payment before the latest was refunded or disputed, and that is over."""
    earlier, luck = made.bills[0], shop.world.rng.random()
    if luck < EARLIER_REFUND_SHARE:
        whole = luck < EARLIER_REFUND_SHARE / 2
        refund(shop, earlier, None if whole else earlier.amount // 2, ago_s=25 * DAY_S)
    elif luck > 1 - EARLIER_DISPUTE_SHARE:
        dispute(
            shop, earlier, status="won", due_by=shop.now - 10 * DAY_S, ago_s=30 * DAY_S, submission_count=1
        )
