"""Later sweeps: when they are due, what they read again, and what they find that no event told."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from accounts.sandbox import objects
from daemon.store import hearing
from daemon.store.tables import table
from daemon.sweep.classes import CLASSES
from tests.flows.kept import HOURS, statuses, subscription
from tests.flows.rig import DAY_S, SNAPSHOTS, Rig


def test_b1_a_subscription_that_was_canceled_while_nobody_looked_is_found_canceled(rig_anywhere: Rig) -> None:
    """Trap B1: canceled during an outage."""
    rig = rig_anywhere
    now = rig.sandbox.world.clock.now()
    active = subscription(rig, "sub_1", now)
    rig.sweep.sweep(rig.slug)
    canceled = active | {"status": "canceled", "canceled_at": now, "ended_at": now}
    rig.world(lambda: rig.account.put(canceled))
    rig.forget_marks()
    rig.advance(HOURS)
    rig.sweep.sweep(rig.slug)
    assert statuses(rig, "subscription") == {"sub_1": "canceled"}
    assert rig.marked("customer", reading=False) == {"cus_1"}


def test_a21_what_no_event_told_is_found_by_the_next_sweep_and_judged_without_reading_again(
    rig_anywhere: Rig,
) -> None:
    """Trap A21: an event that Stripe never made."""
    rig = rig_anywhere
    now = rig.sandbox.world.clock.now()
    sub = subscription(rig, "sub_1", now)
    rig.sweep.sweep(rig.slug)
    rig.forget_marks()
    rig.world(lambda: rig.account.put(sub | {"status": "past_due"}))
    rig.advance(HOURS)
    rig.sweep.sweep(rig.slug)
    assert statuses(rig, "subscription") == {"sub_1": "past_due"}
    assert rig.marked("customer", reading=False) == {"cus_1"}
    assert rig.marked("customer", reading=True) == set()


def test_a_second_sweep_of_an_unchanged_world_moves_only_the_numbers_of_observation(
    rig_anywhere: Rig,
) -> None:
    """Trap D9: nothing changed, nothing is written."""
    rig = rig_anywhere
    rig.customers(*range(250))
    subscription(rig, "sub_1", rig.sandbox.world.clock.now())
    rig.sweep.sweep(rig.slug)
    rig.forget_marks()
    before = _content(rig)
    rig.advance(HOURS)
    swept = rig.sweep.sweep(rig.slug)
    assert len(swept.complete) >= len(CLASSES)
    assert _content(rig) == before
    assert rig.rows(select(table("worklist"))) == []
    assert rig.rows(select(table("journal"))) == []


def test_what_is_not_listed_any_more_is_read_by_its_id_and_not_taken_for_gone(rig_anywhere: Rig) -> None:
    rig = rig_anywhere
    ids = rig.customers(*range(150))
    rig.sweep.sweep(rig.slug)
    rig.forget_marks()
    rig.world(lambda: rig.account.delete("customer", ids[70]))
    rig.advance(HOURS)
    swept = rig.sweep.sweep(rig.slug)
    assert swept.missing == 1
    assert rig.marked("customer", reading=True) == {ids[70]}
    assert ids[70] in rig.stored("customer")


def test_a_review_that_was_closed_is_read_once_and_not_at_every_sweep(rig: Rig) -> None:
    now = rig.sandbox.world.clock.now()
    review = objects.review("prv_1", created=now, charge="ch_1", livemode=rig.account.livemode)
    rig.world(lambda: rig.account.put(review))
    rig.sweep.sweep(rig.slug)
    rig.world(
        lambda: rig.account.put(review | {"open": False, "reason": "approved", "closed_reason": "approved"})
    )
    rig.forget_marks()
    rig.advance(HOURS)
    assert rig.sweep.sweep(rig.slug).missing == 1
    with rig.store.transaction() as session:  # what the look does
        session.execute(SNAPSHOTS.update().where(SNAPSHOTS.c.id == "prv_1").values(status="closed"))
    rig.advance(HOURS)
    assert rig.sweep.sweep(rig.slug).missing == 0


def test_a_later_sweep_reads_what_is_young_or_open_and_what_is_old_only_every_month(rig: Rig) -> None:
    now = rig.sandbox.world.clock.now()
    old, young = now - 100 * DAY_S, now - DAY_S
    made = [
        objects.charge("ch_old", created=old, amount=100, currency="eur"),
        objects.charge("ch_young", created=young, amount=100, currency="eur"),
        _invoice("in_old_open", old, "open"),
        _invoice("in_old_paid", old, "paid"),
    ]
    rig.world(lambda: [rig.account.put(each) for each in made])
    rig.sweep.sweep(rig.slug)
    assert rig.stored("charge") == {"ch_old", "ch_young"}
    assert {"charges:history", "invoices:history"} <= rig.complete()
    first = _numbers(rig)
    rig.advance(HOURS)
    rig.sweep.sweep(rig.slug)
    moved = {name for name, seen in _numbers(rig).items() if seen > first[name]}
    assert moved == {"ch_young", "in_old_open"}
    assert rig.marked("charge") == set()
    rig.advance(timedelta(days=31))
    rig.sweep.sweep(rig.slug)
    assert min(_numbers(rig).values()) > max(first.values())


def test_somebody_may_demand_a_sweep_before_it_is_due(rig: Rig) -> None:
    rig.sweep.sweep(rig.slug)
    rig.advance(timedelta(seconds=5))
    rig.sweep.demand(rig.slug)
    with rig.store.reading() as session:
        assert rig.sweep.due(session, rig.now()) == [rig.slug]
    assert "customers" in rig.sweep.sweep(rig.slug).complete
    with rig.store.reading() as session:
        assert rig.sweep.due(session, rig.now()) == []
    assert rig.sweep.sweep(rig.slug).complete == {}


def test_a_gap_in_the_events_is_closed_by_a_whole_sweep_that_begins_after_it(rig: Rig) -> None:
    rig.sweep.sweep(rig.slug)
    with rig.store.transaction() as session:
        gap = hearing.Gap(rig.now() - timedelta(days=40), rig.now())
        hearing.note_gap(session, rig.slug, gap, rig.now())
    rig.advance(timedelta(seconds=2))
    rig.sweep.demand(rig.slug)
    rig.sweep.sweep(rig.slug)
    with rig.store.reading() as session:
        assert hearing.gap(session, rig.slug) is not None  # what is old was not read
    rig.advance(timedelta(seconds=2))
    rig.sweep.demand(rig.slug, whole=True)
    rig.sweep.sweep(rig.slug)
    with rig.store.reading() as session:
        assert hearing.gap(session, rig.slug) is None


def _invoice(id: str, created: int, status: str) -> dict[str, Any]:
    return objects.invoice(id, created=created, customer="cus_1", lines=[], currency="eur", status=status)


def _numbers(rig: Rig) -> dict[str, int]:
    query = select(SNAPSHOTS.c.id, SNAPSHOTS.c.seen).where(SNAPSHOTS.c.class_name.in_(["charge", "invoice"]))
    return {row.id: row.seen for row in rig.rows(query)}


def _content(rig: Rig) -> list[dict[str, Any]]:
    """Everything that is stored of Stripe, without when it was seen."""
    rows = [row._asdict() for row in rig.rows(select(SNAPSHOTS).order_by(*SNAPSHOTS.primary_key))]
    return [
        {name: value for name, value in row.items() if name not in ("seen", "observed_at")} for row in rows
    ]
