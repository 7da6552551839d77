"""Subscriptions and what they are billed: paid, declined, or free during a trial.

A bill leaves whole traces: an invoice with its line, a payment of it, an intent, a charge, and money on the balance.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from accounts.sandbox import objects
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.world import Json

PERIOD_S = {"week": 7 * DAY_S, "month": 30 * DAY_S, "year": 365 * DAY_S}
A_MONTH = {"week": Decimal(52) / 12, "month": Decimal(1), "year": 1 / Decimal(12)}
TRIAL_S = 14 * DAY_S
RETRY_AFTER_S = 2 * DAY_S


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a bill is not paid, as Stripe says it in three places; and how many attempts there were."""

    code: str = "card_declined"
    decline_code: str | None = "generic_decline"
    advice_code: str | None = None
    outcome: str = "issuer_declined"
    risk_level: str = "normal"
    intent: str = "requires_payment_method"
    attempts: int = 2
    retries_left: bool = True


NOT_TRIED = Decline(attempts=0, retries_left=False)


@dataclass(frozen=True, slots=True)
class Bill:
    """One invoice and how it was paid: the ids of all that belongs to it."""

    invoice: str
    intent: str
    charge: str
    customer: str
    amount: int
    currency: str
    created: int


def bill_of(shop: Shop, charge: Json) -> Bill:
    """The bill that a charge paid, read back from the books."""
    intent = charge["payment_intent"]
    paid = next(shop.account.newest_first("invoice_payment", **{"payment[payment_intent]": intent}))
    money = charge["customer"], charge["amount"], charge["currency"], charge["created"]
    return Bill(paid["invoice"], intent, charge["id"], *money)


def newest_paid(shop: Shop, customer: str) -> Bill:
    charges = shop.account.newest_first("charge", customer=customer)
    return bill_of(shop, next(each for each in charges if each["paid"]))


@dataclass(slots=True)
class Subscribed:
    """One subscription with its newest bills, oldest first."""

    id: str
    customer: str
    price: Json
    quantity: int
    status: str
    started: int
    bills: list[Bill] = field(default_factory=list)

    @property
    def latest(self) -> Bill:
        return self.bills[-1]

    @property
    def plan(self) -> str:
        """`pro_month` is the plan pro."""
        return str(self.price["lookup_key"]).rpartition("_")[0]

    def monthly(self) -> Decimal:
        """What it brings a month, in minor units, before discounts."""
        unit_amount = self.price["unit_amount"] or 0
        return unit_amount * self.quantity * A_MONTH[self.price["recurring"]["interval"]]


def subscribe(
    shop: Shop,
    customer: str,
    price: str = "pro_month",
    *,
    quantity: int = 1,
    status: str = "active",
    cycles: int = 3,
    into_s: int | None = None,
    bills_max: int = 2,
    last: Decline | None = None,
    ended_ago_s: int = 0,
    **changes: Any,
) -> Subscribed:
    """A subscription that renewed `cycles` times, the last time `into_s` before now or before its end.

    Only the newest bills are laid down. `last` is why the newest was not paid, if it was not.
    """
    sold = shop.prices[price]
    metered = sold["recurring"]["usage_type"] == "metered"
    period_s = PERIOD_S[sold["recurring"]["interval"]]
    into_s = shop.world.rng.randrange(DAY_S, period_s - DAY_S) if into_s is None else into_s
    ended = shop.now - ended_ago_s
    renewed = ended - into_s
    made = Subscribed(shop.id("sub"), customer, sold, quantity, status, renewed - cycles * period_s)
    item = objects.subscription_item(
        shop.id("si"),
        created=made.started,
        subscription=made.id,
        price=sold,
        period=(renewed, renewed + period_s),
        quantity=None if metered else quantity,
    )
    for cycle in range(max(0, cycles - bills_max + 1), cycles + 1):
        made.bills.append(_bill(shop, made, item, cycle, last if cycle == cycles else None))
    whole = objects.subscription(
        made.id,
        created=made.started,
        customer=customer,
        items=[item],
        status=status,
        livemode=shop.account.livemode,
        latest_invoice=made.latest.invoice,
        **_of_status(made, ended) | changes,
    )
    shop.keep(whole, "customer.subscription.created")
    if whole["ended_at"] is not None:
        shop.tell("customer.subscription.deleted", whole, ended)
    elif last is not None and status != "active":
        shop.tell("customer.subscription.updated", whole, renewed, {"status": "active"})
    return made


