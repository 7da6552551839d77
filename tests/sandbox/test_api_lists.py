"""Lists: newest first, paged by object, narrowed only by what each list knows."""

from importlib import import_module
from typing import Any

import pytest
import stripe

from accounts.sandbox import objects
from accounts.sandbox.stripe.resources import RESOURCES, Resource
from tests.sandbox.shop import LINES, Shop

T0 = 1_790_000_000
PAGING = {"limit", "starting_after", "ending_before", "expand"}


@pytest.fixture
def payouts(shop: Shop) -> Shop:
    """Thirty more payouts, three in each second, put in any order."""
    for number in (*range(0, 30, 2), *range(1, 30, 2)):
        shop.put(
            objects.payout(
                f"po_{number:03d}",
                created=T0 + number // 3,
                amount=1,
                currency="usd",
                balance_transaction=None,
            )
        )
    return shop


def ids(page: dict[str, Any]) -> list[str]:
    return [each["id"] for each in page["data"]]


def page(shop: Shop, path: str) -> dict[str, Any]:
    answered = shop.get(path)
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


def refused(shop: Shop, path: str, status: int = 400) -> dict[str, Any]:
    answered = shop.get(path)
    assert answered.status_code == status, answered.text
    error: dict[str, Any] = answered.json()["error"]
    assert error["type"] == "invalid_request_error"
    return error


def test_a_list_is_newest_first_and_ten_long(payouts: Shop) -> None:
    first = page(payouts, "/v1/payouts")
    created = [each["created"] for each in first["data"]]
    assert len(created) == 10
    assert created == sorted(created, reverse=True)
    assert first["has_more"] is True
    assert first["url"] == "/v1/payouts"


def test_paging_forward_meets_every_object_once(payouts: Shop) -> None:
    seen: list[str] = []
    after = ""
    while True:
        found = page(payouts, f"/v1/payouts?limit=7{after}")
        seen += ids(found)
        if not found["has_more"]:
            break
        after = f"&starting_after={seen[-1]}"
    assert len(seen) == len(set(seen)) == 31


def test_paging_backward_ends_at_the_newest(payouts: Shop) -> None:
    forward = ids(page(payouts, "/v1/payouts?limit=100"))
    found = page(payouts, f"/v1/payouts?limit=4&ending_before={forward[10]}")
    assert ids(found) == forward[6:10]
    assert found["has_more"] is True
    assert page(payouts, f"/v1/payouts?limit=4&ending_before={forward[3]}")["has_more"] is False


def test_objects_that_arrive_during_paging_do_not_shift_the_cursor(payouts: Shop) -> None:
    first = ids(page(payouts, "/v1/payouts?limit=5"))
    before = ids(page(payouts, f"/v1/payouts?limit=5&starting_after={first[-1]}"))
    new = objects.payout("po_new", created=payouts.now(), amount=1, currency="usd", balance_transaction=None)
    payouts.put(new)
    assert ids(page(payouts, f"/v1/payouts?limit=5&starting_after={first[-1]}")) == before


def test_an_object_that_changes_keeps_its_place(payouts: Shop) -> None:
    before = ids(page(payouts, "/v1/payouts?limit=100"))
    payouts.change("payout", before[12], status="failed")
    assert ids(page(payouts, "/v1/payouts?limit=100")) == before
    assert before[12] in ids(page(payouts, "/v1/payouts?status=failed"))
    assert before[12] not in ids(page(payouts, "/v1/payouts?status=paid&limit=100"))


@pytest.mark.parametrize(
    ("window", "seconds"),
    [
        (f"created={T0 + 4}", {4}),
        (f"created[gte]={T0 + 2}&created[lt]={T0 + 5}", {2, 3, 4}),
        (f"created[gt]={T0 + 2}&created[lte]={T0 + 5}", {3, 4, 5}),
        (f"created[lt]={T0 + 1}&created[gte]={T0 - 1}", {0}),
    ],
)
def test_created_narrows_by_whole_seconds(window: str, seconds: set[int], payouts: Shop) -> None:
    found = page(payouts, f"/v1/payouts?limit=100&{window}")["data"]
    assert {each["created"] - T0 for each in found} == seconds
    assert len(found) == 3 * len(seconds)


