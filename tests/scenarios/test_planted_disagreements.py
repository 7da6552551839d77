"""Disagreements in whole pretend worlds: every planted one is found, and nothing else stands.

The objects are read straight from the world's books, so that this tells about the rules alone and not about reading.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from accounts.facts import Subject
from accounts.sandbox import seeding
from accounts.sandbox.business.near_misses import CATCHES_UP_AFTER_S
from accounts.sandbox.world import StripeAccount, World
from accounts.stripe.decoding import Decoding
from accounts.stripe.resources import BY_NAME
from daemon.core.judge import judge
from daemon.core.model import (
    DISAGREEMENTS,
    AccessWords,
    AccountFacts,
    CrmWords,
    Estate,
    Facts,
    Neighbour,
    PlanNames,
    Policy,
    Source,
    moment,
)
from tests.scenarios.test_planted_worlds import START, decoded, entitlement, owners, record

DAY_S = 86_400
PARTS = ("subscriptions", "invoices", "charges", "refunds", "disputes")
NAMES = PlanNames(pattern=re.compile(r"^(?P<plan>.+)_(week|month|year)$"))
SEVERAL = (*PARTS, "records", "entitlements", "same_person")
Case = tuple[str, str, str]


@pytest.fixture(scope="module", params=[3, 7, 11])
def world(request: pytest.FixtureRequest) -> World:
    made = World(request.param, START, real=lambda: 0.0)
    seeding.plant(made, 6, 110)
    made.clock.advance(CATCHES_UP_AFTER_S)
    return made


def test_what_is_planted_is_found_and_nothing_else(world: World) -> None:
    planted = expected(world)

    assert set(standing(world)) == planted
    assert {kind for kind, _, _ in planted} == DISAGREEMENTS


def test_what_happens_later_is_found_too(world: World) -> None:
    world.clock.advance(DAY_S // 24)
    seeding.unfold(world)

    assert set(standing(world)) == expected(world)


def test_an_unreadable_crm_leaves_all_that_does_not_read_it(world: World) -> None:
    reads_crm = {"plan_mismatch", "revenue_mismatch", "crm_status_mismatch", "crm_record_missing",
                 "stripe_customer_missing", "duplicate_record", "wrong_account"}  # fmt: skip

    blind = set(standing(world, unread=frozenset({Source.CRM})))

    assert blind == {case for case in expected(world) if case[0] not in reads_crm}


def test_the_order_in_which_things_were_read_changes_no_word(world: World) -> None:
    now = moment(world.clock.now())
    for facts in everything(world):
        parts = {name: getattr(facts, name) for name in SEVERAL}
        backwards = replace(facts, **{name: part[::-1] for name, part in parts.items()})

        def said(known: Facts) -> dict[str, str]:
            wanted = judge(known, Policy(), now).wanted
            return {each.fingerprint: each.disagreement.digest("") for each in wanted}

        assert said(backwards) == said(facts)


def expected(world: World) -> set[Case]:
    return {
        (each.kind, each.account, each.subject)
        for each in world.planted
        if each.expected and each.kind in DISAGREEMENTS and each.kind != "duplicate_customer"
    } | {
        (each.kind, each.account, " ".join(sorted({each.subject, *each.ids})))
        for each in world.planted
        if each.expected and each.kind == "duplicate_customer"
    }


def standing(world: World, unread: frozenset[Source] = frozenset()) -> Iterator[Case]:
    now = moment(world.clock.now())
    for facts in everything(world):
        seen = replace(facts, unread=unread, estate=Estate(facts.estate.accounts, frozenset(Source) - unread))
        for each in judge(seen, Policy(), now).wanted:
            found = each.disagreement
            if found.kind not in DISAGREEMENTS:
                continue
            name = found.per[1]
            if found.per[0] == "person":
                name = " ".join(sorted(one for one in found.object_ids if one.startswith("cus_")))
            yield found.kind.value, facts.account.stripe_account, name


def everything(world: World) -> Iterator[Facts]:
    """The facts of every customer that any system names, in every account."""
    for livemode in (True, False):
        accounts = [each for each in seeding.planted_accounts(world) if each.livemode == livemode]
        estate = Estate(tuple(words_of(each) for each in accounts), frozenset(Source))
        customers = {each.id: {one.id: one for one in decoded(each, "customers")} for each in accounts}
        parts = {each.id: parts_of(each) for each in accounts}
        persons = neighbours(customers, parts)
        for account, words in zip(accounts, estate.accounts, strict=True):
            named = [row["stripe_customer"] for row in (*world.crm, *world.entitlements)
                     if row["stripe_account"] == account.id]  # fmt: skip
            for customer in sorted({*customers[account.id], *named}):
                yield facts_of(world, words, estate, customer, customers, parts, persons)


def facts_of(
    world: World,
    words: AccountFacts,
    estate: Estate,
    id: str,
    customers: Mapping[str, Mapping[str, Any]],
    parts: Mapping[str, Mapping[str, Mapping[str, list[Any]]]],
    persons: Mapping[str, list[Neighbour]],
) -> Facts:
    account = words.stripe_account
    customer = customers[account].get(id)
    same_person = persons[customer.email] if customer is not None and customer.email else []
    elsewhere = [other for other in customers if other != account and id in customers[other]]
    objects: dict[str, Any] = {name: tuple(found) for name, found in parts[account].get(id, {}).items()}
    return Facts(
        subject=Subject(words.slug, "customer", id),
        account=words,
        estate=estate,
        customer=customer,
        records=tuple(record(row) for row in world.crm if row["stripe_customer"] == id),
        entitlements=tuple(
            entitlement(row)
            for row in world.entitlements
            if row["stripe_customer"] == id and row["stripe_account"] == account
        ),
        person=customer.email if customer is not None else None,
        same_person=tuple(each for each in same_person if (each.stripe_account, each.id) != (account, id)),
        same_id=tuple(Neighbour(other, id) for other in elsewhere),
        **objects,
    )


def neighbours(
    customers: Mapping[str, Mapping[str, Any]], parts: Mapping[str, Mapping[str, Mapping[str, list[Any]]]]
) -> dict[str, list[Neighbour]]:
    found: dict[str, list[Neighbour]] = defaultdict(list)
    for account, known in customers.items():
        for customer in known.values():
            subscriptions = parts[account].get(customer.id, {}).get("subscriptions", [])
            paying = any(each.status in ("active", "trialing", "past_due") for each in subscriptions)
            found[customer.email].append(Neighbour(account, customer.id, paying=paying))
    return found


def words_of(account: StripeAccount) -> AccountFacts:
    return AccountFacts(
        account.slug,
        account.id,
        account.livemode,
        settle=timedelta(0),
        plans=NAMES,
        crm=CrmWords("crm", ("churned",), ("active", "trial")),
        entitlements=AccessWords("app", ("active", "grace")),
    )


def parts_of(account: StripeAccount) -> dict[str, dict[str, list[Any]]]:
    objects = {name: decoded(account, name) for name in (*PARTS, "invoice_payments")}
    objects["subscriptions"] = [with_coupons(account, each) for each in objects["subscriptions"]]
    customer_of = owners(objects)
    parts: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for name in PARTS:
        for each in objects[name]:
            parts[customer_of(each)][name].append(each)
    return parts


def with_coupons(account: StripeAccount, subscription: Any) -> Any:
    """As if its discounts had been asked for with their coupons."""
    if not subscription.discounts:
        return subscription
    whole = []
    for each in subscription.discounts:
        discount = dict(account.get("discount", each.id) or {})
        source = discount["source"] | {"coupon": account.get("coupon", discount["source"]["coupon"])}
        whole.append(discount | {"source": source})
    raw = {
        name: value
        for name, value in (account.get("subscription", subscription.id) or {}).items()
        if name[0] != "_"
    }
    return Decoding(b"k" * 32).one(
        BY_NAME["subscriptions"].shape, json.dumps(raw | {"discounts": whole}).encode()
    )
