"""The planted world: the same for the same seed, whole in itself, and exactly as it says it is."""

from collections import defaultdict
from decimal import Decimal

import pytest

from accounts.sandbox import seeding
from accounts.sandbox.business.later import LATER
from accounts.sandbox.business.near_misses import CATCHES_UP_AFTER_S
from accounts.sandbox.business.opening import BEFORE_BASIL, PLATFORM
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import World, public
from tests.sandbox.annotations import departures
from tests.sandbox.oracle import standing

START = 1_800_000_000
DAY_S = 86_400
CLASSES = sorted({*BY_CLASS, "coupon", "discount"})


def planted(seed: int = 7, accounts: int = 3, customers: int = 50) -> World:
    world = World(seed, START, real=lambda: 0.0)
    seeding.plant(world, accounts, customers)
    return world


def contents(world: World) -> list[object]:
    shelves = [
        [cls, list(account.newest_first(cls))] for account in world.accounts.values() for cls in CLASSES
    ]
    return [shelves, world.crm, world.entitlements, world.planted]


@pytest.fixture(scope="module")
def world() -> World:
    return planted()


def test_the_same_seed_gives_the_same_world(world: World) -> None:
    assert contents(planted()) == contents(world)


def test_another_seed_gives_another_world(world: World) -> None:
    assert contents(planted(seed=8)) != contents(world)


def test_every_planted_object_has_the_shape_that_the_sdk_annotates(world: World) -> None:
    found = {
        line
        for account in world.accounts.values()
        for cls in CLASSES
        for each in account.newest_first(cls)
        for line in departures(public(each))
    }
    assert found == set()


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_what_is_planted_is_exactly_what_should_stand(seed: int) -> None:
    world = planted(seed, accounts=6, customers=90)
    world.clock.advance(CATCHES_UP_AFTER_S)
    expected = {(each.kind, each.account, each.subject) for each in world.planted if each.expected}
    assert standing(world) == expected


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_no_near_miss_stands(seed: int) -> None:
    world = planted(seed, accounts=6, customers=90)
    world.clock.advance(CATCHES_UP_AFTER_S)
    near = {(each.kind, each.account, each.subject) for each in world.planted if not each.expected}
    assert standing(world) & near == set()


def test_a_default_world_tells_every_story(world: World) -> None:
    told = {each.story for each in world.planted}
    assert {story.__name__ for story in seeding.STORIES} <= told


def test_every_kind_that_judgement_finds_is_planted_and_nearly_missed(world: World) -> None:
    of = {flag: {each.kind for each in world.planted if each.expected is flag} for flag in (True, False)}
    found_before_adoption = {
        "access_without_payment", "payment_without_access", "grace_expired", "plan_mismatch",
        "quantity_mismatch", "crm_status_mismatch", "crm_record_missing", "stripe_customer_missing",
        "revenue_mismatch", "duplicate_record", "wrong_account", "refunded_with_access",
        "dispute_lost_with_access", "duplicate_customer", "dispute_deadline", "dispute_update",
        "fraud_warning", "review_open", "payment_failed",
    }  # fmt: skip
    assert of[True] == found_before_adoption
    without_a_near_miss = {"wrong_account", "duplicate_record"}
    assert found_before_adoption - without_a_near_miss <= of[False]
    assert {"refund_failed", "payout_failed"} <= of[False]


def test_what_happens_later_adds_the_kinds_that_count_only_from_then_on() -> None:
    world = planted()
    world.clock.advance(3600)
    before = len(world.planted)
    seeding.unfold(world)
    stories = {story.__name__ for story in LATER}
    added = {each.kind for each in world.planted if each.expected and each.story in stories}
    assert len(world.planted) > before
    assert added == {
        "refund_failed",
        "payout_failed",
        "dispute_update",
        "dispute_lost_with_access",
        "unapproved_money_move",
        "dispute_deadline",
        "access_without_payment",
    }
    told = {
        event["type"]
        for account in world.accounts.values()
        for event in account.newest_first("event")
        if event["created"] == world.clock.now()
    }
    assert told >= {"refund.failed", "payout.failed", "charge.dispute.closed", "refund.created"}


def test_what_is_written_down_stays_exact_when_the_rest_unfolds() -> None:
    world = planted(accounts=6, customers=90)
    world.clock.advance(3600)
    seeding.unfold(world)
    only_by_history = {"refund_failed", "payout_failed", "unapproved_money_move"}
    expected = {
        (each.kind, each.account, each.subject)
        for each in world.planted
        if each.expected and each.kind not in only_by_history
        if (each.story, each.kind) != ("dispute_is_lost", "dispute_update")
    }
    assert standing(world) == expected


