"""What is taken: stored once, marked for a look, answered, and only then somebody is woken."""

from datetime import UTC, datetime

import pytest

from accounts.facts import Subject
from accounts.sandbox import objects
from metrics.catalog import EVENT_CLASSES, EVENT_SOURCES, events_duplicate, events_received, events_unused
from tests.exemplars import ids
from tests.receive.rig import CREATED, NOW, Rig, counted, event, invoice, value


def test_an_event_is_stored_and_marked_on_either_database(rig_anywhere: Rig) -> None:
    rig = rig_anywhere
    response = rig.post(event(request={"id": "req_1", "idempotency_key": "rcl:p1:v1:e1"}))
    assert (response.status_code, response.json()) == (200, {"received": True, "duplicate": False})
    row = rig.inbox()["evt_1"]
    assert (row.account, row.type, row.source) == ("eu", "invoice.payment_failed", "webhook")
    assert (row.object_type, row.object_id, row.customer) == ("invoice", "in_1", "cus_1")
    assert (row.livemode, row.is_foreign, row.api_version) == (True, False, objects.API_VERSION)
    assert (row.idempotency_key, row.twin_id) == ("rcl:p1:v1:e1", None)
    assert (row.created, row.received_at, row.webhook_at) == (datetime.fromtimestamp(CREATED, UTC), NOW, NOW)
    assert rig.marks() == {Subject("eu", "invoice", "in_1"): True, Subject("eu", "customer", "cus_1"): False}
    assert rig.wait_for_wakes(1) == ["eu"]


def test_nothing_of_the_payload_is_kept(rig: Rig) -> None:
    secretive = invoice() | {
        "customer_email": "ann@example.com",
        "hosted_invoice_url": "https://pay.example.com",
    }
    assert rig.post(event(of=secretive)).status_code == 200
    assert "example.com" not in repr(rig.inbox())


def test_an_event_that_comes_again_is_one_event(rig_anywhere: Rig) -> None:
    """Trap A1: delivered three times, one effect, and each gets a 2xx."""
    rig = rig_anywhere
    with (
        counted(events_received, source="webhook", event_class="invoice") as received,
        counted(events_duplicate, source="webhook") as duplicates,
    ):
        answers = [rig.post(event()).json()["duplicate"] for _ in range(3)]
    assert answers == [False, True, True]
    assert (received, duplicates) == ([3], [2])
    assert list(rig.inbox()) == ["evt_1"]
    assert rig.wait_for_wakes(1) == ["eu"]


def test_what_was_looked_at_is_not_marked_again_by_a_second_copy(rig: Rig) -> None:
    rig.post(event())
    before = rig.marks_drawn()
    rig.post(event())
    assert rig.marks_drawn() == before


def test_an_event_of_an_unknown_type_is_stored_and_its_object_looked_at(rig_anywhere: Rig) -> None:
    """Trap A8: a type that nobody knows."""
    rig = rig_anywhere
    with counted(events_unused, reason="unknown_type") as grown:
        assert rig.post(event(type="invoice.exploded")).status_code == 200
    assert grown == [1]
    assert rig.inbox()["evt_1"].type == "invoice.exploded"
    assert Subject("eu", "invoice", "in_1") in rig.marks()


def test_an_event_about_an_object_without_an_id_is_stored_and_not_marked(rig_anywhere: Rig) -> None:
    """Trap A8: an object that does not exist yet."""
    rig = rig_anywhere
    upcoming = {"object": "invoice", "customer": "cus_1"}
    with counted(events_unused, reason="no_object") as grown:
        assert rig.post(event(type="invoice.upcoming", of=upcoming)).status_code == 200
    assert grown == [1]
    row = rig.inbox()["evt_1"]
    assert (row.object_type, row.object_id, row.customer) == ("invoice", "", "cus_1")
    assert rig.marks() == {}


@pytest.mark.parametrize("id", ["../../v1/refunds", "gold plan", "50 % off", "a" * 256])
def test_an_id_that_may_not_stand_in_a_url_is_never_looked_at(rig: Rig, id: str) -> None:
    plan = {"id": id[:255], "object": "plan", "customer": "cus 1?"}
    assert rig.post(event(type="plan.updated", of=plan)).status_code == 200
    row = rig.inbox()["evt_1"]
    assert (row.object_type, row.customer) == ("plan", None)
    assert row.object_id in {"", "a" * 255}
    assert set(rig.marks()) <= {Subject("eu", "plan", "a" * 255)}


