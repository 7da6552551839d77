"""Taking events in leaves the same rows as marking them one by one, and is safe among others who write."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from accounts.facts import Subject
from daemon.store import intake, worklist
from daemon.store.db import Store
from daemon.store.errors import Conflict, StoreError
from daemon.store.inbox import Received
from daemon.store.worklist import WORK

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def event(
    number: int,
    account: str = "eu",
    object: tuple[str, str] = ("invoice", "in_1"),
    customer: str | None = None,
    *,
    is_foreign: bool = False,
) -> Received:
    return Received(
        account=account,
        event_id=f"evt_{number}",
        type="invoice.paid",
        object_type=object[0],
        object_id=object[1],
        created=NOW,
        livemode=True,
        source="webhook",
        customer=customer,
        is_foreign=is_foreign,
    )


EVENTS = st.lists(
    st.builds(
        event,
        st.integers(1, 6),
        st.sampled_from(("eu", "us")),
        st.sampled_from((("invoice", "in_1"), ("customer", "cus_1"), ("charge", "ch_1"), ("invoice", ""))),
        st.sampled_from((None, "cus_1", "cus_2")),
        is_foreign=st.booleans(),
    ),
    max_size=12,
)


def clear(store: Store) -> None:
    with store.transaction() as session:
        session.execute(text("DELETE FROM inbox"))
        session.execute(text("DELETE FROM worklist"))


def rows(store: Store) -> dict[Subject, dict[str, Any]]:
    """The worklist, but for the numbers, of which only the order and whether there is one counts."""
    with store.reading() as session:
        found = session.execute(select(WORK)).mappings().all()
    return {
        Subject(row["account"], row["kind"], row["id"]): {
            **{name: row[name] for name in ("due", "takes", "failures", "fence", "taken_until", "buried_at")},
            "read": row["stale"] > 0,
            "newer": row["stale"] == row["mark"],
        }
        for row in found
    }


def marked_plainly(store: Store, batches: Iterable[tuple[datetime, list[Received]]]) -> None:
    """What taking in stands for: each new event's marks, by `worklist.mark`."""
    known: set[tuple[str, str]] = set()
    for now, events in batches:
        wanted: dict[Subject, bool] = {}
        for each in events:
            if (each.account, each.event_id) in known:
                continue
            known.add((each.account, each.event_id))
            for subject, reading in intake.marks_of(each):
                wanted[subject] = reading or wanted.get(subject, False)
        with store.transaction() as session:
            for reading in (True, False):
                worklist.mark(
                    session, [each for each in wanted if wanted[each] is reading], now, reading=reading
                )


@settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(  # to be read, and then only to be judged: it is still to be read
    batches=[[event(1, "eu", ("customer", "cus_1"))], [event(2, customer="cus_1")]],
    in_one_session=False,
)
@given(batches=st.lists(EVENTS, max_size=4), in_one_session=st.booleans())
def test_it_marks_what_marking_one_by_one_marks(
    store: Store, batches: list[list[Received]], in_one_session: bool
) -> None:
    timed = [(NOW - timedelta(seconds=number), events) for number, events in enumerate(batches)]
    clear(store)
    marked_plainly(store, timed)
    expected = rows(store)
    clear(store)
    line = store.line()
    for now, events in timed:
        if in_one_session:
            with store.transaction() as session:
                intake.take_in(session, events, now)
        else:
            intake.commit(line, events, now)
    line.close()
    assert rows(store) == expected


def test_a_mark_digs_up_what_was_buried_and_is_seen_by_a_look_under_way(store: Store) -> None:
    with store.transaction() as session:
        intake.take_in(session, [event(1)], NOW)
        (taken,) = worklist.take(session, "eu", now=NOW, lease=timedelta(minutes=1))
        intake.take_in(session, [event(2)], NOW)
        worklist.done(session, [taken])
        (again,) = worklist.take(session, "eu", now=NOW, lease=timedelta(minutes=1))
        assert again.mark > taken.mark
        assert again.stale > taken.stale
        session.execute(text("UPDATE worklist SET buried_at = 1, fence = NULL, taken_until = NULL"))
        intake.take_in(session, [event(3)], NOW)
        assert worklist.buried(session, "eu") == []


def test_a_line_goes_on_after_a_transaction_that_failed(store: Store) -> None:
    line = store.line()
    with store.transaction() as session:
        session.execute(text("ALTER TABLE worklist RENAME TO elsewhere"))
    with pytest.raises(StoreError):
        intake.commit(line, [event(1)], NOW)
    with store.transaction() as session:
        session.execute(text("ALTER TABLE elsewhere RENAME TO worklist"))
    assert intake.commit(line, [event(1)], NOW) == [True]
    line.close()


def test_a_drivers_own_error_is_a_sentence_too(store: Store) -> None:
    line = store.line()
    with pytest.raises(Conflict, match="refused a row"), line.transaction() as cursor:
        cursor.execute("INSERT INTO turns (account) VALUES ('without a number')")
    line.close()


def test_those_who_take_in_and_those_who_mark_do_not_wait_for_each_other_for_ever(store: Store) -> None:
    """Trap A18: overlapping objects, in any order, from both sides."""
    troubles: list[BaseException] = []
    ready = threading.Barrier(4)

    def work(worker: int) -> None:
        line = store.line()
        ready.wait()
        try:
            for turn in range(15):
                numbers = range(40) if (worker + turn) % 2 else range(39, -1, -1)
                subjects = [("invoice", f"in_{number}") for number in numbers]
                if worker < 2:
                    events = [
                        event(worker * 10_000 + turn * 100 + n, "eu", of, "cus_1")
                        for n, of in enumerate(subjects)
                    ]
                    intake.commit(line, events, NOW)
                else:
                    with store.transaction() as session:
                        worklist.mark(session, [Subject("eu", *of) for of in subjects], NOW)
        except StoreError as trouble:
            troubles.append(trouble)
        finally:
            line.close()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    assert len(rows(store)) == 41
