"""The planted near misses: each story looks like a disagreement and is none, and says which case may not stand."""

from decimal import Decimal
from typing import Any

from accounts.sandbox import objects
from accounts.sandbox.business.billing import NOT_TRIED, Decline, subscribe
from accounts.sandbox.business.disagreements import SHORT_OF_MONEY, agreeing
from accounts.sandbox.business.records import entitle, major, moment, record
from accounts.sandbox.business.shop import DAY_S, HOUR_S, MINUTE_S, Shop
from accounts.sandbox.business.trouble import dispute, refund, review, warn
from accounts.sandbox.objects import Object

CATCHES_UP_AFTER_S = 5 * MINUTE_S  # within the ten minutes in which a disagreement may settle


def grace_is_not_over(shop: Shop) -> None:
    """Past due for four days, and the product is open: so it should be."""
    made = subscribe(shop, shop.customer(), status="past_due", into_s=4 * DAY_S, last=SHORT_OF_MONEY)
    record(shop, made.customer, made)
    entitle(shop, made, status="grace")
    shop.expect_no("grace_expired", made.id, made.customer)
    shop.expect("payment_failed", made.latest.invoice, made.customer)


def signed_up_just_now(shop: Shop) -> None:
    """Subscribed two minutes ago; CRM and product hear of it in five."""
    made = subscribe(shop, shop.customer(age_s=HOUR_S), cycles=0, into_s=2 * MINUTE_S)

    def hear() -> None:
        now = moment(shop.world.clock.now())
        record(shop, made.customer, made, updated=now)
        entitle(shop, made, updated=now)

    shop.world.clock.at(shop.now + CATCHES_UP_AFTER_S, hear)
    shop.expect_no("payment_without_access", made.id, made.customer)
    shop.expect_no("crm_record_missing", made.customer, made.id)


def revenue_within_tolerance(shop: Shop) -> None:
    """The CRM's revenue is 4 % above what Stripe bills."""
    made = subscribe(shop, shop.customer(), "team_month", quantity=2)
    more = major(made.monthly() * Decimal("1.04"), made.price["currency"])
    record(shop, made.customer, made, mrr=more)
    entitle(shop, made)
    shop.expect_no("revenue_mismatch", made.customer, made.id)


def a_year_does_not_divide_by_twelve(shop: Shop) -> None:
    """A year's price as twelve months, rounded as the CRM rounds it."""
    made = agreeing(shop, "basic_week")
    yearly = subscribe(shop, shop.customer(), "pro_year", cycles=0, into_s=70 * DAY_S)
    record(shop, yearly.customer, yearly)
    entitle(shop, yearly)
    for each in (made, yearly):
        shop.expect_no("revenue_mismatch", each.customer, each.id)


def a_trial_brings_nothing_yet(shop: Shop) -> None:
    """On trial, with access and no revenue: so it should be."""
    made = subscribe(
        shop, shop.customer(), "team_month", quantity=3, status="trialing", cycles=0, into_s=3 * DAY_S
    )
    record(shop, made.customer, made)
    entitle(shop, made)
    for kind in ("revenue_mismatch", "crm_status_mismatch", "access_without_payment"):
        shop.expect_no(kind, made.customer, made.id)


def collection_is_paused(shop: Shop) -> None:
    """Active, but collection is paused: neither access nor revenue is due, and a failed payment is nobody's."""
    paused = {"behavior": "keep_as_draft", "resumes_at": None}
    made = subscribe(shop, shop.customer(), into_s=5 * DAY_S, last=SHORT_OF_MONEY, pause_collection=paused)
    record(shop, made.customer, made, mrr="0")
    entitle(shop, made, status="ended")
    shop.expect_no("payment_without_access", made.id, made.customer)
    shop.expect_no("revenue_mismatch", made.customer, made.id)
    shop.expect_no("payment_failed", made.latest.invoice, made.customer)


def second_live_subscription(shop: Shop) -> None:
    """Two plans, each with its entitlement; the CRM counts both."""
    customer = shop.customer()
    pair = [subscribe(shop, customer, plan) for plan in ("pro_month", "basic_month")]
    record(shop, customer, *pair)
    for made, feature in zip(pair, ("app", "archive"), strict=True):
        entitle(shop, made, feature=feature)
        shop.expect_no("plan_mismatch", made.id, customer)
        shop.expect_no("payment_without_access", made.id, customer)
    shop.expect_no("revenue_mismatch", customer)


