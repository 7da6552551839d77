"""Reading a pretend Stripe over real HTTP: every resource whole, by the right key, whatever happens meanwhile."""

import gc
import tracemalloc
from typing import Any

import pytest

from accounts.budget import Purpose
from accounts.errors import (
    Forbidden,
    Malformed,
    RateLimited,
    Unauthorized,
    Unproven,
    Unreachable,
    WrongAccount,
)
from accounts.facts import Address
from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from accounts.stripe import shapes
from accounts.stripe.decoding import Deleted
from accounts.stripe.permissions import RETRY_S
from accounts.stripe.resources import BY_NAME, RESOURCES, Resource
from tests.accounts.building import Opened, opened
from tests.sandbox.shop import Shop, open_shop

SWEEP = Purpose.SWEEP
LISTED = [resource for resource in RESOURCES if resource.listed]


def permissions(*but: str) -> frozenset[str]:
    return frozenset(name for resource in RESOURCES for name in resource.permissions) - set(but)


def ids(here: Opened, resource: Resource, **filters: Any) -> list[str]:
    pages = here.reader().pages(resource, purpose=SWEEP, **filters)
    return [one.id for page in pages for one in page.items]


@pytest.mark.parametrize("resource", LISTED, ids=lambda resource: resource.name)
def test_every_list_is_read_whole_and_every_object_by_its_address(
    resource: Resource, shop: Shop, here: Opened
) -> None:
    filters: dict[str, Any] = {resource.required: "cus_1"} if resource.required else {}
    read = here.reader()
    pages = list(read.pages(resource, purpose=SWEEP, **filters))
    assert not [page.unreadable for page in pages if page.unreadable]
    found = {one.id for page in pages for one in page.items}
    there = {
        each["id"] for each in shop.sandbox.on_loop(lambda: list(shop.account.newest_first(resource.type)))
    }
    assert found == there != set()
    for page in pages:
        for one in page.items:
            assert read.one(Address(resource.type, one.id), purpose=Purpose.LOOK) == one


def test_what_there_is_one_of_is_read_too(shop: Shop, here: Opened) -> None:
    account = here.reader().the(BY_NAME["account"], purpose=SWEEP)
    assert (account.id, account.country) == (shop.account.id, "US")
    balance = here.reader().the(BY_NAME["balance"], purpose=SWEEP)
    assert isinstance(balance, shapes.Balance)


def test_b1_canceled_subscriptions_are_read_too(here: Opened) -> None:
    """Trap B1: Stripe leaves them out unless it is asked."""
    statuses = {
        one.status
        for page in here.reader().pages(BY_NAME["subscriptions"], purpose=SWEEP)
        for one in page.items
    }
    assert statuses == {"active", "paused", "canceled"}


def test_a15_an_account_of_an_old_api_version_is_read_in_todays_shape(shop: Shop, here: Opened) -> None:
    """Trap A15: the account's version is not ours."""
    shop.sandbox.on_loop(lambda: setattr(shop.account, "api_version", "2020-08-27"))
    read = here.reader()
    subscription = read.one(Address("subscription", "sub_1"), purpose=Purpose.LOOK)
    assert subscription.period_end is not None
    assert read.one(Address("invoice", "in_open"), purpose=Purpose.LOOK).subscription == "sub_1"


def test_b3_b4_many_objects_of_one_second_are_all_read(shop: Shop, here: Opened) -> None:
    """Traps B3 and B4: a cursor in the middle of a second."""

    def crowd() -> None:
        for number in range(950):
            shop.account.put(
                objects.customer(
                    f"cus_crowd{number}", created=1_790_000_000, name="", email="", currency="usd"
                )
            )

    shop.sandbox.on_loop(crowd)
    assert len(set(ids(here, BY_NAME["customers"]))) == 951
    there = here.reader().pages(
        BY_NAME["customers"], purpose=SWEEP, created_gte=1_790_000_000, created_lt=1_790_000_001
    )
    assert sum(len(page.items) for page in there) == 950


def test_b5_b6_objects_that_come_and_go_while_a_list_is_read_lose_no_other(shop: Shop, here: Opened) -> None:
    """Traps B5 and B6: a list that changes while it is read."""

    def put(first: int, last: int) -> None:
        for number in range(first, last):
            created = 1_790_000_000 + number
            shop.account.put(
                objects.customer(f"cus_b{number:04d}", created=created, name="", email="", currency="usd")
            )

    shop.sandbox.on_loop(lambda: put(0, 450))
    seen: list[str] = []
    for page in here.reader().pages(BY_NAME["customers"], purpose=SWEEP):
        seen += [one.id for one in page.items]
        last = page.last_id or ""
        if page.has_more:
            shop.sandbox.on_loop(lambda last=last: shop.account.delete("customer", last))  # type: ignore[misc]
            shop.sandbox.on_loop(lambda: put(450, 460))
    assert {f"cus_b{number:04d}" for number in range(450)} <= set(seen)
    assert len(seen) - len(set(seen)) <= 1 * 4