def test_a_cursor_works_inside_the_window_it_came_from(payouts: Shop) -> None:
    window = f"created[gte]={T0}&created[lt]={T0 + 10}"
    first = ids(page(payouts, f"/v1/payouts?limit=20&{window}"))
    rest = page(payouts, f"/v1/payouts?limit=20&{window}&starting_after={first[-1]}")
    assert len({*first, *ids(rest)}) == 30
    assert rest["has_more"] is False


@pytest.mark.parametrize("window", ["created[gte]={0}&created[lt]={1}", "created[lt]={0}", "created[gt]={0}"])
def test_a_cursor_whose_second_the_window_was_tightened_around_yields_an_empty_page(
    window: str, payouts: Shop
) -> None:
    second = T0 + 5
    cursor = ids(page(payouts, f"/v1/payouts?created={second}"))[0]
    found = page(payouts, f"/v1/payouts?{window.format(second, second + 1)}&starting_after={cursor}")
    assert found["data"] == []


@pytest.mark.parametrize("cursor", ["starting_after", "ending_before"])
def test_an_unknown_cursor_is_refused(cursor: str, shop: Shop) -> None:
    error = refused(shop, f"/v1/charges?{cursor}=ch_gone")
    assert error["code"] == "resource_missing"
    assert error["param"] == cursor
    assert error["message"] == "No such charge: 'ch_gone'"


def test_two_cursors_at_once_are_refused(shop: Shop) -> None:
    refused(shop, "/v1/charges?starting_after=ch_1&ending_before=ch_2")


@pytest.mark.parametrize("limit", ["0", "101", "ten", "-1"])
def test_a_limit_outside_1_to_100_is_refused(limit: str, shop: Shop) -> None:
    assert refused(shop, f"/v1/charges?limit={limit}")["param"] == "limit"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/disputes?status=needs_response", "status"),
        ("/v1/payment_intents?status=succeeded", "status"),
        ("/v1/refunds?status=pending", "status"),
        ("/v1/reviews?open=false", "open"),
        ("/v1/payment_links?created=5", "created"),
        ("/v1/balance_transactions?available_on=5", "available_on"),
        ("/v1/charges?created[since]=5", "created[since]"),
        ("/v1/customers?updated[gte]=5", "updated"),
        ("/v1/charges/ch_1?status=x", "status"),
    ],
)
def test_a_filter_that_a_list_does_not_know_is_refused(path: str, parameter: str, shop: Shop) -> None:
    error = refused(shop, path)
    assert error["code"] == "parameter_unknown"
    assert error["message"] == f"Received unknown parameter: {parameter}"


@pytest.mark.parametrize("resource", [each for each in RESOURCES if each.listed], ids=lambda each: each.cls)
def test_a_list_knows_exactly_the_filters_of_the_official_library(resource: Resource) -> None:
    path, _, name = resource.cls.rpartition(".")
    module = import_module(f"stripe.params{f'.{path}' if path else ''}._{name}_list_params")
    declared = vars(module)[f"{name.title().replace('_', '')}ListParams"].__annotations__
    known = {*resource.filters, *(("created",) if resource.timed else ())}
    assert known == set(declared) - PAGING - set(stripe.RequestOptions.__annotations__)


def test_an_unknown_status_is_refused_and_names_the_known_ones(shop: Shop) -> None:
    assert "must be one of" in refused(shop, "/v1/invoices?status=failed")["message"]


def test_subscriptions_leave_out_canceled_ones_unless_asked(shop: Shop) -> None:
    def found(query: str) -> set[str]:
        return set(ids(page(shop, f"/v1/subscriptions{query}")))

    assert found("") == {"sub_1", "sub_paused"}
    assert found("?customer=cus_1&price=price_1") == {"sub_1", "sub_paused"}
    assert found("?status=all") == {"sub_1", "sub_paused", "sub_canceled"}
    assert found("?status=canceled") == {"sub_canceled"}
    shop.change("subscription", "sub_paused", status="incomplete_expired")
    assert found("?status=ended") == {"sub_canceled", "sub_paused"}
    assert found("?status=active&customer=cus_2") == set()