def test_money_is_coherent_in_every_account(world: World) -> None:
    for account in world.accounts.values():
        moved = {each["id"]: each for each in account.newest_first("balance_transaction")}
        for charge in account.newest_first("charge"):
            refunds = list(account.newest_first("refund", charge=charge["id"]))
            refunded = sum(each["amount"] for each in refunds if each["status"] != "failed")
            assert charge["amount_refunded"] == refunded <= charge["amount"]
            assert charge["refunded"] == (refunded == charge["amount"])
            intent = account.get("payment_intent", charge["payment_intent"])
            assert intent is not None
            assert intent["latest_charge"] == charge["id"]
            if charge["paid"]:
                assert moved[charge["balance_transaction"]]["amount"] == charge["amount"]
        for dispute in account.newest_first("dispute"):
            charge_of = account.get("charge", dispute["charge"])
            assert charge_of is not None
            assert charge_of["disputed"]
        for invoice in account.newest_first("invoice"):
            assert invoice["total"] == sum(line["amount"] for line in invoice["lines"]["data"])
            paid = account.newest_first("invoice_payment", invoice=invoice["id"])
            assert sum(each["amount_paid"] or 0 for each in paid) == invoice["amount_paid"]


def test_a_payout_pays_what_moved_in_its_week(world: World) -> None:
    for account in world.accounts.values():
        members: dict[str, int] = defaultdict(int)
        for moved in account.newest_first("balance_transaction"):
            if moved.get("_payout") and moved["type"] != "payout":
                members[moved["_payout"]] += moved["net"]
        paid = {each["id"]: each["amount"] for each in account.newest_first("payout", status="paid")}
        assert paid == members


def test_nothing_happens_before_its_customer_exists_or_after_now(world: World) -> None:
    for account in world.accounts.values():
        since = {each["id"]: each["created"] for each in account.newest_first("customer")}
        for cls in ("subscription", "invoice", "charge", "refund"):
            for each in account.newest_first(cls):
                assert since.get(each["customer"], 0) <= each["created"] <= START


def test_events_tell_of_the_last_thirty_days_only(world: World) -> None:
    for account in world.accounts.values():
        times = [event["created"] for event in account.newest_first("event")]
        if account.id != PLATFORM.id:
            assert len(times) > 50
        assert all(START - 30 * DAY_S <= time <= START for time in times)


def test_an_account_that_never_upgraded_tells_of_itself_in_its_old_version(world: World) -> None:
    account = next(each for each in world.accounts.values() if each.api_version == BEFORE_BASIL)
    told = next(each for each in account.newest_first("event") if each["type"] == "invoice.paid")
    assert told["api_version"] == BEFORE_BASIL
    assert "parent" not in told["data"]["object"]
    assert told["data"]["object"]["subscription"].startswith("sub_")


def test_accounts_are_live_except_one_and_a_platform_opens_those_without_keys() -> None:
    world = planted(accounts=4, customers=5)
    by_slug = {account.slug: account for account in world.accounts.values()}
    assert [slug for slug, account in by_slug.items() if not account.livemode] == ["acme-test"]
    assert by_slug["acme-jp"].platform == PLATFORM.id
    assert by_slug["acme-jp"].keys == {}
    assert by_slug["acme-platform"].count("customer") == 0
    for account in world.accounts.values():
        prefix = "rk_live_" if account.livemode else "rk_test_"
        assert all(value.startswith(prefix) for value in account.keys)
        assert account.platform or len(account.keys) == 2


def test_prices_follow_their_currencies() -> None:
    world = planted(accounts=7, customers=1)
    monthly = {
        account.currency: next(account.newest_first("price", lookup_key="pro_month"))["unit_amount"]
        for account in world.accounts.values()
    }
    assert monthly["eur"] == 4900
    assert monthly["jpy"] == 7350
    assert monthly["kwd"] == 14700
    assert monthly["kwd"] % 10 == 0
    recorded = [each["mrr"] for each in world.crm if each["currency"] == "JPY"]
    assert all(Decimal(mrr) == int(mrr) for mrr in recorded)


def test_an_empty_world_can_be_planted() -> None:
    world = planted(accounts=0, customers=0)
    assert contents(world) == [[], [], [], []]


def test_an_endpoint_hears_nothing_until_somebody_listens(world: World) -> None:
    fresh = planted(accounts=1, customers=1)
    account = next(iter(fresh.accounts.values()))
    assert [each["status"] for each in account.newest_first("webhook_endpoint")] == ["disabled"]
    seeding.listen(fresh, "http://127.0.0.1:9/")
    endpoint = next(account.newest_first("webhook_endpoint"))
    assert endpoint["status"] == "enabled"
    assert endpoint["url"] == "http://127.0.0.1:9/webhooks/stripe/acme-eu"
    assert endpoint["_secret"].startswith("whsec_")


def test_many_subscriptions_are_each_their_own() -> None:
    world = planted(accounts=1, customers=0)
    account = next(iter(world.accounts.values()))
    seeding.plant_many_subscriptions(account, 500)
    found = list(account.newest_first("subscription"))
    assert len({each["customer"] for each in found}) == len({each["created"] for each in found}) == 500
    assert departures(found[0]) == departures(found[-1]) == []
    assert found[0]["created"] == START
