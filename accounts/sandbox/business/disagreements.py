"""The planted disagreements, deadlines and failures: each story leaves one case that should stand, and says which."""

from dataclasses import replace
from decimal import Decimal

from accounts.sandbox.business.billing import Decline, Subscribed, subscribe
from accounts.sandbox.business.records import entitle, major, moment, record
from accounts.sandbox.business.shop import DAY_S, HOUR_S, Shop
from accounts.sandbox.business.trouble import dispute, refund, review, warn


def agreeing(shop: Shop, price: str = "pro_month", quantity: int = 1) -> Subscribed:
    """A paying customer whom all three systems know alike: where most stories begin."""
    made = subscribe(shop, shop.customer(), price, quantity=quantity)
    record(shop, made.customer, made)
    entitle(shop, made)
    return made


def ended_but_open(shop: Shop) -> None:
    """Canceled 40 days ago; the product is still open."""
    made = subscribe(shop, shop.customer(), status="canceled", ended_ago_s=40 * DAY_S)
    record(shop, made.customer, made)
    entitle(shop, made, status="active")
    shop.expect("access_without_payment", made.customer, made.id)


def unpaid_but_open(shop: Shop) -> None:
    """Stripe gave up collecting; the product is still open, as it says out of grace."""
    gave_up = Decline(attempts=8, retries_left=False)
    made = subscribe(shop, shop.customer(), status="unpaid", into_s=28 * DAY_S, last=gave_up)
    record(shop, made.customer, made)
    entitle(shop, made, status="grace")
    shop.expect("access_without_payment", made.customer, made.id)


def opened_by_hand(shop: Shop) -> None:
    """Left long ago after one month; somebody opened the product again, for a while."""
    made = subscribe(shop, shop.customer(), status="canceled", cycles=0, ended_ago_s=200 * DAY_S)
    record(shop, made.customer)
    entitle(shop, made, status="active", expires_at=moment(shop.now + 30 * DAY_S))
    shop.expect("access_without_payment", made.customer, made.id)


def paying_but_locked(shop: Shop) -> None:
    """Pays; the product was closed."""
    made = subscribe(shop, shop.customer())
    record(shop, made.customer, made)
    entitle(shop, made, status="ended")
    shop.expect("payment_without_access", made.id, made.customer)


def paying_but_expired(shop: Shop) -> None:
    """Pays; the product's access ran out five days ago."""
    made = subscribe(shop, shop.customer())
    record(shop, made.customer, made)
    entitle(shop, made, expires_at=moment(shop.now - 5 * DAY_S))
    shop.expect("payment_without_access", made.id, made.customer)


def paying_but_unknown(shop: Shop) -> None:
    """On trial; the product has never heard of it."""
    made = subscribe(shop, shop.customer(), status="trialing", cycles=0, into_s=5 * DAY_S)
    record(shop, made.customer, made)
    shop.expect("payment_without_access", made.id, made.customer)


def grace_is_over(shop: Shop) -> None:
    """Past due for 14 days; the product is still open."""
    failing = Decline(decline_code="insufficient_funds", attempts=4)
    made = subscribe(shop, shop.customer(), status="past_due", into_s=14 * DAY_S, last=failing)
    record(shop, made.customer, made)
    entitle(shop, made)
    shop.expect("grace_expired", made.id, made.customer)
    shop.expect("payment_failed", made.latest.invoice, made.customer)


def product_names_another_plan(shop: Shop) -> None:
    """Stripe bills pro, the product gives team."""
    made = subscribe(shop, shop.customer())
    record(shop, made.customer, made)
    entitle(shop, made, plan="team")
    shop.expect("plan_mismatch", made.id, made.customer)


def crm_names_another_plan(shop: Shop) -> None:
    """Stripe bills pro and the product gives it; the CRM says basic."""
    made = subscribe(shop, shop.customer())
    record(shop, made.customer, made, plan="basic")
    entitle(shop, made)
    shop.expect("plan_mismatch", made.id, made.customer)


def more_seats_than_paid(shop: Shop) -> None:
    """Stripe bills three seats, the product gives five."""
    made = subscribe(shop, shop.customer(), "team_month", quantity=3)
    record(shop, made.customer, made)
    entitle(shop, made, quantity=5)
    shop.expect("quantity_mismatch", made.id, made.customer)


def fewer_seats_than_paid(shop: Shop) -> None:
    """Stripe bills eight seats, the product gives four."""
    made = subscribe(shop, shop.customer(), "team_year", quantity=8, cycles=0, into_s=40 * DAY_S)
    record(shop, made.customer, made)
    entitle(shop, made, quantity=4)
    shop.expect("quantity_mismatch", made.id, made.customer)


def crm_says_churned(shop: Shop) -> None:
    """Pays and uses the product; the CRM counts it as lost."""
    made = subscribe(shop, shop.customer())
    record(shop, made.customer, made, status="churned")
    entitle(shop, made)
    shop.expect("crm_status_mismatch", made.customer, made.id)