def test_subscriptions_of_a_deleted_customer_are_found_by_status_canceled_alone(shop: Shop) -> None:
    shop.client().v1.customers.delete("cus_1")
    assert page(shop, "/v1/subscriptions?status=all")["data"] == []
    found = page(shop, "/v1/subscriptions?status=canceled")["data"]
    assert {each["id"] for each in found} == {"sub_1", "sub_paused", "sub_canceled"}
    assert "_orphaned" not in found[0]


def test_subscriptions_are_narrowed_by_their_period(shop: Shop) -> None:
    end = shop.look("subscription", "sub_1")["items"]["data"][0]["current_period_end"]
    assert len(page(shop, f"/v1/subscriptions?current_period_end[lte]={end}")["data"]) == 2
    assert page(shop, f"/v1/subscriptions?current_period_end[lt]={end}")["data"] == []


def test_a_hash_narrows_by_its_parts(shop: Shop) -> None:
    assert len(page(shop, "/v1/prices?recurring[interval]=month")["data"]) == 2
    assert page(shop, "/v1/prices?recurring[interval]=year")["data"] == []
    assert len(page(shop, "/v1/subscriptions?automatic_tax[enabled]=false")["data"]) == 2
    assert len(page(shop, "/v1/invoice_payments?payment[type]=payment_intent")["data"]) == 2
    assert refused(shop, "/v1/invoice_payments?payment[payment_intent]=pi_1")["param"] == "payment[type]"


def test_reviews_list_only_open_ones(shop: Shop) -> None:
    assert ids(page(shop, "/v1/reviews")) == ["prv_1"]
    shop.change("review", "prv_1", open=False)
    assert page(shop, "/v1/reviews")["data"] == []
    assert shop.get("/v1/reviews/prv_1").json()["open"] is False


def test_active_entitlements_are_asked_by_customer(shop: Shop) -> None:
    error = refused(shop, "/v1/entitlements/active_entitlements")
    assert error["code"] == "parameter_missing"
    found = page(shop, "/v1/entitlements/active_entitlements?customer=cus_1")["data"]
    assert found == [objects.active_entitlement("ent_1", feature="feat_1", lookup_key="api")]
    assert page(shop, "/v1/entitlements/active_entitlements?customer=cus_2")["data"] == []


def test_archived_features_are_listed_apart(shop: Shop) -> None:
    shop.change("entitlements.feature", "feat_2", active=False)
    assert ids(page(shop, "/v1/entitlements/features")) == ["feat_1"]
    assert ids(page(shop, "/v1/entitlements/features?archived=true")) == ["feat_2"]


def test_several_filters_hold_at_once(shop: Shop) -> None:
    assert ids(page(shop, "/v1/invoices?status=open&subscription=sub_1&customer=cus_1")) == [
        "in_refused",
        "in_open",
    ]
    assert page(shop, "/v1/invoices?status=open&subscription=sub_2")["data"] == []


def test_a_long_list_inside_an_object_shows_ten_and_has_its_own_pages(shop: Shop) -> None:
    lines = page(shop, "/v1/invoices/in_paid")["lines"]
    assert len(lines["data"]) == 10
    assert lines["has_more"] is True
    listed = next(each for each in page(shop, "/v1/invoices")["data"] if each["id"] == "in_paid")
    assert listed["lines"] == lines
    rest = page(shop, f"{lines['url']}?limit=100&starting_after={lines['data'][-1]['id']}")
    assert len(lines["data"]) + len(rest["data"]) == LINES
    assert rest["has_more"] is False
    backward = page(shop, f"{lines['url']}?limit=3&ending_before={rest['data'][0]['id']}")
    assert ids(backward) == [each["id"] for each in lines["data"][-3:]]


def test_a_deleted_customer_is_not_listed_but_answers_as_deleted(shop: Shop) -> None:
    shop.client().v1.customers.delete("cus_1")
    assert page(shop, "/v1/customers")["data"] == []
    assert page(shop, "/v1/customers/cus_1") == {"id": "cus_1", "object": "customer", "deleted": True}
    expanded = page(shop, "/v1/charges/ch_1?expand[]=customer")["customer"]
    assert expanded == {"id": "cus_1", "object": "customer", "deleted": True}


