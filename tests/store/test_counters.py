"""Cursors and the read meter."""

import threading
from datetime import UTC, datetime

from accounts.budget import Ledger, Purpose, ReadBudget
from accounts.registry import KeyOwner
from daemon.store import cursors
from daemon.store.db import Store
from daemon.store.meter import DAYS_KEPT, Meter

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OURS, OTHER = KeyOwner("acct_1"), KeyOwner("acct_2")


def test_a_cursor_stands_where_it_was_moved_to(store: Store) -> None:
    with store.transaction() as session:
        assert cursors.position(session, "eu", "poll") is None
        cursors.move(session, "eu", "poll", "evt_1", NOW)
        cursors.move(session, "eu", "poll", "evt_2", NOW)
        cursors.move(session, "us", "poll", "evt_9", NOW)
    with store.transaction() as session:
        assert cursors.position(session, "eu", "poll") == "evt_2"
        cursors.forget(session, "eu", "poll")
        assert cursors.position(session, "eu", "poll") is None
        assert cursors.position(session, "us", "poll") == "evt_9"


def test_the_meter_adds_up_the_days_of_each_owner(store: Store) -> None:
    meter = Meter(store)
    meter.add(OURS, 100, 7)
    meter.add(OURS, 101, 5)
    meter.add(OURS, 101, 5)
    meter.add(OTHER, 101, 99)
    assert meter.reads(OURS, 100) == 17
    assert meter.reads(OURS, 101) == 10
    assert meter.reads(OURS, 102) == 0


def test_the_meter_forgets_days_that_no_window_holds(store: Store) -> None:
    meter = Meter(store)
    meter.add(OURS, 100, 7)
    meter.add(OURS, 100 + DAYS_KEPT, 1)
    assert meter.reads(OURS, 0) == 8
    meter.add(OURS, 101 + DAYS_KEPT, 1)
    assert meter.reads(OURS, 0) == 2


def test_the_newest_count_of_transactions_counts(store: Store) -> None:
    meter = Meter(store)
    assert meter.transactions(OURS) == 0
    meter.learn_transactions(OURS, 40, NOW)
    meter.learn_transactions(OURS, 30, NOW)
    assert meter.transactions(OURS) == 30
    assert meter.transactions(OTHER) == 0


def test_no_read_is_lost_between_threads(store: Store) -> None:
    meter = Meter(store)

    def read_ten_times() -> None:
        for _ in range(10):
            meter.add(OURS, 1, 1)

    threads = [threading.Thread(target=read_ten_times) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.reads(OURS, 0) == 60


def test_a_read_budget_goes_on_where_the_last_process_stopped(store: Store) -> None:
    ledger: Ledger = Meter(store)
    first = ReadBudget(OURS, ledger, lambda: NOW)
    for _ in range(60):
        first.spend(Purpose.POLL)
    first.flush()
    assert ReadBudget(OURS, Meter(store), lambda: NOW).used == 60
