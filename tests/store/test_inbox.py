"""The inbox: an event is one row, however often and on whichever way it comes."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from sqlalchemy import select, text
from sqlmodel import Session

from accounts.facts import Subject
from daemon.store import intake, worklist
from daemon.store.db import Store
from daemon.store.errors import Conflict
from daemon.store.inbox import INBOX, Received

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def event(
    number: int,
    account: str = "eu",
    source: Literal["webhook", "poll", "replay"] = "webhook",
    twin: str | None = None,
) -> Received:
    return Received(
        account=account,
        event_id=f"evt_{number}",
        type="charge.refunded",
        object_type="charge",
        object_id=f"ch_{number}",
        created=NOW - timedelta(seconds=number),
        livemode=True,
        source=source,
        customer=f"cus_{number}",
        api_version="2026-10-28.endive",
        twin_id=twin,
    )


def receive(store: Store, *events: Received, now: datetime = NOW) -> list[bool]:
    with store.transaction() as session:
        return intake.take_in(session, events, now)


def receive_mark_and_fail(session: Session) -> None:
    assert intake.take_in(session, [event(1)], NOW) == [True]
    worklist.mark(session, [Subject("eu", "charge", "ch_1")], NOW)
    session.execute(text("INSERT INTO turns (account) VALUES ('without a number')"))


def webhook_times(store: Store) -> dict[str, datetime | None]:
    with store.reading() as session:
        return {row.event_id: row.webhook_at for row in session.execute(select(INBOX))}


def test_it_answers_which_events_were_new(store: Store) -> None:
    assert receive(store, event(1), event(2)) == [True, True]
    assert receive(store, event(3), event(2), event(3), event(4)) == [True, False, False, True]
    assert receive(store) == []
    assert set(webhook_times(store)) == {"evt_1", "evt_2", "evt_3", "evt_4"}


def test_two_accounts_may_have_an_event_of_one_id(store: Store) -> None:
    assert receive(store, event(1, "eu"), event(1, "us")) == [True, True]


def test_what_is_stored_is_what_came(store: Store) -> None:
    receive(store, event(1, twin="evt_snapshot"))
    with store.reading() as session:
        row = session.execute(select(INBOX)).one()
    assert row.created == NOW - timedelta(seconds=1)
    assert (row.type, row.object_type, row.object_id, row.customer) == (
        "charge.refunded",
        "charge",
        "ch_1",
        "cus_1",
    )
    assert (row.livemode, row.is_foreign, row.twin_id, row.received_at) == (True, False, "evt_snapshot", NOW)


def test_a_webhook_that_comes_after_polling_was_late_and_not_lost(store: Store) -> None:
    receive(store, event(1, source="poll"), event(2, source="poll"))
    later = NOW + timedelta(minutes=3)
    assert receive(store, event(1), now=later) == [False]
    assert receive(store, event(1), now=later + timedelta(hours=1)) == [False]
    assert webhook_times(store) == {"evt_1": later, "evt_2": None}


def test_polling_does_not_hide_when_the_webhook_came(store: Store) -> None:
    receive(store, event(1))
    receive(store, event(1, source="poll"), now=NOW + timedelta(hours=1))
    assert webhook_times(store) == {"evt_1": NOW}


def test_a_large_batch_takes_one_call(store: Store) -> None:
    events = [event(number) for number in range(2_500)]
    assert receive(store, *events) == [True] * 2_500
    assert receive(store, *reversed(events)) == [False] * 2_500


def test_the_row_and_its_mark_are_stored_together_or_not_at_all(store: Store) -> None:
    with pytest.raises(Conflict), store.transaction() as session:
        receive_mark_and_fail(session)
    with store.transaction() as session:
        assert worklist.take(session, "eu", now=NOW, lease=timedelta(minutes=1)) == []
    assert receive(store, event(1)) == [True]


def test_many_threads_receive_the_same_events_and_each_is_new_once(store: Store) -> None:
    """Trap A1: the same events on many workers at once."""
    answers: list[list[bool]] = []
    ready = threading.Barrier(6)

    def work(number: int) -> None:
        events = [event(n) for n in range(40)]
        ready.wait()
        answers.append(receive(store, *(events if number % 2 else reversed(events))))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert sum(sum(each) for each in answers) == 40