def crm_says_active(shop: Shop) -> None:
    """Canceled and closed; the CRM still counts it as a customer."""
    made = subscribe(shop, shop.customer(), status="canceled", ended_ago_s=30 * DAY_S)
    record(shop, made.customer, made, status="active")
    entitle(shop, made)
    shop.expect("crm_status_mismatch", made.customer, made.id)


def missing_in_crm(shop: Shop) -> None:
    """Pays; no CRM has a record."""
    made = subscribe(shop, shop.customer())
    entitle(shop, made)
    shop.expect("crm_record_missing", made.customer, made.id)


def record_of_a_stranger(shop: Shop) -> None:
    """A record names a customer that Stripe has never had."""
    stranger = shop.id("cus")
    key = record(shop, stranger, plan="pro", status="active")
    shop.expect("stripe_customer_missing", key, stranger)


def record_of_a_deleted_customer(shop: Shop) -> None:
    """A record names a customer that was deleted in Stripe."""
    customer = shop.customer()
    gone = shop.change("customer", customer, delinquent=False)
    key = record(shop, customer, status="active")
    shop.account.delete("customer", customer)
    shop.tell("customer.deleted", gone, shop.now - 20 * DAY_S)
    shop.expect("stripe_customer_missing", key, customer)


def crm_counts_less(shop: Shop) -> None:
    """The CRM's revenue is 30 % below what Stripe bills."""
    made = subscribe(shop, shop.customer(), "team_month", quantity=4)
    less = major(made.monthly() * Decimal("0.7"), made.price["currency"])
    record(shop, made.customer, made, mrr=less)
    entitle(shop, made)
    shop.expect("revenue_mismatch", made.customer, made.id)


def crm_counts_in_the_wrong_unit(shop: Shop) -> None:
    """The CRM's revenue is a hundred times what Stripe bills: somebody wrote cents."""
    made = subscribe(shop, shop.customer())
    record(shop, made.customer, made, mrr=major(made.monthly() * 100, made.price["currency"]))
    entitle(shop, made)
    shop.expect("revenue_mismatch", made.customer, made.id)


def crm_counts_a_year_as_a_month(shop: Shop) -> None:
    """The CRM's revenue is a year's price where a month's should stand."""
    made = subscribe(shop, shop.customer(), "basic_year", cycles=0, into_s=60 * DAY_S)
    record(shop, made.customer, made, mrr=major(made.monthly() * 12, made.price["currency"]))
    entitle(shop, made)
    shop.expect("revenue_mismatch", made.customer, made.id)


def two_records(shop: Shop) -> None:
    """The CRM has one customer twice."""
    made = agreeing(shop)
    second = record(shop, made.customer, made)
    shop.expect("duplicate_record", made.customer, second)


def record_maps_another_account(shop: Shop) -> None:
    """The CRM says that the customer is another account's."""
    for other in shop.neighbours:
        made = subscribe(shop, shop.customer())
        key = record(shop, made.customer, made, stripe_account=other.account.id)
        entitle(shop, made)
        shop.expect("wrong_account", made.customer, key)
        return


def refunded_but_open(shop: Shop) -> None:
    """The latest payment was given back and the subscription ended; the product is still open."""
    made = subscribe(shop, shop.customer(), status="canceled", ended_ago_s=10 * DAY_S)
    refund(shop, made.latest, ago_s=9 * DAY_S)
    record(shop, made.customer, made)
    entitle(shop, made, status="active")
    shop.expect("refunded_with_access", made.latest.charge, made.customer)


def dispute_lost_but_open(shop: Shop) -> None:
    """The latest payment was lost in a dispute and the subscription ended; the product is still open."""
    made = subscribe(shop, shop.customer(), status="canceled", ended_ago_s=60 * DAY_S)
    lost = dispute(
        shop,
        made.latest,
        status="lost",
        due_by=shop.now - 40 * DAY_S,
        ago_s=55 * DAY_S,
        reason="product_not_received",
    )
    record(shop, made.customer, made)
    entitle(shop, made, status="active")
    shop.expect("dispute_lost_with_access", lost, made.latest.charge, made.customer)


def one_person_twice(shop: Shop) -> None:
    """One person pays as two customers."""
    email = f"{shop.id('twice').lower()}@example.com"
    pair = [subscribe(shop, shop.customer(email=email), plan) for plan in ("basic_month", "pro_month")]
    for made in pair:
        record(shop, made.customer, made)
        entitle(shop, made)
    first, second = sorted(made.customer for made in pair)
    shop.expect("duplicate_customer", first, second)


def one_person_in_two_accounts(shop: Shop) -> None:
    """One person pays in two accounts."""
    for other in shop.later_neighbours:
        email = f"{shop.id('both').lower()}@example.com"
        pair = []
        for each in (shop, other):
            made = subscribe(each, each.customer(email=email))
            record(each, made.customer, made)
            entitle(each, made)
            pair.append((each.account.id, made.customer, each))
        (_, first, home), (_, second, _) = sorted(pair, key=lambda found: found[:2])
        home.expect("duplicate_customer", first, second)
        return