def came_back(shop: Shop) -> None:
    """An old subscription ended, a new one pays."""
    customer = shop.customer()
    old = subscribe(shop, customer, "basic_month", status="canceled", ended_ago_s=90 * DAY_S)
    new = subscribe(shop, customer, "pro_month", cycles=1)
    record(shop, customer, new, old)
    entitle(shop, new)
    for kind in ("access_without_payment", "crm_status_mismatch"):
        shop.expect_no(kind, customer, new.id)


def partly_refunded(shop: Shop) -> None:
    """Half of the latest payment was given back."""
    made = agreeing(shop)
    refund(shop, made.latest, made.latest.amount // 2)
    shop.expect_no("refunded_with_access", made.latest.charge, made.customer)


def partly_refunded_twice(shop: Shop) -> None:
    """Two equal parts of the latest payment were given back, and a third of it is left."""
    made = agreeing(shop)
    for ago in (3, 2):
        refund(shop, made.latest, made.latest.amount // 3, ago_s=ago * DAY_S)
    shop.expect_no("refunded_with_access", made.latest.charge, made.customer)


def refund_is_pending(shop: Shop) -> None:
    """A part of the latest payment is on its way back."""
    made = agreeing(shop)
    pending = refund(shop, made.latest, made.latest.amount // 10, ago_s=DAY_S, status="pending")
    shop.expect_no("refund_failed", pending, made.latest.charge)
    shop.expect_no("refunded_with_access", made.latest.charge, made.customer)


def earlier_payment_refunded(shop: Shop) -> None:
    """The payment before the latest was given back whole."""
    made = agreeing(shop)
    refund(shop, made.bills[0], ago_s=29 * DAY_S)
    for bill in made.bills:
        shop.expect_no("refunded_with_access", bill.charge, made.customer)


def refund_failed_long_ago(shop: Shop) -> None:
    """A refund failed before anybody looked."""
    made = agreeing(shop)
    failed = refund(shop, made.bills[0], made.bills[0].amount // 2, ago_s=20 * DAY_S, status="failed")
    shop.expect_no("refund_failed", failed, made.bills[0].charge)


def _settled(shop: Shop, due_in: int | None, **how: Any) -> None:
    made = agreeing(shop)
    due_by = None if due_in is None else shop.now + due_in
    disputed = dispute(shop, made.latest, due_by=due_by, **how)
    for kind in ("dispute_deadline", "dispute_lost_with_access", "dispute_update"):
        shop.expect_no(kind, disputed, made.latest.charge, made.customer)


def inquiry_closed(shop: Shop) -> None:
    _settled(shop, -5 * DAY_S, status="warning_closed", ago_s=20 * DAY_S)


def inquiry_under_review(shop: Shop) -> None:
    _settled(shop, DAY_S, status="warning_under_review", submission_count=1)


def dispute_won(shop: Shop) -> None:
    _settled(shop, -10 * DAY_S, status="won", ago_s=25 * DAY_S, submission_count=1)


def dispute_prevented(shop: Shop) -> None:
    """Resolved before it became a dispute: nothing was lost."""
    _settled(shop, None, status="prevented")


def dispute_answered(shop: Shop) -> None:
    """Due the day after tomorrow, and the evidence is submitted."""
    _settled(shop, 2 * DAY_S, status="under_review", submission_count=1)


def appeal_before_we_looked(shop: Shop) -> None:
    """Appealed before anybody looked: not one of the answers that a deadline is kept for."""
    _settled(shop, 4 * DAY_S, status="appeal_needs_response", submission_count=1)


def appeal_under_review(shop: Shop) -> None:
    _settled(shop, 4 * DAY_S, status="appeal_under_review", submission_count=2)


def dispute_due_in_a_month(shop: Shop) -> None:
    _settled(shop, 30 * DAY_S, ago_s=HOUR_S)


def earlier_dispute_lost(shop: Shop) -> None:
    """The payment before the latest was lost in a dispute; the latest is good."""
    made = agreeing(shop)
    lost = dispute(shop, made.bills[0], status="lost", due_by=shop.now - 15 * DAY_S, ago_s=29 * DAY_S)
    for kind in ("dispute_lost_with_access", "dispute_update", "dispute_deadline"):
        shop.expect_no(kind, lost, made.bills[0].charge, made.customer)


def warning_without_use(shop: Shop) -> None:
    made = agreeing(shop)
    warning = warn(shop, made.latest, actionable=False)
    shop.expect_no("fraud_warning", made.latest.charge, warning)


def warned_and_refunded(shop: Shop) -> None:
    """The warning still says actionable, but the money was given back."""
    made = agreeing(shop)
    refund(shop, made.bills[0], ago_s=10 * DAY_S, reason="fraudulent")
    warning = warn(shop, made.bills[0], ago_s=12 * DAY_S)
    shop.expect_no("fraud_warning", made.bills[0].charge, warning)


def warned_and_disputed(shop: Shop) -> None:
    """The warning still says actionable, but the dispute has come and is answered."""
    made = agreeing(shop)
    dispute(shop, made.latest, due_by=shop.now + 9 * DAY_S, status="under_review", submission_count=1)
    warning = warn(shop, made.latest)
    shop.expect_no("fraud_warning", made.latest.charge, warning)


def review_was_approved(shop: Shop) -> None:
    made = agreeing(shop)
    closed = review(shop, made.latest, closed_reason="approved")
    shop.expect_no("review_open", made.latest.charge, closed)


def access_ran_out(shop: Shop) -> None:
    """Canceled; the entitlement still says active, but its time is over."""
    made = subscribe(shop, shop.customer(), status="canceled", ended_ago_s=15 * DAY_S)
    record(shop, made.customer, made)
    entitle(shop, made, status="active", expires_at=moment(shop.now - 14 * DAY_S))
    shop.expect_no("access_without_payment", made.customer, made.id)


def leaving_at_the_end(shop: Shop) -> None:
    """Canceled for the end of the period, and paid until then."""
    made = subscribe(shop, shop.customer(), into_s=10 * DAY_S, cancel_at_period_end=True)
    record(shop, made.customer, made)
    entitle(shop, made)
    for kind in ("access_without_payment", "crm_status_mismatch"):
        shop.expect_no(kind, made.customer, made.id)


def prospect(shop: Shop) -> None:
    """In the CRM, and never subscribed."""
    customer = shop.customer(age_s=20 * DAY_S)
    key = record(shop, customer)
    shop.expect_no("crm_status_mismatch", customer, key)
    shop.expect_no("stripe_customer_missing", key, customer)


def only_in_stripe(shop: Shop) -> None:
    """Never paid, so no record is missing."""
    customer = shop.customer(age_s=20 * DAY_S)
    shop.expect_no("crm_record_missing", customer)


def billed_by_use(shop: Shop) -> None:
    """What it brings a month cannot be known; the CRM has guessed."""
    made = subscribe(shop, shop.customer(), "usage_month")
    record(shop, made.customer, made, mrr="321.00")
    entitle(shop, made, quantity=None)
    shop.expect_no("revenue_mismatch", made.customer, made.id)
    shop.expect_no("quantity_mismatch", made.id, made.customer)


def _discounted(shop: Shop, duration: str, share: Decimal, months: int | None = None) -> None:
    """A fifth less, from the next bill on."""
    livemode, start = shop.account.livemode, shop.now - DAY_S
    coupon = objects.coupon(
        shop.id("coupon"),
        created=shop.now - 300 * DAY_S,
        percent_off=20.0,
        duration=duration,
        months=months,
        livemode=livemode,
    )
    discount = shop.id("di")
    made = subscribe(shop, shop.customer(), "team_month", quantity=2, discounts=[discount])
    shop.account.put(coupon)
    shop.account.put(
        objects.discount(
            discount,
            coupon=coupon["id"],
            customer=made.customer,
            subscription=made.id,
            start=start,
            end=None if months is None else start + months * 30 * DAY_S,
        )
    )
    record(shop, made.customer, made, mrr=major(made.monthly() * share, made.price["currency"]))
    entitle(shop, made)
    shop.expect_no("revenue_mismatch", made.customer, made.id)


def discounted_for_ever(shop: Shop) -> None:
    """A fifth less for ever; the CRM knows."""
    _discounted(shop, "forever", Decimal("0.8"))


def discounted_for_now(shop: Shop) -> None:
    """A fifth less for a while; the CRM counts what comes after."""
    _discounted(shop, "repeating", Decimal(1), months=6)


def paid_at_the_second_attempt(shop: Shop) -> None:
    made = agreeing(shop)
    shop.change("invoice", made.latest.invoice, attempt_count=2)
    shop.expect_no("payment_failed", made.latest.invoice, made.customer)


def invoice_was_sent(shop: Shop) -> None:
    """Pays by invoice; the latest is open and not yet due."""
    sent: Object = {"collection_method": "send_invoice", "days_until_due": 30}
    made = subscribe(shop, shop.customer(), cycles=2, into_s=5 * DAY_S, last=NOT_TRIED, **sent)
    due_date = made.latest.created + 30 * DAY_S
    shop.change("invoice", made.latest.invoice, collection_method="send_invoice", due_date=due_date)
    record(shop, made.customer, made)
    entitle(shop, made)
    shop.expect_no("payment_failed", made.latest.invoice, made.customer)


def given_up_and_closed(shop: Shop) -> None:
    """Unpaid, closed, and known as such; its open invoice is no live subscription's."""
    gave_up = Decline(attempts=8, retries_left=False)
    made = subscribe(shop, shop.customer(), status="unpaid", into_s=27 * DAY_S, last=gave_up)
    record(shop, made.customer, made)
    entitle(shop, made)
    shop.expect_no("payment_failed", made.latest.invoice, made.customer)
    shop.expect_no("access_without_payment", made.customer, made.id)


def same_address_but_one_left(shop: Shop) -> None:
    """Two customers with one e-mail, of whom one no longer pays."""
    email = f"{shop.id('left').lower()}@example.com"
    left = subscribe(shop, shop.customer(email=email), status="canceled", ended_ago_s=70 * DAY_S)
    stays = subscribe(shop, shop.customer(email=email))
    for made in (left, stays):
        record(shop, made.customer, made)
        entitle(shop, made)
        shop.expect_no("duplicate_customer", made.customer)


def same_address_in_test_mode(shop: Shop) -> None:
    """One e-mail in a live and in a test account: two worlds."""
    for other in shop.later_in_the_other_mode:
        email = f"{shop.id('mode').lower()}@example.com"
        for each in (shop, other):
            made = subscribe(each, each.customer(email=email))
            record(each, made.customer, made)
            entitle(each, made)
            each.expect_no("duplicate_customer", made.customer)
        return


def crm_keeps_neither_plan_nor_currency(shop: Shop) -> None:
    made = subscribe(shop, shop.customer())
    record(shop, made.customer, made, plan=None, currency=None)
    entitle(shop, made)
    shop.expect_no("plan_mismatch", made.id, made.customer)
    shop.expect_no("revenue_mismatch", made.customer, made.id)


def an_old_entitlement_was_closed(shop: Shop) -> None:
    """An earlier entitlement of another plan is closed, today's is open."""
    made = agreeing(shop)
    entitle(shop, made, feature="beta", plan="basic", status="ended")
    shop.expect_no("plan_mismatch", made.id, made.customer)
    shop.expect_no("payment_without_access", made.id, made.customer)


def payout_failed_long_ago(shop: Shop) -> None:
    """A payout failed before anybody looked, and its money went out with the next."""
    customer = shop.customer(age_s=30 * DAY_S)
    failed = objects.payout(
        shop.id("po"),
        created=shop.now - 20 * DAY_S,
        amount=objects.unit_amount(100, shop.account.currency),
        currency=shop.account.currency,
        balance_transaction=None,
        status="failed",
        failure_code="account_closed",
        failure_message="The bank account has been closed.",
        livemode=shop.account.livemode,
    )
    shop.keep(failed, "payout.created", "payout.failed")
    shop.expect_no("payout_failed", failed["id"], customer)


NEAR_MISSES = (
    grace_is_not_over,
    partly_refunded,
    same_address_in_test_mode,
    dispute_answered,
    signed_up_just_now,
    revenue_within_tolerance,
    a_trial_brings_nothing_yet,
    collection_is_paused,
    second_live_subscription,
    inquiry_closed,
    dispute_won,
    earlier_payment_refunded,
    dispute_due_in_a_month,
    came_back,
    access_ran_out,
    warning_without_use,
    same_address_but_one_left,
    a_year_does_not_divide_by_twelve,
    refund_is_pending,
    refund_failed_long_ago,
    dispute_prevented,
    leaving_at_the_end,
    prospect,
    only_in_stripe,
    billed_by_use,
    discounted_for_ever,
    discounted_for_now,
    paid_at_the_second_attempt,
    invoice_was_sent,
    given_up_and_closed,
    partly_refunded_twice,
    inquiry_under_review,
    appeal_before_we_looked,
    appeal_under_review,
    earlier_dispute_lost,
    warned_and_refunded,
    warned_and_disputed,
    review_was_approved,
    crm_keeps_neither_plan_nor_currency,
    an_old_entitlement_was_closed,
    payout_failed_long_ago,
)
