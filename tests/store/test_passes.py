"""Passes and outages: what is complete, since when something fails, and who has to look because of it."""

from datetime import UTC, datetime, timedelta

from accounts.facts import Subject
from daemon.store import passes, worklist
from daemon.store.db import Store
from daemon.store.passes import Completeness, Outage, Reading

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CUSTOMERS = Reading("eu", passes.STRIPE, "customers")
RECORDS = Reading("eu", passes.crm("hubspot"), passes.RECORDS)


def make(
    store: Store, slot: str, begun: datetime, ended: datetime | None, reading: Reading = CUSTOMERS
) -> bool:
    with store.transaction() as session:
        ours = passes.begin(session, reading, slot, worklist.current_mark(session), begun)
        if ended is not None:
            passes.end(session, reading, slot, 3, ended)
    return ours


def fail(store: Store, reading: Reading, at: datetime, error: str = "it does not answer") -> None:
    with store.transaction() as session:
        passes.fail(session, reading, "unreachable", error, at)


def complete(store: Store) -> dict[Reading, Completeness]:
    with store.reading() as session:
        return passes.complete(session)


def outages(store: Store) -> dict[Reading, Outage]:
    with store.reading() as session:
        return passes.outages(session)


def to_look_at(store: Store, at: datetime) -> list[Subject]:
    with store.transaction() as session:
        taken = worklist.take(session, "eu", now=at, lease=HOUR)
        worklist.done(session, taken)
    return [each.subject for each in taken]


def test_a_class_is_complete_once_a_pass_over_it_has_ended(store: Store) -> None:
    make(store, "1", NOW, None)
    assert complete(store) == {}
    make(store, "2", NOW, NOW + HOUR)
    make(store, "3", NOW + 2 * HOUR, NOW + 3 * HOUR)
    make(store, "4", NOW + 4 * HOUR, None)
    assert complete(store) == {CUSTOMERS: Completeness(NOW + HOUR, NOW + 2 * HOUR)}


def test_the_first_who_comes_with_a_slot_makes_the_pass(store: Store) -> None:
    assert [make(store, "noon", NOW, None), make(store, "noon", NOW, None)] == [True, False]


def test_when_we_adopted_a_class_is_remembered_however_many_passes_follow(store: Store) -> None:
    for number in range(60):
        make(store, f"{number:02}", NOW + number * HOUR, NOW + (number + 0.5) * HOUR)
    known = complete(store)[CUSTOMERS]
    assert known.first_ended_at == NOW + 0.5 * HOUR
    assert known.last_began_at == NOW + 59 * HOUR


def test_an_outage_is_written_once_and_ends_with_a_complete_pass(store: Store) -> None:
    fail(store, RECORDS, NOW)
    fail(store, RECORDS, NOW + HOUR, "it still does not answer")
    assert outages(store) == {RECORDS: Outage(NOW, "unreachable", "it does not answer")}
    make(store, "1", NOW + HOUR, NOW + 2 * HOUR, RECORDS)
    assert outages(store) == {}


def test_an_outage_also_ends_when_something_of_the_class_was_read(store: Store) -> None:
    fail(store, CUSTOMERS, NOW)
    with store.transaction() as session:
        assert passes.recover(session, [CUSTOMERS, RECORDS], NOW) == [CUSTOMERS]
        assert passes.recover(session, [CUSTOMERS], NOW) == []


def test_the_account_is_looked_at_when_an_outage_begins_and_when_it_ends(store: Store) -> None:
    account = Subject("eu", "account", "eu")
    fail(store, RECORDS, NOW)
    assert to_look_at(store, NOW) == [account]
    fail(store, RECORDS, NOW)
    assert to_look_at(store, NOW) == []
    make(store, "1", NOW, NOW, RECORDS)
    assert to_look_at(store, NOW) == [account]


def test_the_picture_is_another_one_after_every_change(store: Store) -> None:
    def picture() -> str | None:
        with store.reading() as session:
            return passes.picture(session)

    seen = [picture()]
    make(store, "1", NOW, NOW)
    seen.append(picture())
    fail(store, CUSTOMERS, NOW)
    seen.append(picture())
    fail(store, CUSTOMERS, NOW)
    assert picture() == seen[-1]
    assert len(set(seen)) == 3
