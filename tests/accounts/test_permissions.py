"""What a key may not do pauses just that; a key that is gone stops just that account."""

import httpx
import pytest

from accounts.budget import Purpose
from accounts.errors import Forbidden, Unauthorized
from accounts.stripe.permissions import RETRY_S, Missing, Permissions
from accounts.stripe.reads import Reader
from accounts.stripe.resources import (
    BY_NAME,
    RESOURCES,
    WRITES,
    key_link,
    read_permissions,
    write_permissions,
)
from metrics.catalog import REGISTRY
from tests.accounts.building import Clock, reader, refusal, respond

CUSTOMERS, CHARGES, SUBSCRIPTIONS = BY_NAME["customers"], BY_NAME["charges"], BY_NAME["subscriptions"]
EMPTY = {"object": "list", "data": [], "has_more": False}


class Stripe:
    """Lists are empty; what is in `closed` needs a permission that the key does not have."""

    def __init__(self) -> None:
        self.closed: dict[str, str] = {}
        self.revoked = False
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.revoked:
            return refusal(401, "api_key_expired")(request)
        needed = self.closed.get(request.url.path)
        if needed is None and "expand[]" in request.url.params:
            needed = self.closed.get("expand")
        if needed is not None:
            return refusal(403, "more_permissions_required", f"Having the '{needed}' permission would")(
                request
            )
        return respond(EMPTY)


def sweep(read: Reader, *resources: str) -> None:
    for name in resources:
        list(read.pages(BY_NAME[name], purpose=Purpose.SWEEP))


def test_c4_a_missing_permission_pauses_one_resource_and_recovers_by_itself() -> None:
    clock, stripe = Clock(), Stripe()
    permissions = Permissions("here", clock=clock)
    read = reader(stripe, clock=clock, permissions=permissions)
    stripe.closed["/v1/charges"] = "rak_charge_read"

    for _ in range(10):
        with pytest.raises(Forbidden, match=r"Account here: .*charges.*rak_charge_read"):
            sweep(read, "charges")
        sweep(read, "customers")

    assert stripe.asked.count("/v1/charges") == 1  # no storm of retries
    assert stripe.asked.count("/v1/customers") == 10
    [missing] = permissions.missing()
    assert (missing.resource, missing.permissions) == ("charges", ("rak_charge_read",))

    del stripe.closed["/v1/charges"]
    clock.s += RETRY_S
    sweep(read, "charges", "charges")
    assert permissions.missing() == ()


def test_while_it_is_missing_it_is_tried_again_now_and_then() -> None:
    clock, stripe = Clock(), Stripe()
    read = reader(stripe, clock=clock)
    stripe.closed["/v1/charges"] = "rak_charge_read"
    for _ in range(20):
        with pytest.raises(Forbidden):
            sweep(read, "charges")
        clock.s += RETRY_S / 10
    assert len(stripe.asked) == 2


def test_what_only_comes_inside_is_left_out_where_only_that_is_not_permitted() -> None:
    clock, stripe = Clock(), Stripe()
    permissions = Permissions("here", clock=clock)
    read = reader(stripe, clock=clock, permissions=permissions)
    stripe.closed["expand"] = "rak_coupon_read"
    sweep(read, "subscriptions", "subscriptions")
    assert len(stripe.asked) == 3
    assert [one.resource for one in permissions.missing()] == ["coupons"]
    del stripe.closed["expand"]
    clock.s += RETRY_S
    sweep(read, "subscriptions")
    assert permissions.missing() == ()


def test_c6_a_key_that_is_gone_is_not_used_again_until_a_new_one_is_loaded() -> None:
    clock, stripe = Clock(), Stripe()
    permissions = Permissions("here", clock=clock)
    read = reader(stripe, clock=clock, permissions=permissions)
    stripe.revoked = True
    for name in ("customers", "charges", "customers"):
        with pytest.raises(Unauthorized, match="api_key_expired"):
            sweep(read, name)
        clock.s += 10 * RETRY_S
    assert len(stripe.asked) == 1
    assert not permissions.usable
    assert REGISTRY.get_sample_value("reconciled_account_key_usable", {"account": "here"}) == 0

    other = reader(Stripe(), permissions=Permissions("there"))
    sweep(other, "customers", "charges")

    stripe.revoked = False
    renewed = reader(stripe, clock=clock, permissions=Permissions("here", clock=clock))
    sweep(renewed, "customers")


def test_a_known_refusal_is_raised_anew_each_time() -> None:
    permissions = Permissions("here", clock=Clock())
    first = Forbidden("No.", permissions=("rak_x_read",), account="here")
    permissions.refused("charges", first)
    with pytest.raises(Forbidden) as raised:
        permissions.admit("charges")
    assert raised.value is not first
    assert (str(raised.value), raised.value.permissions) == ("Account here: No.", ("rak_x_read",))
    assert permissions.missing() == (Missing("charges", ("rak_x_read",), "Account here: No."),)


def test_of_many_that_find_a_permission_missing_one_tries_again_and_the_others_wait() -> None:
    clock = Clock()
    permissions = Permissions("here", clock=clock)
    permissions.refused("charges", Forbidden("No."))
    clock.s += RETRY_S
    permissions.admit("charges")
    assert not permissions.admits("charges")


def test_the_minimal_permissions_are_in_the_link_that_creates_a_key() -> None:
    link = key_link(read_permissions(), "reconciled acme-eu")
    assert link.startswith(
        "https://dashboard.stripe.com/apikeys/create?name=reconciled+acme-eu&permissions[0]=rak_"
    )
    for resource in RESOURCES:
        assert (
            not resource.permissions
            or any(name in link for name in resource.permissions)
            or (
                resource.name
                in {"account", "webhook_endpoints", "features", "active_entitlements", "balance"}
            )
        )
    assert "write" not in link
    assert set(write_permissions(["refund"])) == {"rak_refund_write"}
    assert all(name.endswith("_write") for write in WRITES.values() for name in write.permissions)


def test_every_resource_says_what_is_lost_without_it() -> None:
    for resource in RESOURCES:
        assert resource.without.endswith(".")
        assert resource.without[0].isupper() or resource.without.startswith("`")