def dispute_due_in_three_days(shop: Shop) -> None:
    made = agreeing(shop)
    disputed = dispute(shop, made.latest, due_by=shop.now + 3 * DAY_S)
    shop.expect("dispute_deadline", disputed, made.latest.charge)


def dispute_due_tomorrow(shop: Shop) -> None:
    made = agreeing(shop, "team_month", 5)
    due_by = shop.now + 20 * HOUR_S
    disputed = dispute(shop, made.latest, due_by=due_by, reason="product_not_received")
    shop.expect("dispute_deadline", disputed, made.latest.charge)


def dispute_past_due(shop: Shop) -> None:
    """Nobody answered, and Stripe has not closed it."""
    made = agreeing(shop)
    disputed = dispute(shop, made.latest, due_by=shop.now - 2 * DAY_S, ago_s=20 * DAY_S, past_due=True)
    shop.expect("dispute_deadline", disputed, made.latest.charge)


def dispute_without_a_deadline(shop: Shop) -> None:
    """An answer is needed and nobody knows until when."""
    made = agreeing(shop)
    disputed = dispute(shop, made.latest, due_by=None)
    shop.expect("dispute_deadline", disputed, made.latest.charge)


def dispute_with_evidence_only_staged(shop: Shop) -> None:
    """Evidence is there, but was not submitted."""
    made = agreeing(shop)
    disputed = dispute(shop, made.latest, due_by=shop.now + 2 * DAY_S, has_evidence=True, reason="general")
    shop.expect("dispute_deadline", disputed, made.latest.charge)


def inquiry_to_answer(shop: Shop) -> None:
    made = agreeing(shop)
    status = "warning_needs_response"
    disputed = dispute(shop, made.latest, due_by=shop.now + 4 * DAY_S, status=status, reason="general")
    shop.expect("dispute_deadline", disputed, made.latest.charge)


def dispute_that_takes_no_answer(shop: Shop) -> None:
    """`due_by` is 0: there is nothing to answer, but somebody should know."""
    made = agreeing(shop)
    disputed = dispute(shop, made.latest, due_by=0, reason="noncompliant")
    shop.expect("dispute_update", disputed, made.latest.charge)


def warned_of_fraud(shop: Shop) -> None:
    made = agreeing(shop)
    warning = warn(shop, made.latest)
    shop.expect("fraud_warning", made.latest.charge, warning)


def waiting_for_review(shop: Shop) -> None:
    made = agreeing(shop)
    opened = review(shop, made.latest)
    shop.expect("review_open", made.latest.charge, opened)


def _declined(shop: Shop, decline: Decline) -> None:
    made = subscribe(shop, shop.customer(), status="past_due", into_s=2 * DAY_S, last=decline)
    record(shop, made.customer, made)
    entitle(shop, made)
    shop.expect("payment_failed", made.latest.invoice, made.customer, made.id)


SHORT_OF_MONEY = Decline(decline_code="insufficient_funds", advice_code="try_again_later")


def short_of_money(shop: Shop) -> None:
    """Bucket temporary_failure."""
    _declined(shop, SHORT_OF_MONEY)


def card_expired(shop: Shop) -> None:
    """Bucket missing_payment_method."""
    advice = "confirm_card_data"
    _declined(shop, Decline("expired_card", "expired_card", advice_code=advice))


def bank_wants_to_see_them(shop: Shop) -> None:
    """Bucket authentication_needed."""
    code = "authentication_required"
    _declined(shop, Decline(code, code, intent="requires_action"))


def blocked_as_fraud(shop: Shop) -> None:
    """Bucket high_risk_churn."""
    blocked = Decline(
        decline_code="fraudulent", advice_code="do_not_try_again", outcome="blocked", risk_level="highest"
    )
    _declined(shop, replace(blocked, retries_left=False))


def declined_without_a_reason(shop: Shop) -> None:
    """Bucket unknown."""
    _declined(shop, Decline())


DISAGREEMENTS = (
    ended_but_open,
    paying_but_locked,
    product_names_another_plan,
    dispute_due_in_three_days,
    one_person_in_two_accounts,
    short_of_money,
    grace_is_over,
    more_seats_than_paid,
    crm_says_churned,
    missing_in_crm,
    crm_counts_less,
    two_records,
    record_of_a_stranger,
    record_maps_another_account,
    refunded_but_open,
    dispute_lost_but_open,
    one_person_twice,
    warned_of_fraud,
    waiting_for_review,
    dispute_due_tomorrow,
    card_expired,
    unpaid_but_open,
    paying_but_expired,
    crm_names_another_plan,
    crm_says_active,
    dispute_without_a_deadline,
    bank_wants_to_see_them,
    record_of_a_deleted_customer,
    crm_counts_in_the_wrong_unit,
    dispute_past_due,
    dispute_that_takes_no_answer,
    paying_but_unknown,
    fewer_seats_than_paid,
    blocked_as_fraud,
    inquiry_to_answer,
    crm_counts_a_year_as_a_month,
    opened_by_hand,
    dispute_with_evidence_only_staged,
    declined_without_a_reason,
)