def test_b7_a_subscription_of_more_items_than_stripe_shows_is_read_with_all(shop: Shop, here: Opened) -> None:
    """Trap B7: a list inside an object."""
    whole = shop.look("subscription", "sub_1")
    [item] = whole["items"]["data"]
    whole["items"]["data"] = [item | {"id": f"si_{number:02d}"} for number in range(25)]
    shop.put(whole)
    read = here.reader()
    one = read.one(Address("subscription", "sub_1"), purpose=Purpose.LOOK)
    assert {each.id for each in one.items.data} == {f"si_{number:02d}" for number in range(25)}
    listed = next(iter(read.pages(BY_NAME["subscriptions"], purpose=SWEEP))).items
    assert one in listed
    assert not [each.id for each in listed if each.items.has_more]


def test_the_terms_of_every_discount_are_known_wherever_it_is_granted(shop: Shop, here: Opened) -> None:
    """On the subscription, on one of its items, on the customer: Stripe shows the coupon's id alone."""
    half = objects.coupon("half", created=5, percent_off=50.0, duration="forever")
    granted = objects.discount("di_1", coupon="half", customer="cus_1", subscription=None, start=9)
    whole = shop.look("subscription", "sub_1")
    [item] = whole["items"]["data"]
    whole["items"]["data"] = [item | {"discounts": ["di_1"]}]
    for each in (half, granted, whole | {"discounts": ["di_1"]}):
        shop.put(each)
    shop.put(shop.look("customer", "cus_1") | {"discount": granted})
    read = here.reader()
    for name in ("customer", "subscription"):
        one = read.one(Address(name, f"{name[:3]}_1"), purpose=Purpose.LOOK)
        assert one in [o for page in read.pages(BY_NAME[f"{name}s"], purpose=SWEEP) for o in page.items]
        if name == "customer":
            discounts = [one.discount]
        else:
            discounts = [*one.discounts, *one.items.data[0].discounts]
            assert len(discounts) == 2
        assert all(each.coupon.percent_off == 50 and each.coupon.duration == "forever" for each in discounts)


def test_a_coupon_that_may_not_be_read_hides_no_customer(shop: Shop, here: Opened) -> None:
    granted = objects.discount("di_1", coupon="half", customer="cus_1", subscription=None, start=9)
    shop.put(objects.coupon("half", created=5, percent_off=50.0, duration="forever"))
    shop.put(granted)
    shop.put(shop.look("customer", "cus_1") | {"discount": granted})
    there = ids(here, BY_NAME["customers"])
    shop.sandbox.on_loop(
        lambda: setattr(shop.account.keys[shop.key], "permissions", permissions("rak_coupon_read"))
    )
    assert ids(here, BY_NAME["customers"]) == there != []
    assert [one.resource for one in here.permissions.missing()] == ["coupons"]


def test_a_filter_may_name_several(shop: Shop, here: Opened) -> None:
    read = here.reader()
    pages = list(
        read.pages(BY_NAME["events"], purpose=Purpose.POLL, types=("customer.updated", "payout.paid"))
    )
    assert {one.type for page in pages for one in page.items} == {"customer.updated"}
    assert next(read.pages(BY_NAME["events"], purpose=Purpose.POLL, types=("payout.paid",))).items == []
    misuses: tuple[dict[str, Any], ...] = ({"status": "open"}, {"created_lt": 5, "starting_after": "evt_1"})
    for wrong in misuses:
        with pytest.raises(ValueError, match=r"status|window"):
            read.page(BY_NAME["disputes"], purpose=Purpose.POLL, **wrong)


def test_a9_what_is_gone_is_absent_and_what_was_deleted_is_deleted(shop: Shop, here: Opened) -> None:
    """Trap A9: two ways not to be there."""
    read = here.reader()
    shop.sandbox.on_loop(lambda: shop.account.delete("customer", "cus_1"))
    assert read.one(Address("customer", "cus_1"), purpose=Purpose.LOOK) == Deleted("cus_1")
    assert read.one(Address("customer", "cus_never"), purpose=Purpose.LOOK) is None


def test_a_key_is_proven_in_each_of_the_three_ways(shop: Shop, here: Opened) -> None:
    assert here.prove().by == "account"
    shop.sandbox.on_loop(
        lambda: setattr(
            shop.account.keys[shop.key], "permissions", permissions("rak_accounts_kyc_basic_read")
        )
    )
    assert here.prove().by == "refusal"
    assert here.prove(Address("customer", "cus_1")).by == "refusal"


def test_c8_the_key_of_another_account_is_refused_and_nothing_is_read_with_it(
    shop: Shop, sandbox: Sandbox
) -> None:
    other = open_shop(sandbox)
    with opened(sandbox.url, shop.account.id, other.key) as wrong:
        with pytest.raises(WrongAccount, match=f"belongs to {other.account.id}"):
            wrong.prove()
        sandbox.on_loop(lambda: setattr(other.account.keys[other.key], "permissions", frozenset()))
        with pytest.raises(WrongAccount, match=f"belongs to {other.account.id}"):
            wrong.prove()
    assert sandbox.on_loop(lambda: set(other.account.reads)) <= {"/v1/account"}


