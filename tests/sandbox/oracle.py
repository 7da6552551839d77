"""A plain reading of what should stand, straight from the world's own books: slow, without events, history or settling.

It exists to prove that the list of planted cases is exact: complete, and without one too many.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.money import Money
from accounts.sandbox.world import StripeAccount, World

Json = dict[str, Any]
Case = tuple[str, str, str]  # kind, account, subject

DAY_S = 86_400
LIVE = ("active", "trialing", "past_due")
LETS_IN = ("active", "grace")
COUNTS_AS_CUSTOMER = ("active", "trial")
GRACE_S = 7 * DAY_S
WINDOW_S = 11 * DAY_S  # seven business days are at most so many
A_MONTH = {"week": Decimal(52) / 12, "month": Decimal(1), "year": Decimal(1) / 12}


def standing(world: World) -> set[Case]:
    books = [Books(world, account) for account in world.accounts.values()]
    return {case for each in books for case in each.cases()} | set(_persons(books)) | set(_records(world))


class Books:
    """One account's objects by customer."""

    def __init__(self, world: World, account: StripeAccount) -> None:
        self.account = account
        self.now = world.clock.now()
        self.customers = {each["id"]: each for each in account.newest_first("customer")}
        self.subscriptions = _by_customer(account, "subscription")
        self.invoices = _by_customer(account, "invoice")
        self.charges = _by_customer(account, "charge")
        self.disputes = {each["charge"]: each for each in account.newest_first("dispute")}
        self.entitled = defaultdict(list)
        for each in world.entitlements:
            if each["stripe_account"] == account.id and self._lets_in(each):
                self.entitled[each["stripe_customer"]].append(each)
        self.recorded = defaultdict(list)
        self.known = {each["stripe_customer"] for each in world.crm}
        for each in sorted(world.crm, key=lambda record: str(record["key"])):
            if each["stripe_account"] == account.id and each["stripe_customer"] in self.customers:
                self.recorded[each["stripe_customer"]].append(each)

    def live(self, customer: str) -> list[Json]:
        return [each for each in self.subscriptions[customer] if each["status"] in LIVE]

    def cases(self) -> Iterator[Case]:
        for customer in self.customers:
            for kind, subject in self._of_customer(customer):
                yield kind, self.account.id, subject
        for kind, subject in self._of_payments():
            yield kind, self.account.id, subject

    def _lets_in(self, entitlement: Json) -> bool:
        until = entitlement["expires_at"]
        gone = until is not None and datetime.fromisoformat(until).timestamp() <= self.now
        return entitlement["status"] in LETS_IN and not gone

    def _of_customer(self, customer: str) -> Iterator[tuple[str, str]]:
        live, access, records = self.live(customer), self.entitled[customer], self.recorded[customer]
        if access:
            yield from self._explained(customer, bool(live))
        for subscription in live:
            yield from self._of_subscription(subscription, access, records[0] if records else None)
        if live and customer not in self.known:
            yield "crm_record_missing", customer
        if len(records) > 1:
            yield "duplicate_record", customer
        if records:
            status = records[0]["status"]
            if (status == "churned" and live) or (status in COUNTS_AS_CUSTOMER and not live and not access):
                yield "crm_status_mismatch", customer
            if self._revenue_differs(customer, records[0]):
                yield "revenue_mismatch", customer

    def _explained(self, customer: str, live: bool) -> Iterator[tuple[str, str]]:
        paid = [each for each in self.charges[customer] if each["paid"]]
        dispute = self.disputes.get(paid[0]["id"]) if paid else None
        if dispute and dispute["status"] == "lost":
            yield "dispute_lost_with_access", dispute["id"]
        elif paid and paid[0]["refunded"]:
            yield "refunded_with_access", paid[0]["id"]
        elif not live:
            yield "access_without_payment", customer

    def _of_subscription(
        self, subscription: Json, access: list[Json], record: Json | None
    ) -> Iterator[tuple[str, str]]:
        id_, paused = subscription["id"], subscription["pause_collection"] is not None
        item = subscription["items"]["data"][0]
        plan = item["price"]["lookup_key"].rpartition("_")[0]
        invoices = [
            each
            for each in self.invoices[subscription["customer"]]
            if each["parent"]["subscription_details"]["subscription"] == id_
        ]
        if not access:
            if subscription["status"] != "past_due" and not paused:
                yield "payment_without_access", id_
            return
        same_plan = [each for each in access if each["plan"] == plan]
        plans = {
            each["items"]["data"][0]["price"]["lookup_key"].rpartition("_")[0]
            for each in self.live(subscription["customer"])
        }
        if not same_plan or (record and record["plan"] and record["plan"] not in plans):
            yield "plan_mismatch", id_
        if any(each["quantity"] != item["quantity"] for each in same_plan):
            yield "quantity_mismatch", id_
        unpaid_since = [each["created"] for each in invoices if each["status"] == "open"]
        if subscription["status"] == "past_due" and self.now - min(unpaid_since) > GRACE_S:
            yield "grace_expired", id_
        if invoices[0]["status"] == "open" and invoices[0]["attempt_count"] and not paused:
            yield "payment_failed", invoices[0]["id"]

    def _revenue_differs(self, customer: str, record: Json) -> bool:
        active = [each for each in self.subscriptions[customer] if each["status"] == "active"]
        items = [each["items"]["data"][0] for each in active]
        if not active or any(each["pause_collection"] for each in active):
            return False
        if any(each["price"]["recurring"]["usage_type"] == "metered" for each in items):
            return False
        billed = sum(
            each["items"]["data"][0]["price"]["unit_amount"]
            * each["items"]["data"][0]["quantity"]
            * A_MONTH[each["items"]["data"][0]["price"]["recurring"]["interval"]]
            * self._left_for_ever(each)
            for each in active
        )
        currency = active[0]["currency"]
        recorded = Money.from_major(record["mrr"], record["currency"] or currency).amount_minor
        tolerance = max(Money.from_major("1.00", currency).amount_minor, billed * Decimal("0.05"))
        return bool(abs(recorded - billed) > tolerance)

    def _left_for_ever(self, subscription: Json) -> Decimal:
        left = Decimal(1)
        for id_ in subscription["discounts"]:
            discount = self.account.get("discount", id_)
            assert discount is not None
            coupon = self.account.get("coupon", discount["source"]["coupon"])
            assert coupon is not None
            if coupon["duration"] == "forever":
                left *= 1 - Decimal(str(coupon["percent_off"])) / 100
        return left

    def _of_payments(self) -> Iterator[tuple[str, str]]:
        for dispute in self.disputes.values():
            details = dispute["evidence_details"]
            due_by = details["due_by"]
            if dispute["status"] not in ("needs_response", "warning_needs_response"):
                continue
            if due_by == 0:
                yield "dispute_update", dispute["id"]
            elif not details["submission_count"] and (due_by is None or due_by - self.now < WINDOW_S):
                yield "dispute_deadline", dispute["id"]
        for warning in self.account.newest_first("radar.early_fraud_warning"):
            charge = self.account.get("charge", warning["charge"])
            assert charge is not None
            if warning["actionable"] and not charge["amount_refunded"] and not charge["disputed"]:
                yield "fraud_warning", charge["id"]
        for review in self.account.newest_first("review", open=True):
            yield "review_open", review["charge"]


def _by_customer(account: StripeAccount, cls: str) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for each in account.newest_first(cls):
        found[each["customer"]].append(each)
    return found


def _persons(books: list[Books]) -> Iterator[Case]:
    """One person pays twice: the case stands on the smallest of their customers."""
    paying = defaultdict(list)
    for each in books:
        for id_, customer in each.customers.items():
            if each.live(id_):
                paying[each.account.livemode, customer["email"]].append((each.account.id, id_))
    for found in paying.values():
        if len(found) > 1:
            yield "duplicate_customer", *min(found)


def _records(world: World) -> Iterator[Case]:
    """Records that name nobody, or the wrong account."""
    homes = {
        customer["id"]: account.id
        for account in world.accounts.values()
        for customer in account.newest_first("customer")
    }
    for record in world.crm:
        home = homes.get(record["stripe_customer"])
        if home is None:
            yield "stripe_customer_missing", record["stripe_account"], record["key"]
        elif home != record["stripe_account"]:
            yield "wrong_account", home, record["stripe_customer"]