def test_a_thin_event_takes_the_same_way(rig_anywhere: Rig) -> None:
    """Trap A8: an event of the newer kind."""
    rig = rig_anywhere
    snapshot = event(type="charge.dispute.created", of={"id": "du_1", "object": "dispute", "charge": "ch_1"})
    thin = objects.thin_event(snapshot) | {"context": "acct_eu"}
    with counted(events_received, source="webhook", event_class="dispute") as grown:
        assert rig.post(objects.notification(thin)).status_code == 200
        assert rig.post(thin | {"id": "evt_whole"}).status_code == 200
    assert grown == [2]
    rows = rig.inbox()
    assert {(row.object_type, row.object_id) for row in rows.values()} == {("dispute", "du_1")}
    assert rows["evt_whole"].twin_id == "evt_1"
    assert {row.created for row in rows.values()} == {datetime.fromtimestamp(CREATED, UTC)}
    assert rig.marks() == {Subject("eu", "dispute", "du_1"): True}


def test_a_customer_who_comes_expanded_is_known_by_the_id(rig: Rig) -> None:
    of = invoice() | {"customer": {"id": "cus_9", "object": "customer", "email": "ann@example.com"}}
    rig.post(event(of=of))
    assert rig.inbox()["evt_1"].customer == "cus_9"


def test_a_customers_own_event_marks_the_customer_to_be_read(rig: Rig) -> None:
    rig.post(event(type="customer.updated", of={"id": "cus_1", "object": "customer"}))
    assert rig.marks() == {Subject("eu", "customer", "cus_1"): True}


def test_what_is_to_be_read_is_read_though_a_later_event_only_asks_to_judge(rig_anywhere: Rig) -> None:
    rig = rig_anywhere
    rig.post(event(type="customer.updated", of={"id": "cus_1", "object": "customer"}))
    rig.post(event("evt_2"))
    assert rig.marks()[Subject("eu", "customer", "cus_1")]


@pytest.mark.parametrize("key", ["a\u0000b", "a\nb", ""])
def test_a_strange_idempotency_key_does_not_keep_an_event_out(rig_anywhere: Rig, key: str) -> None:
    assert rig_anywhere.post(event(request={"id": "req_1", "idempotency_key": key})).status_code == 200
    assert rig_anywhere.inbox()["evt_1"].idempotency_key is None


def test_an_old_events_request_is_a_text(rig: Rig) -> None:
    assert rig.post(event(request="req_1")).status_code == 200


def test_a_wake_that_fails_loses_nothing(rig: Rig) -> None:
    def broken(account: str) -> None:
        waking(account)
        raise OSError("no engine")

    waking, rig.wake = rig.wake, broken  # type: ignore[method-assign]
    assert rig.post(event()).status_code == 200
    assert rig.wait_for_wakes(1) == ["eu"]
    assert rig.post(event("evt_2", of=invoice("in_2"))).status_code == 200
    assert rig.wait_for_wakes(2) == ["eu", "eu"]


def test_a_duplicate_wakes_nobody(rig: Rig) -> None:
    rig.post(event())
    rig.wait_for_wakes(1)
    rig.post(event())
    rig.post(event("evt_us"), "us", secret="whsec_US")
    assert rig.wait_for_wakes(2) == ["eu", "us"]


def test_every_way_and_class_is_counted_from_nought() -> None:
    for source in EVENT_SOURCES:
        assert value(events_duplicate, source=source) >= 0
        for event_class in EVENT_CLASSES:
            assert value(events_received, source=source, event_class=event_class) >= 0
    samples = [sample for family in events_received.collect() for sample in family.samples]
    assert len(samples) == len(EVENT_SOURCES) * len(EVENT_CLASSES)


def test_what_is_counted_bears_the_id_of_an_event_whose_signature_was_right(rig: Rig) -> None:
    rig.post(event("evt_twice"))
    rig.post(event("evt_twice"))
    rig.post(event("evt_unknown", type="nobody.knows_it"))
    assert rig.post(event("evt_forged"), signature="t=1,v1=0").status_code == 400
    assert ids("events_received_total", source="webhook", event_class="invoice") == {"event_id": "evt_twice"}
    assert ids("events_duplicate_total", source="webhook") == {"event_id": "evt_twice"}
    assert ids("events_unused_total", reason="unknown_type") == {"event_id": "evt_unknown"}
    assert ids("webhook_rejected_total") != {"event_id": "evt_forged"}