def _of_status(made: Subscribed, ended: int) -> Json:
    match made.status:
        case "canceled" | "incomplete_expired":
            return {"canceled_at": ended, "ended_at": ended}
        case "trialing":
            return {"trial_start": made.started, "trial_end": made.started + TRIAL_S}
        case "paused":
            return {"status_details": objects.paused_details(ended)}
        case _:
            return {}


def _bill(shop: Shop, made: Subscribed, item: Json, cycle: int, decline: Decline | None) -> Bill:
    currency, livemode = made.price["currency"], shop.account.livemode
    period_s = PERIOD_S[made.price["recurring"]["interval"]]
    at = made.started + cycle * period_s
    invoice, paid, attempts = shop.id("in"), decline is None, decline.attempts if decline else 1
    line = objects.invoice_line(
        shop.id("il"), invoice=invoice, item=item, period=(at, at + period_s), livemode=livemode
    )
    if made.status == "trialing":
        line |= {"amount": 0, "subtotal": 0}
    bill = Bill(invoice, shop.id("pi"), shop.id("ch"), made.customer, line["amount"], currency, at)
    whole = objects.invoice(
        invoice,
        created=at,
        customer=made.customer,
        currency=currency,
        lines=[line],
        subscription=made.id,
        status="paid" if paid else "open",
        billing_reason="subscription_cycle" if cycle else "subscription_create",
        livemode=livemode,
        attempted=attempts > 0,
        attempt_count=attempts,
        auto_advance=not paid,
        next_payment_attempt=shop.now + RETRY_AFTER_S if decline and decline.retries_left else None,
    )
    shop.keep(whole, "invoice.finalized")
    if paid or attempts:
        shop.tell("invoice.paid" if paid else "invoice.payment_failed", whole, at)
    if decline and decline.intent == "requires_action":
        shop.tell("invoice.payment_action_required", whole, at)
    if bill.amount:
        _attempt(shop, bill, decline)
    return bill


def _attempt(shop: Shop, bill: Bill, decline: Decline | None) -> None:
    """The attempt to collect a bill: the invoice's payment, the intent, the charge."""
    money: Json = {
        "created": bill.created,
        "amount": bill.amount,
        "currency": bill.currency,
        "livemode": shop.account.livemode,
    }
    shop.keep(
        objects.invoice_payment(
            shop.id("inpay"),
            invoice=bill.invoice,
            payment_intent=bill.intent,
            status="open" if decline else "paid",
            **money,
        )
    )
    money |= {"customer": bill.customer}
    if decline is None:
        fee = min(bill.amount, bill.amount * 15 // 1000 + 25)
        moved = shop.move(bill.charge, "charge", bill.amount, bill.currency, bill.created, fee=fee)
        charge = objects.charge(
            bill.charge, payment_intent=bill.intent, balance_transaction=moved["id"], **money
        )
        shop.keep(charge, "charge.succeeded")
        intent = objects.payment_intent(bill.intent, latest_charge=bill.charge, **money)
        shop.keep(intent, "payment_intent.succeeded")
        return
    if not decline.attempts:
        shop.keep(objects.payment_intent(bill.intent, status=decline.intent, **money))
        return
    charge = objects.charge(
        bill.charge,
        payment_intent=bill.intent,
        status="failed",
        failure_code=decline.code,
        failure_message="The payment was declined.",
        outcome=objects.outcome(
            type=decline.outcome,
            reason=decline.decline_code,
            risk_level=decline.risk_level,
            advice_code=decline.advice_code,
        ),
        **money,
    )
    shop.keep(charge, "charge.failed")
    error = objects.payment_error(
        code=decline.code,
        decline_code=decline.decline_code,
        advice_code=decline.advice_code,
        charge=bill.charge,
    )
    intent = objects.payment_intent(
        bill.intent, latest_charge=bill.charge, status=decline.intent, last_payment_error=error, **money
    )
    shop.keep(intent, "payment_intent.payment_failed")
