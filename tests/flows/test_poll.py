"""Polls: what webhooks miss is found, late and doubled events do no harm, and it is known how well we hear."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from accounts.errors import Unreachable
from accounts.sandbox import objects
from accounts.sandbox.business.opening import READ, key_of
from accounts.sandbox.seeding import listen
from accounts.stripe.reads import Page, Reader
from accounts.stripe.resources import Resource
from daemon.poll.events import SLOWEST
from daemon.store import demands, hearing, intake, passes
from daemon.store.inbox import Received
from daemon.store.tables import table
from metrics.catalog import REGISTRY
from tests.flows.rig import Rig

INBOX = table("inbox")
MINUTE = timedelta(minutes=1)
USED = "customer.updated"


class Killed(BaseException):
    """The process is gone, with whatever it had not committed."""


def test_a_poll_takes_in_what_happened_since_we_listen_and_marks_it_once(rig_anywhere: Rig) -> None:
    rig = rig_anywhere
    rig.poll.listen(rig.slug)
    happened = _happen(rig, 3)
    assert rig.poll.poll(rig.slug, at_once=True) == 3
    assert _known(rig) == set(happened)
    assert rig.marked("customer", reading=True) == {"cus_0", "cus_1", "cus_2"}
    assert rig.woken[rig.slug] == 1
    rig.forget_marks()
    assert rig.poll.poll(rig.slug, at_once=True) == 0
    assert rig.marked("customer") == set()


def test_a4_an_event_that_becomes_visible_late_is_taken_in_although_newer_ones_were(
    rig_anywhere: Rig,
) -> None:
    """Trap A4: an event that becomes visible below the cursor."""
    rig = rig_anywhere
    rig.poll.listen(rig.slug)
    rig.world(lambda: setattr(rig.account.faults, "events_visible_after_s", 90))
    rig.world(lambda: setattr(rig.account.faults, "events_delayed_every", 2))
    happened = _happen(rig, 4)
    assert rig.poll.poll(rig.slug, at_once=True) == 2
    rig.advance(timedelta(seconds=30))
    _happen(rig, 1)
    rig.poll.poll(rig.slug, at_once=True)
    rig.advance(timedelta(seconds=120))
    rig.poll.poll(rig.slug, at_once=True)
    assert set(happened) <= _known(rig)


def test_a5_none_of_150_events_of_one_second_is_lost_or_taken_in_twice_when_a_poll_is_cut(
    rig_anywhere: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap A5: many events of one second, cut between two pages."""
    rig = rig_anywhere
    rig.poll.listen(rig.slug)
    happened = _happen(rig, 150)
    taken: list[int] = []
    take_in = intake.take_in

    def cut(session: Any, events: Sequence[Received], now: Any) -> list[bool]:
        answers = take_in(session, events, now)
        taken.append(sum(answers))
        return answers

    monkeypatch.setattr(intake, "take_in", cut)
    page = Reader.page

    def dies_at_the_second(reader: Reader, resource: Resource, **query: Any) -> Page:
        if query.get("starting_after"):
            raise Killed
        return page(reader, resource, **query)

    monkeypatch.setattr(Reader, "page", dies_at_the_second)
    with pytest.raises(Killed):
        rig.poll.poll(rig.slug, at_once=True)
    assert len(_known(rig)) == 100
    monkeypatch.setattr(Reader, "page", page)
    rig.start()
    rig.poll.poll(rig.slug, at_once=True)
    assert _known(rig) == set(happened)
    assert sum(taken) == 150


def test_a6_after_four_days_everything_is_recovered(rig_anywhere: Rig) -> None:
    """Trap A6: down for longer than webhooks are retried."""
    rig = rig_anywhere
    rig.poll.listen(rig.slug)
    rig.poll.poll(rig.slug, at_once=True)
    happened = []
    for _ in range(4):
        rig.advance(timedelta(days=1))
        happened += _happen(rig, 60)
    rig.start()
    assert rig.poll.poll(rig.slug) == 240
    assert set(happened) == _known(rig)
    with rig.store.reading() as session:
        assert hearing.gap(session, rig.slug) is None


