"""Replays: what was looked at is looked at again, and nothing is done twice."""

from datetime import timedelta

import pytest

from accounts.facts import Subject
from daemon.replay import NothingToReplay, Replay
from daemon.store import intake, worklist
from daemon.store.inbox import Received
from tests.flows.rig import Rig

HOUR = timedelta(hours=1)


@pytest.fixture
def replay(rig_anywhere: Rig) -> Replay:
    return Replay(rig_anywhere.store, wake=rig_anywhere.wake, now=rig_anywhere.now)


def test_what_events_of_a_time_were_about_is_read_again(rig_anywhere: Rig, replay: Replay) -> None:
    rig = rig_anywhere
    _come(rig, *(f"cus_{n:05d}" for n in range(1_500)))
    rig.advance(2 * HOUR)
    _come(rig, "cus_late")
    rig.forget_marks()
    assert replay.since(rig.slug, rig.now() - HOUR).marked == 1
    assert rig.marked("customer", reading=True) == {"cus_late"}
    rig.forget_marks()
    assert replay.since(rig.slug, rig.now() - 3 * HOUR, rig.now() - HOUR).marked == 1_500
    assert len(rig.marked("customer", reading=True)) == 1_500
    assert rig.woken[rig.slug] == 2


def test_what_one_event_was_about_is_read_again(rig_anywhere: Rig, replay: Replay) -> None:
    rig = rig_anywhere
    _come(rig, "cus_1", "cus_2")
    rig.forget_marks()
    assert replay.event(rig.slug, "evt_cus_2").marked == 1
    assert rig.marked("customer", reading=True) == {"cus_2"}


def test_an_object_is_read_again_by_its_id_alone(rig_anywhere: Rig, replay: Replay) -> None:
    rig = rig_anywhere
    (stored, *_) = rig.customers(1, 2)
    rig.sweep.sweep(rig.slug)
    _come(rig, "cus_heard_of")
    rig.forget_marks()
    replay.object(rig.slug, stored)
    replay.object(rig.slug, "cus_heard_of")
    assert rig.marked("customer", reading=True) == {stored, "cus_heard_of"}


def test_dead_letters_are_dug_up(rig_anywhere: Rig, replay: Replay) -> None:
    """Trap A19: what was set aside can be replayed."""
    rig = rig_anywhere
    subject = Subject(rig.slug, "customer", "cus_1")
    with rig.store.transaction() as session:
        worklist.mark(session, [subject], rig.now())
    for _ in range(worklist.FAILURES_MAX):
        with rig.store.transaction() as session:
            taken = worklist.take(session, rig.slug, now=rig.now(), lease=HOUR)
            worklist.put_back(session, taken, rig.now(), "it fails", now=rig.now(), at_fault=True)
    with rig.store.reading() as session:
        assert len(worklist.buried(session, rig.slug)) == 1
    assert replay.dead(rig.slug).marked == 1
    with rig.store.transaction() as session:
        assert worklist.buried(session, rig.slug) == []
        assert [each.subject for each in worklist.take(session, rig.slug, now=rig.now(), lease=HOUR)] == [
            subject
        ]
    assert replay.dead(rig.slug).marked == 0


def test_what_is_not_known_is_said_with_what_to_do(rig_anywhere: Rig, replay: Replay) -> None:
    slug = rig_anywhere.slug
    with pytest.raises(NothingToReplay, match=f"Account {slug} has no event evt_1.*--object"):
        replay.event(slug, "evt_1")
    with pytest.raises(NothingToReplay, match=f"Account {slug} has never had an object ch_1.*sweep"):
        replay.object(slug, "ch_1")


def _come(rig: Rig, *customers: str) -> None:
    events = [
        Received(
            rig.slug,
            f"evt_{each}",
            "customer.updated",
            "customer",
            each,
            rig.now(),
            rig.account.livemode,
            "webhook",
        )
        for each in customers
    ]
    with rig.store.transaction() as session:
        intake.take_in(session, events, rig.now())
