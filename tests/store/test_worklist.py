"""The worklist: fair, stingy, never two looks at one subject at once, and nothing that was marked is forgotten."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlmodel import Session

from accounts.facts import Subject
from daemon.store import worklist
from daemon.store.db import Store, open_store
from daemon.store.errors import LostTake
from daemon.store.marks import next_mark
from daemon.store.statements import among
from daemon.store.worklist import FAILURES_MAX, NEVER_RETURNED, WORK, Taken
from tests.databases import Server

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
LATER = START + timedelta(hours=1)


def customer(number: int, account: str = "eu") -> Subject:
    return Subject(account, "customer", f"cus_{number}")


def mark(store: Store, *subjects: Subject, due: datetime = START, reading: bool = True) -> None:
    with store.transaction() as session:
        worklist.mark(session, subjects, due, reading=reading)


def take(store: Store, account: str = "eu", *, now: datetime = START, limit: int = 100) -> list[Taken]:
    with store.transaction() as session:
        return worklist.take(session, account, now=now, lease=LEASE, limit=limit)


def bury_the_never_returned(store: Store, now: datetime) -> list[Subject]:
    with store.transaction() as session:
        return worklist.bury_the_never_returned(session, "eu", now)


def done(store: Store, taken: list[Taken], again: dict[Subject, datetime] | None = None) -> None:
    with store.transaction() as session:
        worklist.done(session, taken, again)


def put_back(store: Store, taken: list[Taken], due: datetime = LATER, *, at_fault: bool = False) -> None:
    with store.transaction() as session:
        worklist.put_back(session, taken, due, "the CRM did not answer", now=START, at_fault=at_fault)


def finish_a_look(session: Session, taken: list[Taken], found: Subject) -> None:
    worklist.mark(session, [found], START)
    worklist.done(session, taken)


def subjects(taken: list[Taken]) -> list[Subject]:
    return [each.subject for each in taken]


def test_what_was_marked_is_taken_once_and_gone_when_done(store: Store) -> None:
    mark(store, customer(1), customer(2))

    taken = take(store)
    assert subjects(taken) == [customer(1), customer(2)]
    assert take(store) == []

    done(store, taken)
    assert take(store, now=LATER) == []


def test_a_subject_marked_ten_times_is_looked_at_once(store: Store) -> None:
    for _ in range(10):
        mark(store, customer(1), customer(1))
    assert len(take(store)) == 1
    assert take(store) == []


def test_the_longest_due_comes_first_however_often_others_are_marked(store: Store) -> None:
    mark(store, customer(3), due=START - timedelta(minutes=3))
    mark(store, customer(1), due=START - timedelta(minutes=1))
    mark(store, customer(2), due=START - timedelta(minutes=2))
    mark(store, customer(3), due=START)
    assert subjects(take(store, limit=2)) == [customer(3), customer(2)]
    assert subjects(take(store, limit=2)) == [customer(1)]


def test_accounts_take_turns(store: Store) -> None:
    mark(store, *(customer(n, "big") for n in range(5)))
    mark(store, *(customer(n, "small") for n in range(2)))
    order = []
    for _ in range(4):
        with store.reading() as session:
            account = worklist.whose_turn(session, START)[0]
        order.append(account)
        take(store, account, limit=1)
    assert order == ["big", "small", "big", "small"]


def test_what_is_not_due_waits(store: Store) -> None:
    mark(store, customer(1), due=LATER)
    with store.reading() as session:
        assert worklist.whose_turn(session, START) == []
    assert take(store) == []
    assert subjects(take(store, now=LATER)) == [customer(1)]


def test_a_mark_pulls_a_later_look_forward(store: Store) -> None:
    mark(store, customer(1), due=LATER)
    mark(store, customer(1), due=START)
    assert subjects(take(store)) == [customer(1)]


def test_a_mark_during_a_look_causes_another_look_and_not_at_the_same_time(store: Store) -> None:
    mark(store, customer(1))
    first = take(store)
    mark(store, customer(1))
    assert take(store) == []

    done(store, first)

    second = take(store)
    assert subjects(second) == [customer(1)]
    assert second[0].mark > first[0].mark
    done(store, second)
    assert take(store, now=LATER) == []


def test_a_look_that_wants_to_look_again_does_so_at_its_time_or_when_marked(store: Store) -> None:
    mark(store, customer(1), customer(2))
    taken = take(store)
    mark(store, customer(2))
    done(store, taken, {customer(1): LATER, customer(2): LATER})
    done(store, take(store))
    assert take(store) == []
    assert subjects(take(store, now=LATER)) == [customer(1)]


def test_a_lease_that_ran_out_goes_to_somebody_else_and_its_holder_loses_everything(store: Store) -> None:
    """Trap A20: a worker that died holds nothing for ever."""
    mark(store, customer(1), customer(2))
    slow = take(store)
    quick = take(store, now=START + LEASE)
    assert subjects(quick) == [customer(1), customer(2)]
    assert quick[0].fence > slow[0].fence

    with pytest.raises(LostTake, match="customer cus_1 of account eu"), store.transaction() as session:
        finish_a_look(session, slow, found=customer(9))
    with pytest.raises(LostTake):
        put_back(store, slow)

    done(store, quick)
    assert take(store, now=LATER) == []


def test_what_a_dead_process_had_taken_is_due_as_soon_as_another_starts(store: Store) -> None:
    mark(store, customer(1))
    lost = take(store)
    assert take(store) == []
    with store.transaction() as session:
        worklist.inherit(session, START)
    assert subjects(take(store)) == [customer(1)]
    with pytest.raises(LostTake):
        done(store, lost)


def test_what_processes_may_have_died_of_is_not_tried_at_once_at_every_start(store: Store) -> None:
    mark(store, customer(1))
    starts = 0
    while take(store):
        starts += 1
        with store.transaction() as session:
            worklist.inherit(session, START)
    assert 1 < starts < FAILURES_MAX
    assert subjects(take(store, now=START + LEASE)) == [customer(1)]


def test_a_holder_whose_subjects_are_already_done_has_lost_them_too(store: Store) -> None:
    mark(store, customer(1))
    slow = take(store)
    done(store, take(store, now=START + LEASE))
    with pytest.raises(LostTake):
        done(store, slow)


def test_a_slow_look_keeps_what_it_took_while_nobody_else_wants_it(store: Store) -> None:
    mark(store, customer(1))
    slow = take(store)
    done(store, slow)
    assert take(store, now=LATER) == []


def test_a_source_that_is_down_buries_nobody(store: Store) -> None:
    mark(store, customer(1))
    for n in range(3 * FAILURES_MAX):
        taken = take(store, now=LATER)
        assert taken[0].takes == n + 1
        put_back(store, taken, LATER)
    assert subjects(take(store, now=LATER)) == [customer(1)]


def test_a_subject_that_makes_every_look_fail_is_buried_and_a_mark_digs_it_up_for_one_more(
    store: Store,
) -> None:
    """Trap A19: what fails every time is set aside after some tries."""
    mark(store, customer(1))
    for _ in range(FAILURES_MAX):
        put_back(store, take(store, now=LATER), LATER, at_fault=True)
    assert take(store, now=LATER) == []
    with store.reading() as session:
        assert [(each.subject, each.error) for each in worklist.buried(session, "eu")] == [
            (customer(1), "the CRM did not answer")
        ]

    mark(store, customer(1))
    put_back(store, take(store), LATER, at_fault=True)
    assert take(store, now=LATER) == []

    mark(store, customer(1))
    done(store, take(store))
    with store.reading() as session:
        assert worklist.buried(session, "eu") == []


def test_a_subject_that_takes_its_process_down_every_time_is_buried(store: Store) -> None:
    mark(store, customer(1))
    now = START
    for _ in range(FAILURES_MAX):
        assert bury_the_never_returned(store, now) == []
        assert len(take(store, now=now)) == 1
        now += LEASE
    assert bury_the_never_returned(store, now - LEASE / 2) == []  # the last look may still return
    assert bury_the_never_returned(store, now) == [customer(1)]
    assert bury_the_never_returned(store, now) == []
    assert take(store, now=now) == []
    with store.reading() as session:
        assert [(each.subject, each.error) for each in worklist.buried(session, "eu")] == [
            (customer(1), NEVER_RETURNED)
        ]


def test_a_mark_for_judging_asks_for_no_reading(store: Store) -> None:
    mark(store, customer(1), reading=False)
    mark(store, customer(2), reading=False)
    mark(store, customer(2), reading=True)
    mark(store, customer(3), reading=True)
    mark(store, customer(3), reading=False)
    with store.reading() as session:
        current = worklist.current_mark(session)
    judged, read, both = take(store)
    assert judged.stale == 0
    assert judged.mark < read.mark
    assert 0 < read.stale <= read.mark <= current
    assert 0 < both.stale < both.mark <= current


def test_what_is_read_after_a_mark_is_fresh_and_what_was_read_before_is_not(store: Store) -> None:
    with store.reading() as session:
        before = worklist.current_mark(session)
    mark(store, customer(1))
    with store.reading() as session:
        after = worklist.current_mark(session)
    taken = take(store)[0]
    assert before < taken.stale <= after


def test_an_account_sees_nothing_of_another(store: Store) -> None:
    mark(store, customer(1, "eu"), customer(1, "us"))
    assert subjects(take(store, "us")) == [customer(1, "us")]
    assert subjects(take(store, "eu")) == [customer(1, "eu")]


def test_of_two_that_mark_at_once_the_later_commit_is_never_taken_for_the_earlier(
    server: Server, postgres_template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One draws its number, and before it writes, another marks, commits, and is being looked at."""
    with server.database(postgres_template) as url, open_store(url) as store:
        taken: list[Taken] = []

        def draw_and_be_overtaken(session: Session) -> int:
            number = next_mark(session)
            monkeypatch.setattr(worklist, "next_mark", next_mark)
            mark(store, customer(1))
            taken.extend(take(store))
            return number

        monkeypatch.setattr(worklist, "next_mark", draw_and_be_overtaken)
        mark(store, customer(1))
        done(store, taken)

        again = take(store)
        assert subjects(again) == [customer(1)]
        assert again[0].mark > taken[0].mark


def test_a_take_reads_only_the_rows_that_it_takes(store: Store) -> None:
    keys = [tuple(customer(number)) for number in range(3)]
    with store.reading() as session:
        query = select(WORK.c.mark).where(among(session, (WORK.c.account, WORK.c.kind, WORK.c.id), keys))
        statement = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        if store.place.path is not None:
            plan = str(session.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all())
            assert "SEARCH worklist USING INDEX" in plan
        else:
            session.execute(text("SET LOCAL enable_seqscan = off"))  # an empty table is not worth an index
            plan = str(session.execute(text(f"EXPLAIN {statement}")).all())
            assert "pk_worklist" in plan
        assert "SCAN worklist" not in plan