def test_what_was_never_there_is_a_404(shop: Shop) -> None:
    error = refused(shop, "/v1/charges/ch_gone", 404)
    assert error["code"] == "resource_missing"


def test_an_unknown_path_is_a_404_of_its_own_kind(shop: Shop) -> None:
    assert "Unrecognized request URL (GET: /v1/chargez)" in refused(shop, "/v1/chargez", 404)["message"]


class TestExpansion:
    def test_four_levels_are_followed_and_five_refused(self, shop: Shop) -> None:
        expanded = page(shop, "/v1/invoices/in_paid?expand[]=payments.data.payment.payment_intent")
        assert expanded["payments"]["data"][0]["payment"]["payment_intent"]["id"] == "pi_1"
        error = refused(shop, "/v1/invoices?expand[]=data.payments.data.payment.payment_intent")
        assert "more than 4 levels" in error["message"]

    def test_a_page_of_lists_is_expanded_through_data(self, shop: Shop) -> None:
        found = page(
            shop, "/v1/invoice_payments?invoice=in_paid&expand[]=data.payment.payment_intent.latest_charge"
        )
        assert found["data"][0]["payment"]["payment_intent"]["latest_charge"]["id"] == "ch_1"
        refused(shop, "/v1/charges?expand[]=customer")

    def test_refunds_of_a_charge_are_there_only_when_asked_for(self, shop: Shop) -> None:
        for _ in range(12):
            shop.client().v1.refunds.create({"charge": "ch_1", "amount": 1})
        assert "refunds" not in page(shop, "/v1/charges/ch_1")
        refunds = page(shop, "/v1/charges/ch_1?expand[]=refunds")["refunds"]
        assert len(refunds["data"]) == 10
        assert refunds["has_more"] is True

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/charges/ch_1?expand[]=amount",
            "/v1/charges/ch_1?expand[]=customer.email",
            "/v1/charges?customer=cus_nobody&expand[]=data.wallet",
            "/v1/invoices/in_open?expand[]=parent",
        ],
    )
    def test_what_cannot_be_expanded_is_refused_even_where_there_is_nothing(
        self, path: str, shop: Shop
    ) -> None:
        assert "cannot be expanded" in refused(shop, path)["message"]

    def test_an_unknown_expansion_is_refused_before_anything_is_written(self, shop: Shop) -> None:
        answered = shop.post("/v1/refunds", "charge=ch_1&amount=5&expand[]=wallet")
        assert answered.status_code == 400
        assert shop.look("charge", "ch_1")["amount_refunded"] == 0

    def test_an_expansion_needs_the_permission_to_read_what_it_shows(self, shop: Shop) -> None:
        key = "rk_live_chargesonly00"
        permissions = frozenset({"rak_charge_read"})
        shop.sandbox.on_loop(lambda: shop.account.add_key(key, permissions))
        assert shop.get("/v1/charges/ch_1?expand[]=refunds", key).status_code == 200
        answered = shop.get("/v1/charges?expand[]=data.customer", key)
        assert answered.status_code == 403
        assert "'rak_customer_read'" in answered.json()["error"]["message"]


def test_an_older_api_version_gets_the_older_shapes(shop: Shop) -> None:
    old = "2024-06-20"
    subscription = shop.get("/v1/subscriptions/sub_1", stripe_version=old).json()
    item = subscription["items"]["data"][0]
    assert (
        subscription["current_period_end"]
        == shop.look("subscription", "sub_1")["items"]["data"][0]["current_period_end"]
    )
    assert "current_period_end" not in item
    listed = shop.get("/v1/invoices?expand[]=data.payments", stripe_version=old).json()["data"]
    paid = next(each for each in listed if each["id"] == "in_paid")
    assert (paid["subscription"], paid["paid"], paid["payment_intent"]) == ("sub_1", True, "pi_1")
    assert paid["charge"] == "ch_1"
    assert "parent" not in paid
    assert shop.get("/v1/charges/ch_1", stripe_version=old).json()["invoice"] == "in_paid"
    assert shop.get("/v1/payment_intents/pi_2", stripe_version=old).json()["invoice"] is None
    today = shop.get("/v1/subscriptions/sub_1").json()
    assert "current_period_end" not in today
