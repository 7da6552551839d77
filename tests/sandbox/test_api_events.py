"""Events: found by type, kept for thirty days, seen with a delay where that is dialled, and thin ones beside them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.sandbox.server import Sandbox
from tests.sandbox.shop import Shop, open_shop


@pytest.fixture
def own() -> Iterator[Shop]:
    """A shop whose clock may be moved, where a refund has just been made."""
    with Sandbox.start(accounts=0) as sandbox:
        shop = open_shop(sandbox)
        shop.client().v1.refunds.create({"charge": "ch_1", "amount": 100})
        yield shop


def types(shop: Shop, query: str = "") -> list[str]:
    answered = shop.get(f"/v1/events{query}")
    assert answered.status_code == 200, answered.text
    return [each["type"] for each in answered.json()["data"]]


def test_events_are_found_by_type_by_wildcard_and_by_several_types(own: Shop) -> None:
    assert types(own) == ["charge.refunded", "refund.created", "customer.updated"]
    assert types(own, "?type=refund.created") == ["refund.created"]
    assert types(own, "?type=charge.*") == ["charge.refunded"]
    assert types(own, "?types[]=refund.created&types[]=customer.updated") == [
        "refund.created",
        "customer.updated",
    ]


def test_type_and_types_at_once_and_more_than_20_types_are_refused(own: Shop) -> None:
    assert own.get("/v1/events?type=a&types[]=b").status_code == 400
    assert own.get("/v1/events?" + "&".join(f"types[]=t{each}" for each in range(21))).status_code == 400
    assert own.get("/v1/events?" + "&".join(f"types[]=t{each}" for each in range(20))).status_code == 200


def test_an_event_is_kept_for_thirty_days(own: Shop) -> None:
    event = own.get("/v1/events").json()["data"][0]
    thin = own.get("/v2/core/events").json()["data"][0]
    own.sandbox.advance("29d")
    assert event["type"] in types(own)
    own.sandbox.advance("25h")
    assert types(own) == ["charge.dispute.closed"]
    assert own.get(f"/v1/events/{event['id']}").status_code == 404
    assert own.get(f"/v2/core/events/{thin['id']}").status_code == 404
    assert len(own.get("/v2/core/events").json()["data"]) == 1
    cursor = own.get(f"/v1/events?ending_before={event['id']}")
    assert cursor.json()["error"]["code"] == "resource_missing"


def test_events_can_become_visible_late_and_out_of_their_order(own: Shop) -> None:
    faults = own.account.faults
    own.sandbox.on_loop(lambda: setattr(faults, "events_visible_after_s", 60))
    own.sandbox.on_loop(lambda: setattr(faults, "events_delayed_every", 2))
    own.client().v1.refunds.create({"charge": "ch_1", "amount": 1})
    assert types(own)[0] in ("charge.refunded", "refund.created")
    assert len(types(own)) == 4
    assert len(own.get("/v2/core/events").json()["data"]) == 4
    own.sandbox.advance("61s")
    assert types(own)[:2] == ["charge.refunded", "refund.created"]
    assert len(types(own)) == 5


def test_undelivered_events_are_found_as_such(own: Shop) -> None:
    event = own.get("/v1/events?type=refund.created").json()["data"][0]
    own.change("event", event["id"], pending_webhooks=1)
    assert types(own, "?delivery_success=false") == ["refund.created"]
    assert "refund.created" not in types(own, "?delivery_success=true")


def test_an_event_shows_the_object_as_it_was(own: Shop) -> None:
    own.change("charge", "ch_1", description="changed later")
    event = own.get("/v1/events?type=charge.refunded").json()["data"][0]
    assert event["data"]["object"]["description"] is None
    assert "_visible_at" not in event


def test_an_event_is_rendered_in_the_accounts_own_api_version(own: Shop) -> None:
    own.sandbox.on_loop(lambda: setattr(own.account, "api_version", "2024-06-20"))
    own.post("/v1/subscriptions/sub_1", "metadata[a]=b")
    event = own.get(
        "/v1/events?type=customer.subscription.updated", Stripe_Version="2026-10-28.endive"
    ).json()
    assert event["data"][0]["api_version"] == "2024-06-20"
    assert "current_period_end" in event["data"][0]["data"]["object"]


class TestThinEvents:
    def test_a_thin_event_points_at_the_object_and_at_its_twin(self, own: Shop) -> None:
        thin = own.get("/v2/core/events?types[]=v1.refund.created").json()["data"]
        twin = own.get("/v1/events?type=refund.created").json()["data"][0]
        assert len(thin) == 1
        assert thin[0]["snapshot_event"] == twin["id"]
        assert thin[0]["related_object"]["id"] == twin["data"]["object"]["id"]
        assert own.get(thin[0]["related_object"]["url"]).status_code == 200
        assert own.get(f"/v2/core/events/{thin[0]['id']}").json() == thin[0]

    def test_thin_events_are_paged_by_the_address_of_the_next_page(self, own: Shop) -> None:
        seen: list[dict[str, Any]] = []
        path = "/v2/core/events?limit=1"
        while path:
            found = own.get(path).json()
            seen += found["data"]
            path = found["next_page_url"]
        assert [each["type"] for each in seen] == [
            "v1.charge.refunded",
            "v1.refund.created",
            "v1.customer.updated",
        ]

    def test_the_official_library_walks_over_all_pages(self, own: Shop) -> None:
        found = own.client().v2.core.events.list(
            {"limit": 1, "types": ["v1.charge.refunded", "v1.refund.created"]}
        )
        assert [each.type for each in found.auto_paging_iter()] == ["v1.charge.refunded", "v1.refund.created"]

    def test_created_is_asked_in_rfc_3339(self, own: Shop) -> None:
        later = datetime.fromtimestamp(own.now() + 60, UTC).isoformat().replace("+00:00", "Z")
        assert own.get(f"/v2/core/events?created[gt]={later}").json()["data"] == []
        assert len(own.get(f"/v2/core/events?created[lte]={later}").json()["data"]) == 3
        assert own.get("/v2/core/events?created[gt]=yesterday").status_code == 400
