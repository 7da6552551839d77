"""What was read: the newest read wins, what did not change is hardly written, and old keys are not forgotten."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec import structs
from sqlalchemy import select

from accounts.facts import Entitlement, Record
from daemon.store import records, snapshots
from daemon.store.db import Store
from daemon.store.observations import Change
from daemon.store.records import ENTITLEMENTS, RECORDS
from daemon.store.snapshots import Snapshot, Stored

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
HOUR = timedelta(hours=1)


def subscription(number: int, customer: str | None = "cus_1", status: str = "active") -> Snapshot:
    body = f'{{"id":"sub_{number}","status":"{status}"}}'.encode()
    return Snapshot(f"sub_{number}", body, customer=customer, status=status, created=NOW)


def write(
    store: Store,
    *objects: Snapshot,
    seen: int = 1,
    at: datetime = NOW,
    account: str = "eu",
    first_pass: bool = False,
) -> list[Change]:
    with store.transaction(bulk=True) as session:
        return snapshots.write(
            session, account, "subscription", objects, seen=seen, observed_at=at, first_pass=first_pass
        )


def stored(store: Store, *ids: str) -> dict[str, Stored]:
    with store.reading() as session:
        return snapshots.by_id(session, "eu", "subscription", ids)


def test_what_is_new_is_stored_and_told(store: Store) -> None:
    changes = write(store, subscription(1), subscription(2, customer=None))
    assert changes == [
        Change("sub_1", None, {"person": None, "customer": "cus_1"}),
        Change("sub_2", None, {"person": None, "customer": None}),
    ]
    assert stored(store, "sub_1", "sub_9") == {
        "sub_1": Stored(
            "subscription", subscription(1), seen=1, observed_at=NOW, deleted=False, changed_at=NOW
        )
    }


def test_what_did_not_change_only_moves_its_number(store: Store) -> None:
    write(store, subscription(1))
    assert write(store, subscription(1), seen=5, at=LATER) == []
    kept = stored(store, "sub_1")["sub_1"]
    assert (kept.seen, kept.observed_at) == (5, LATER)


def test_a_change_tells_the_old_customer_and_the_new(store: Store) -> None:
    write(store, subscription(1, customer="cus_1"))
    changes = write(store, subscription(1, customer="cus_2"), seen=2)
    assert changes == [
        Change("sub_1", {"person": None, "customer": "cus_1"}, {"person": None, "customer": "cus_2"})
    ]
    assert stored(store, "sub_1")["sub_1"].snapshot.customer == "cus_2"


def test_an_answer_that_was_overtaken_is_not_stored(store: Store) -> None:
    write(store, subscription(1, status="canceled"), seen=7, at=LATER)
    assert write(store, subscription(1, status="active"), seen=6) == []
    assert write(store, subscription(1, status="canceled"), seen=6) == []
    kept = stored(store, "sub_1")["sub_1"]
    assert (kept.snapshot.status, kept.seen, kept.observed_at) == ("canceled", 7, LATER)


def test_a_read_of_the_same_number_counts(store: Store) -> None:
    write(store, subscription(1, status="active"), seen=7)
    assert len(write(store, subscription(1, status="canceled"), seen=7)) == 1


def test_of_two_copies_in_one_read_the_later_counts(store: Store) -> None:
    assert len(write(store, subscription(1, status="active"), subscription(1, status="canceled"))) == 1
    assert stored(store, "sub_1")["sub_1"].snapshot.status == "canceled"


def test_accounts_and_classes_are_apart(store: Store) -> None:
    write(store, subscription(1), account="eu")
    write(store, subscription(1, status="canceled"), account="us")
    with store.reading() as session:
        found = snapshots.of_customers(session, "eu", ["cus_1", "cus_2"])
        assert [each.snapshot.status for each in found] == ["active"]
        assert snapshots.by_id(session, "eu", "charge", ["sub_1"]) == {}


def test_a_tombstone_is_kept_until_a_newer_read_finds_the_object_again(store: Store) -> None:
    write(store, subscription(1), seen=3)

    def bury(seen: int) -> Change | None:
        with store.transaction() as session:
            return snapshots.bury(session, "eu", "subscription", "sub_1", seen=seen, observed_at=LATER)

    assert bury(seen=2) is None
    assert stored(store, "sub_1")["sub_1"].deleted is False

    keys = {"person": None, "customer": "cus_1"}
    assert bury(seen=4) == Change("sub_1", keys, keys)
    assert bury(seen=5) is None
    assert stored(store, "sub_1")["sub_1"].deleted is True

    assert write(store, subscription(1), seen=4) == []
    assert write(store, subscription(1), seen=6) == [Change("sub_1", keys, keys)]
    assert stored(store, "sub_1")["sub_1"].deleted is False


def test_nothing_is_made_of_the_tombstone_of_an_unknown_object(store: Store) -> None:
    with store.transaction() as session:
        assert snapshots.bury(session, "eu", "subscription", "sub_1", seen=1, observed_at=NOW) is None
    assert stored(store, "sub_1") == {}


def test_a_person_who_changes_the_address_is_told_though_the_body_is_the_same(store: Store) -> None:
    write(store, Snapshot("cus_1", b"{}", customer="cus_1", person="hash of ada"))
    changes = write(store, Snapshot("cus_1", b"{}", customer="cus_1", person="hash of grace"), seen=2)
    assert [(change.before, change.after["person"]) for change in changes] == [
        ({"person": "hash of ada", "customer": "cus_1"}, "hash of grace")
    ]


def test_threads_that_write_the_same_objects_leave_the_newest_read(store: Store) -> None:
    ready = threading.Barrier(5)
    told: list[Sequence[Change]] = []

    def work(seen: int) -> None:
        objects = [subscription(n, customer=f"cus_{seen}") for n in range(300)]
        ready.wait()
        told.append(write(store, *(objects if seen % 2 else reversed(objects)), seen=seen))

    threads = [threading.Thread(target=work, args=(seen,)) for seen in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with store.reading() as session:
        assert len(snapshots.of_customers(session, "eu", ["cus_5"])) == 300
    changes = [change for some in told for change in some]
    assert sum(change.before is None for change in changes) == 300
    left = {(change.id, change.before["customer"]) for change in changes if change.before}
    came = {(change.id, change.after["customer"]) for change in changes}
    assert came - left == {(f"sub_{n}", "cus_5") for n in range(300)}


def changed_at(store: Store) -> datetime | None:
    return stored(store, "sub_1")["sub_1"].changed_at


def test_what_is_new_changed_when_it_says_so_or_else_when_it_was_first_seen(store: Store) -> None:
    write(store, structs.replace(subscription(1), changed_at=NOW - HOUR), at=NOW)
    assert changed_at(store) == NOW - HOUR
    write(store, structs.replace(subscription(1, status="past_due"), changed_at=NOW - HOUR), seen=2, at=LATER)
    assert changed_at(store) == LATER  # it says nothing of this change
    write(
        store,
        structs.replace(subscription(1, status="canceled"), changed_at=LATER + HOUR),
        seen=3,
        at=LATER + 2 * HOUR,
    )
    assert changed_at(store) == LATER + HOUR


def test_what_a_first_pass_finds_has_been_so_for_long_unless_it_says_otherwise(store: Store) -> None:
    with store.transaction() as session:
        found = [Entitlement("ent-1", "cus_1", status="active"), replace(ENTITLEMENT, key="ent-2")]
        records.write_entitlements(session, "app", found, seen=1, observed_at=LATER, first_pass=True)
        dates = session.execute(select(ENTITLEMENTS.c.changed_at).order_by(ENTITLEMENTS.c.key))
        assert list(dates.scalars()) == [None, NOW]


def test_a_first_pass_that_meets_what_is_there_stores_the_rest_and_overwrites_nothing_newer(
    store: Store,
) -> None:
    """It died and reads its page again, or events came before it."""
    write(store, *map(subscription, range(3)), seen=4, first_pass=True)
    write(store, subscription(1, status="canceled"), seen=9, at=LATER)
    again = (subscription(0, status="past_due"), subscription(1), subscription(2), subscription(3))
    changes = write(store, *again, seen=6, first_pass=True)
    assert {each.id: each.before is None for each in changes} == {"sub_0": False, "sub_3": True}
    kept = stored(store, "sub_0", "sub_1", "sub_2", "sub_3")
    assert {each: (one.snapshot.status, one.seen) for each, one in kept.items()} == {
        "sub_0": ("past_due", 6),
        "sub_1": ("canceled", 9),
        "sub_2": ("active", 6),
        "sub_3": ("active", 6),
    }


def test_what_was_written_before_such_a_page_stays_and_all_of_it_is_one_transaction(store: Store) -> None:
    write(store, subscription(1))

    def pages(*, die: bool) -> None:
        with store.transaction(bulk=True) as session:
            for page in ([subscription(2)], [subscription(1), subscription(3)], [subscription(4)]):
                snapshots.write(
                    session, "eu", "subscription", page, seen=2, observed_at=LATER, first_pass=True
                )
            if die:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pages(die=True)
    everything = [f"sub_{number}" for number in range(1, 5)]
    assert list(stored(store, *everything)) == ["sub_1"]
    pages(die=False)
    assert [each.seen for each in stored(store, *everything).values()] == [2, 2, 2, 2]


def test_an_own_date_in_the_future_is_not_believed(store: Store) -> None:
    write(store, structs.replace(subscription(1), changed_at=NOW + HOUR), at=NOW)
    assert changed_at(store) == NOW


def test_what_is_gone_changed_when_that_was_seen(store: Store) -> None:
    write(store, structs.replace(subscription(1), changed_at=NOW - HOUR), at=NOW)
    for seen, at in ((2, LATER), (3, LATER + HOUR)):
        with store.transaction() as session:
            snapshots.bury(session, "eu", "subscription", "sub_1", seen=seen, observed_at=at)
    assert changed_at(store) == LATER


RECORD = Record(
    key="row-1",
    stripe_customer="cus_1",
    stripe_account="acct_1",
    name="Ada Lovelace",
    owner="grace",
    status="active",
    plan="pro",
    mrr=Decimal("149.00"),
    currency="eur",
    renewal=NOW,
)
ENTITLEMENT = Entitlement("ent-1", "cus_1", "acct_1", "seats", "pro", "active", 5, LATER, NOW)


def test_a_record_comes_back_as_it_was_read_but_for_the_name(store: Store) -> None:
    with store.transaction(bulk=True) as session:
        changes = records.write_records(
            session, "hubspot", [RECORD], seen=1, observed_at=NOW, persons={"row-1": "hash of ada"}
        )
    keys = {"stripe_account": "acct_1", "stripe_customer": "cus_1", "person": "hash of ada"}
    assert changes == [Change("row-1", None, keys)]
    with store.reading() as session:
        found = records.records_of(session, ["cus_1"])
        assert found == [replace(RECORD, name=None)]
        assert str(found[0].mrr) == "149.00"
        assert "Ada" not in str(session.execute(select(RECORDS)).all())


def test_a_changed_name_alone_is_no_change_of_a_record(store: Store) -> None:
    for seen, name in ((1, "Ada"), (2, "Ada King")):
        with store.transaction() as session:
            record = Record(key="row-1", name=name, plan="pro")
            changes = records.write_records(session, "hubspot", [record], seen=seen, observed_at=NOW)
    assert changes == []


def test_an_entitlement_comes_back_as_it_was_read_until_it_is_gone(store: Store) -> None:
    with store.transaction() as session:
        records.write_entitlements(session, "app", [ENTITLEMENT], seen=1, observed_at=NOW)
    with store.reading() as session:
        [given] = records.given(session, ["cus_1"])
        assert (given.entitlement, given.deleted) == (ENTITLEMENT, False)
    with store.transaction() as session:
        assert records.bury(session, ENTITLEMENTS, "app", "ent-1", seen=2, observed_at=LATER) is not None
    with store.reading() as session:
        [gone] = records.given(session, ["cus_1"])
        assert gone.deleted
