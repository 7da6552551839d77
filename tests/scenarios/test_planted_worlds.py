"""Risks, failed payments and money moves in whole pretend worlds: everything planted is found, and nothing else.

The objects are read straight from the world's books, so that this tells about the rules alone and not about reading.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.facts import Entitlement, Record, Subject
from accounts.sandbox import seeding
from accounts.sandbox.business.later import LATER
from accounts.sandbox.business.near_misses import CATCHES_UP_AFTER_S
from accounts.sandbox.world import StripeAccount, World, public
from accounts.stripe.decoding import Decoding
from accounts.stripe.resources import BY_NAME
from accounts.stripe.shapes import Dispute
from daemon.core.judge import judge
from daemon.core.model import (
    AccessWords,
    AccountFacts,
    CrmWords,
    Estate,
    Facts,
    Filed,
    Kind,
    Policy,
    Source,
    moment,
)

START = 1_800_000_000
DAY_S = 86_400
OURS = frozenset(
    {
        Kind.DISPUTE_DEADLINE, Kind.DISPUTE_UPDATE, Kind.FRAUD_WARNING, Kind.REVIEW_OPEN, Kind.PAYOUT_FAILED,
        Kind.REFUND_FAILED, Kind.PAYMENT_FAILED, Kind.UNAPPROVED_MONEY_MOVE,
    }
)  # fmt: skip
FIELDS = {
    "subscriptions": "subscriptions",
    "invoices": "invoices",
    "invoice_payments": "invoice_payments",
    "payment_intents": "payment_intents",
    "charges": "charges",
    "refunds": "refunds",
    "disputes": "disputes",
    "early_fraud_warnings": "fraud_warnings",
    "reviews": "reviews",
    "payouts": "payouts",
}
BUCKETS = {
    "short_of_money": "temporary_failure",
    "card_expired": "missing_payment_method",
    "bank_wants_to_see_them": "authentication_needed",
    "blocked_as_fraud": "high_risk_churn",
    "declined_without_a_reason": "unknown",
}
Case = tuple[str, str, str]
Seen = dict[tuple[Source, str], frozenset[str]]


@pytest.fixture(scope="module", params=[7, 8, 9])
def world(request: pytest.FixtureRequest) -> World:
    made = World(request.param, START, real=lambda: 0.0)
    seeding.plant(made, 6, 90)
    made.clock.advance(CATCHES_UP_AFTER_S)
    return made


def test_what_is_planted_is_found_and_nothing_else(world: World) -> None:
    found = {case for case, _ in standing(world)}

    assert found == expected(world)
    assert found  # a world without stories would prove nothing


def test_every_failed_payment_is_in_its_storys_bucket(world: World) -> None:
    story = {each.subject: each.story for each in world.planted if each.kind == Kind.PAYMENT_FAILED}
    buckets = {case[2]: bucket for case, bucket in standing(world) if case[0] == Kind.PAYMENT_FAILED}

    told = {story[subject]: bucket for subject, bucket in buckets.items() if story[subject] in BUCKETS}
    assert told == {name: BUCKETS[name] for name in told}
    assert len(told) > 2


@pytest.mark.parametrize("seed", [7, 8])
def test_what_happens_after_the_first_look_is_found_too(seed: int) -> None:
    world = World(seed, START, real=lambda: 0.0)
    seeding.plant(world, 6, 90)
    world.clock.advance(CATCHES_UP_AFTER_S)
    adopted, seen = world.clock.now(), watched(world)
    world.clock.advance(DAY_S // 24)

    seeding.unfold(world)

    later = [each.kind for each in world.planted if each.story in {story.__name__ for story in LATER}]
    assert {Kind.REFUND_FAILED, Kind.PAYOUT_FAILED, Kind.DISPUTE_UPDATE, Kind.UNAPPROVED_MONEY_MOVE} <= set(
        later
    )
    assert {case for case, _ in standing(world, adopted, seen)} == expected(world)


def expected(world: World) -> set[Case]:
    return {
        (each.kind, each.account, each.subject)
        for each in world.planted
        if each.expected and each.kind in OURS
    }


def standing(
    world: World, adopted: int | None = None, seen: Seen | None = None
) -> Iterator[tuple[Case, str | None]]:
    now = world.clock.now()
    policy = Policy()
    since = reached(seen, watched(world), moment(now)) if seen else {}
    for account in seeding.planted_accounts(world):
        for facts in everything(world, account, moment(now if adopted is None else adopted), since):
            for each in judge(facts, policy, moment(now)).wanted:
                found = each.disagreement
                if found.kind in OURS:
                    yield (found.kind.value, account.id, found.per[1]), found.bucket


def watched(world: World) -> Seen:
    """The states that a look sees, of all of which a rule asks since when."""
    return {
        (source, each.id): states(each)
        for account in seeding.planted_accounts(world)
        for source in (Source.DISPUTES, Source.REFUNDS, Source.PAYOUTS)
        for each in decoded(account, source.value)
    }


def states(one: Any) -> frozenset[str]:
    answers = one.evidence_details.submission_count if isinstance(one, Dispute) else 0
    return frozenset({one.status, *(f"submitted:{number}" for number in range(1, answers + 1))})


def reached(before: Seen, after: Seen, now: datetime) -> dict[tuple[Source, str, str], datetime]:
    """What a later look sees to be otherwise."""
    return {
        (*key, state): now for key, now_in in after.items() if key in before for state in now_in - before[key]
    }


def everything(
    world: World, account: StripeAccount, adopted: datetime, since: Mapping[tuple[Source, str, str], datetime]
) -> Iterator[Facts]:
    """The facts of every subject of an account."""
    words = AccountFacts(
        account.slug,
        account.id,
        account.livemode,
        adopted=adopted,
        settle=timedelta(0),
        crm=CrmWords("crm", ("churned",), ("active", "trial")),
        entitlements=AccessWords("app", ("active", "grace")),
    )
    objects = {name: decoded(account, name) for name in (*FIELDS, "customers")}
    customer_of = owners(objects)
    parts: dict[str | None, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for name, field in FIELDS.items():
        for each in objects[name]:
            parts[customer_of(each)][field].append(each)
    estate = Estate((words,))
    customers = {each.id: each for each in objects["customers"]}
    for owner, own in parts.items():
        objects_of: dict[str, Any] = {field: tuple(read) for field, read in own.items()}
        common: dict[str, Any] = {"account": words, "estate": estate, "reached": since}
        if owner is None:
            for payout in objects["payouts"]:
                yield Facts(subject=Subject(account.slug, "payout", payout.id), **common, **objects_of)
            continue
        yield Facts(
            subject=Subject(account.slug, "customer", owner),
            customer=customers.get(owner),
            records=tuple(record(each) for each in world.crm if each["stripe_customer"] == owner),
            entitlements=tuple(
                entitlement(each) for each in world.entitlements if each["stripe_customer"] == owner
            ),
            **common,
            **objects_of,
        )


def decoded(account: StripeAccount, name: str) -> list[Any]:
    resource = BY_NAME[name]
    decoding = Decoding(b"k" * 32)
    return [
        decoding.one(resource.shape, json.dumps(public(each)).encode())
        for each in account.newest_first(resource.type)
    ]


def owners(objects: Mapping[str, list[Any]]) -> Any:
    of_charge = {each.id: each.customer for each in objects["charges"]}
    of_invoice = {each.id: each.customer for each in objects["invoices"]}

    def customer_of(one: Any) -> str | None:
        if getattr(one, "customer", None) is not None:
            return str(one.customer)
        return of_charge.get(getattr(one, "charge", None)) or of_invoice.get(getattr(one, "invoice", None))

    return customer_of


def record(known: Mapping[str, Any]) -> Filed:
    return Filed(
        "crm",
        Record(
            known["key"],
            stripe_customer=known["stripe_customer"],
            stripe_account=known["stripe_account"],
            status=known["status"],
            plan=known["plan"],
            mrr=Decimal(known["mrr"]) if known["mrr"] else None,
            currency=known["currency"],
        ),
    )


def entitlement(known: Mapping[str, Any]) -> Entitlement:
    until = known["expires_at"]
    return Entitlement(
        known["key"],
        stripe_customer=known["stripe_customer"],
        stripe_account=known["stripe_account"],
        feature=known["feature"],
        plan=known["plan"],
        status=known["status"],
        quantity=known["quantity"],
        expires_at=datetime.fromisoformat(until) if until else None,
    )