def test_a6_after_31_days_the_gap_is_said_a_whole_sweep_is_forced_and_the_watermark_stays(
    rig_anywhere: Rig,
) -> None:
    """Trap A6: down for longer than Stripe keeps events."""
    rig = rig_anywhere
    rig.sweep.sweep(rig.slug)
    rig.poll.poll(rig.slug, at_once=True)
    _happen(rig, 1)
    before = _position(rig).complete
    rig.forget_marks()
    rig.advance(timedelta(days=31))
    rig.start()
    _happen(rig, 1)
    rig.poll.poll(rig.slug)
    rig.poll.poll(rig.slug, at_once=True)
    with rig.store.reading() as session:
        gap, demand = hearing.gap(session, rig.slug), demands.standing(session, rig.slug)
    assert gap is not None
    assert demand is not None
    assert demand.whole
    assert gap.until - gap.since > timedelta(days=31)
    assert _position(rig).complete == before
    assert rig.marked("account", reading=False) == {rig.slug}
    assert not rig.sweep.sweep(rig.slug).unread
    rig.poll.poll(rig.slug, at_once=True)
    with rig.store.reading() as session:
        assert hearing.gap(session, rig.slug) is None
    assert _position(rig).complete > before + 31 * 86_400 - 120


def test_the_cursor_does_not_move_before_everything_was_taken_in(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.poll.listen(rig.slug)
    _happen(rig, 120)
    before = _position(rig)
    page = Reader.page

    def away(reader: Reader, resource: Resource, **query: Any) -> Page:
        if query.get("starting_after"):
            raise Unreachable("Stripe is away.")
        return page(reader, resource, **query)

    monkeypatch.setattr(Reader, "page", away)
    assert rig.poll.poll(rig.slug, at_once=True) == 0
    assert _position(rig) == before
    with rig.store.reading() as session:
        assert [each.class_name for each in passes.outages(session)] == ["events"]
    monkeypatch.setattr(Reader, "page", page)
    assert rig.poll.poll(rig.slug, at_once=True) == 20
    with rig.store.reading() as session:
        assert not passes.outages(session)


def test_a_poll_that_failed_is_not_made_again_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.poll.listen(rig.slug)
    rig.advance(2 * MINUTE)
    page = Reader.page
    asked: list[str] = []

    def away(reader: Reader, resource: Resource, **query: Any) -> Page:
        asked.append(resource.name)
        raise Unreachable("Stripe is away.")

    monkeypatch.setattr(Reader, "page", away)
    for _ in range(5):
        rig.poll.poll(rig.slug)
    assert asked == ["events"]
    monkeypatch.setattr(Reader, "page", page)
    rig.advance(MINUTE)
    assert _due(rig)


def test_what_a_webhook_brought_is_no_news_to_a_poll(rig: Rig) -> None:
    rig.poll.listen(rig.slug)
    (event,) = _happen(rig, 1)
    _deliver(rig, event)
    rig.forget_marks()
    assert rig.poll.poll(rig.slug, at_once=True) == 0
    assert rig.marked("customer") == set()


def test_the_snapshot_twin_of_a_thin_event_is_no_news_to_a_poll(rig: Rig) -> None:
    rig.poll.listen(rig.slug)
    (event,) = _happen(rig, 1)
    _deliver(rig, objects.thin_id(event), twin=event)
    rig.forget_marks()
    assert rig.poll.poll(rig.slug, at_once=True) == 0
    assert rig.marked("customer") == set()
    rig.advance(30 * MINUTE)
    rig.poll.poll(rig.slug, at_once=True)
    assert _missed(rig) == 0


def test_an_event_that_no_webhook_brings_in_time_counts_as_missed_once(rig_anywhere: Rig) -> None:
    rig = rig_anywhere
    rig.poll.listen(rig.slug)
    before = _gap_events()
    _happen(rig, 2)
    late, *_ = _happen(rig, 1)
    _happen(rig, 1, type="customer.discount.created")  # nobody uses it, so nobody sends it
    rig.poll.poll(rig.slug, at_once=True)
    rig.advance(5 * MINUTE)
    _deliver(rig, late)
    rig.poll.poll(rig.slug, at_once=True)
    assert (_missed(rig), _gap_events() - before) == (0, 0)
    rig.advance(10 * MINUTE)
    rig.forget_marks()
    rig.poll.poll(rig.slug, at_once=True)
    assert (_missed(rig), _gap_events() - before) == (2, 2)
    assert rig.marked("account", reading=False) == {rig.slug}
    rig.advance(5 * MINUTE)
    rig.poll.poll(rig.slug, at_once=True)
    assert _gap_events() - before == 2


def test_missed_events_count_until_webhooks_have_brought_everything_for_an_hour(rig: Rig) -> None:
    rig.poll.listen(rig.slug)
    _happen(rig, 2)
    rig.poll.poll(rig.slug, at_once=True)
    rig.advance(90 * MINUTE)
    rig.poll.poll(rig.slug, at_once=True)
    assert _missed(rig) == 2  # no webhook has come since
    _deliver(rig, "evt_other")
    rig.forget_marks()
    rig.poll.poll(rig.slug, at_once=True)
    assert _missed(rig) == 0
    assert rig.marked("account", reading=False) == {rig.slug}


def test_without_a_webhook_secret_nothing_is_missed_and_polls_stay_frequent(rig: Rig) -> None:
    rig.edit("webhook_secrets", None)
    rig.poll.listen(rig.slug)
    before = _gap_events()
    _happen(rig, 2)
    for _ in range(5):
        rig.poll.poll(rig.slug, at_once=True)
        rig.advance(30 * MINUTE)
    assert _gap_events() == before
    assert _position(rig).interval_s == 60


def test_polls_become_rare_while_webhooks_bring_everything(rig: Rig) -> None:
    rig.poll.listen(rig.slug)
    intervals = _live_well(rig, timedelta(hours=3))
    assert intervals[:50] == [60] * 50
    assert intervals[-1] == SLOWEST.total_seconds()
    assert sorted(intervals) == intervals
    assert {60, 120, 240, 480, 960, 1800} == set(intervals)


def test_silence_a_missed_event_or_a_restart_bring_frequent_polls_back(rig: Rig) -> None:
    rig.poll.listen(rig.slug)
    _live_well(rig, timedelta(hours=2))
    rig.poll.poll(rig.slug, at_once=True)
    assert not _due(rig)
    rig.advance(4 * MINUTE)
    assert _due(rig), "three polls' time without any webhook"

    _live_well(rig, timedelta(hours=2))
    rig.poll.poll(rig.slug, at_once=True)
    rig.advance(MINUTE)
    assert not _due(rig)
    rig.start()
    assert _due(rig), "a restart"

    _live_well(rig, timedelta(hours=2))
    _happen(rig, 1)
    rig.poll.poll(rig.slug, at_once=True)
    for number in range(12):
        rig.advance(MINUTE)
        _deliver(rig, f"evt_heard_{number}_{rig.sandbox.world.clock.now()}")
    rig.poll.poll(rig.slug, at_once=True)
    assert _position(rig).interval_s == 60, "a missed event"


def test_what_is_wrong_with_the_endpoint_is_found_out_when_events_are_missed(rig: Rig) -> None:
    rig.world(lambda: listen(rig.sandbox.world, "https://reconciled.example.com"))
    rig.poll.listen(rig.slug)
    rig.poll.poll(rig.slug, at_once=True)
    assert _trouble(rig) == ()
    rig.change_endpoint(status="disabled")
    _happen(rig, 1)
    rig.poll.poll(rig.slug, at_once=True)
    rig.advance(16 * MINUTE)
    rig.poll.poll(rig.slug, at_once=True)
    assert _trouble(rig) == ("disabled",)
    rig.change_endpoint(status="enabled", enabled_events=["charge.refunded"], api_version="2020-08-27")
    rig.advance(16 * MINUTE)
    rig.poll.poll(rig.slug, at_once=True)
    assert _trouble(rig) == ("missing_types", "other_version")
    rig.change_endpoint(enabled_events=["*"], api_version=None)
    _deliver(rig, "evt_heard")
    rig.advance(16 * MINUTE)
    rig.poll.poll(rig.slug, at_once=True)
    assert _trouble(rig) == ()


def test_a_key_that_may_not_read_events_is_said_and_sweeps_go_on(rig: Rig) -> None:
    key = key_of(rig.account, "read")
    rig.world(lambda: rig.account.add_key(key, READ - {"rak_event_read"}))
    rig.customers(1, 2)
    assert not rig.sweep.sweep(rig.slug).unread
    assert rig.poll.poll(rig.slug, at_once=True) == 0
    with rig.store.reading() as session:
        assert {each.class_name: one.reason for each, one in passes.outages(session).items()} == {
            "events": "permission"
        }


def test_an_account_without_any_event_is_polled_from_its_beginning(rig: Rig) -> None:
    rig.poll.listen(rig.slug)
    assert _position(rig).newest is None
    rig.advance(timedelta(days=3))
    assert rig.poll.poll(rig.slug) == 0
    happened = _happen(rig, 2)
    rig.poll.poll(rig.slug, at_once=True)
    assert _known(rig) == set(happened)


def _happen(rig: Rig, count: int, type: str = USED) -> list[str]:
    """Customers change, in one second; gives the events, the first one first."""
    now = rig.sandbox.world.clock.now()
    made = [
        objects.customer(
            f"cus_{n}",
            created=now,
            name="A",
            email="a@example.com",
            currency="eur",
            livemode=rig.account.livemode,
        )
        for n in range(count)
    ]
    return rig.world(lambda: [rig.account.emit(type, rig.account.put(each))["id"] for each in made])


def _deliver(rig: Rig, event: str, twin: str | None = None) -> None:
    """As a webhook brings it."""
    received = Received(
        rig.slug, event, USED, "customer", "cus_0", rig.now(), rig.account.livemode, "webhook", twin_id=twin
    )
    with rig.store.transaction() as session:
        intake.take_in(session, [received], rig.now())


def _live_well(rig: Rig, long: timedelta) -> list[int]:
    """Minutes in which events happen and webhooks bring them; gives the interval after every poll."""
    intervals = []
    for _ in range(int(long / MINUTE)):
        (event,) = _happen(rig, 1)
        _deliver(rig, event)
        rig.advance(MINUTE)
        if _due(rig):
            rig.poll.poll(rig.slug)
            intervals.append(_position(rig).interval_s)
    return intervals


def _due(rig: Rig) -> bool:
    with rig.store.reading() as session:
        return rig.poll.due(session, rig.now()) == [rig.slug]


def _known(rig: Rig) -> set[str]:
    return {row.event_id for row in rig.rows(select(INBOX.c.event_id))}


def _position(rig: Rig) -> hearing.Position:
    with rig.store.reading() as session:
        found = hearing.position(session, rig.slug)
    assert found is not None
    return found


def _missed(rig: Rig) -> int:
    return _position(rig).missed


def _trouble(rig: Rig) -> tuple[str, ...]:
    with rig.store.reading() as session:
        found = hearing.endpoint(session, rig.slug)
    assert found is not None
    return found.trouble


def _gap_events() -> float:
    return REGISTRY.get_sample_value("reconciled_gap_events_found_total") or 0.0