def test_a_platforms_key_opens_its_connected_accounts_and_no_others(sandbox: Sandbox, shop: Shop) -> None:
    platform = open_shop(sandbox)
    connected = open_shop(sandbox, platform=platform.account.id)
    with opened(sandbox.url, connected.account.id, platform.key, owner=platform.account.id) as there:
        read = there.reader()
        assert read.one(Address("customer", "cus_1"), purpose=Purpose.LOOK) is not None
        assert sandbox.on_loop(lambda: connected.account.reads.total()) > 0
    with (
        opened(sandbox.url, shop.account.id, platform.key, owner=platform.account.id) as foreign,
        pytest.raises(Unproven, match="Connect"),
    ):
        foreign.prove()


def test_c4_a_degraded_permission_names_itself_and_recovers(shop: Shop, here: Opened) -> None:
    read = here.reader()

    def allow(names: frozenset[str] | None) -> None:
        shop.sandbox.on_loop(lambda: setattr(shop.account.keys[shop.key], "permissions", names))

    allow(permissions("rak_dispute_read"))
    for _ in range(3):
        with pytest.raises(Forbidden, match="rak_dispute_read"):
            list(read.pages(BY_NAME["disputes"], purpose=SWEEP))
        assert list(read.pages(BY_NAME["charges"], purpose=SWEEP))
    assert [one.resource for one in here.permissions.missing()] == ["disputes"]
    assert shop.sandbox.on_loop(lambda: shop.account.reads["/v1/disputes"]) == 1

    allow(None)
    here.permissions_clock.s += RETRY_S
    assert list(read.pages(BY_NAME["disputes"], purpose=SWEEP))
    assert here.permissions.missing() == ()


def test_c6_a_revoked_key_stops_at_once_and_a_new_one_goes_on(shop: Shop, here: Opened) -> None:
    read = here.reader()
    shop.sandbox.on_loop(lambda: setattr(shop.account.keys[shop.key], "expired", True))
    for _ in range(3):
        with pytest.raises(Unauthorized, match="api_key_expired"):
            list(read.pages(BY_NAME["charges"], purpose=SWEEP))
    assert not here.permissions.usable
    new = "rk_live_newnewnewnew"
    shop.sandbox.on_loop(lambda: shop.account.add_key(new))
    with opened(shop.sandbox.url, shop.account.id, new) as again:
        assert list(again.reader().pages(BY_NAME["charges"], purpose=SWEEP))


@pytest.mark.parametrize(
    ("dial", "value", "expected"),
    [
        ("outage", "drop", Unreachable), ("outage", "503", Unreachable), ("outage", "html", (Malformed, Unreachable)),
        ("storm_reason", "global-rate", RateLimited),
        ("malformed_answers", 1, Malformed), ("truncated_answers", 1, Unreachable),
        ("gigantic_answers", 1, Malformed),
    ],
)  # fmt: skip
def test_a_stripe_in_trouble_is_an_error_of_ours_and_never_absence(
    dial: str, value: object, expected: type[Exception], shop: Shop, here: Opened
) -> None:
    read = here.reader()
    shop.sandbox.on_loop(lambda: setattr(shop.account.faults, dial, value))
    with pytest.raises(expected):
        read.one(Address("customer", "cus_1"), purpose=Purpose.LOOK)
    shop.sandbox.on_loop(shop.account.faults.clear)
    assert read.one(Address("customer", "cus_1"), purpose=Purpose.LOOK) is not None


def test_reads_are_counted_as_stripe_counts_them(shop: Shop, here: Opened) -> None:
    read = here.reader()
    for resource in ("customers", "charges", "events"):
        list(read.pages(BY_NAME[resource], purpose=SWEEP))
    assert here.connection._budget.used == shop.sandbox.on_loop(lambda: shop.account.reads.total())


def test_b11_a_long_list_is_complete_and_takes_no_more_memory_than_a_short_one(
    shop: Shop, here: Opened
) -> None:
    """Trap B11: reading."""

    def grow(first: int, last: int) -> None:
        template = shop.account.get("subscription", "sub_1") or {}
        for number in range(first, last):
            shop.account.put(template | {"id": f"sub_many{number:05d}", "created": 1_700_000_000 + number})

    def peak() -> int:
        gc.collect()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        count = sum(len(page.items) for page in read.pages(BY_NAME["subscriptions"], purpose=SWEEP))
        assert count == shop.count("subscription")
        return tracemalloc.get_traced_memory()[1] - before

    shop.sandbox.on_loop(lambda: grow(0, 400))
    with opened(shop.sandbox.url, shop.account.id, shop.key, raised=1_000.0) as here:
        read = here.reader()
        tracemalloc.start()
        try:
            peak()  # what is allocated once
            short = peak()
            shop.sandbox.on_loop(lambda: grow(400, 4_000))
            long = peak()
        finally:
            tracemalloc.stop()
    assert long < short * 1.5
