"""Sweeps of Stripe: everything is read, once, whatever happens meanwhile."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from accounts.errors import Unreachable
from accounts.sandbox import objects
from accounts.sandbox.business.opening import READ, key_of
from accounts.stripe.reads import Page, Reader
from accounts.stripe.resources import BY_NAME, Resource
from daemon.observe import keeping
from daemon.store import hearing, passes
from daemon.store.marks import next_mark
from daemon.store.tables import table
from daemon.sweep.classes import CLASSES, Class
from daemon.sweep.report import Step, Swept
from tests.flows.rig import DAY_S, SNAPSHOTS, Rig

CUSTOMERS = tuple(each for each in CLASSES if each.resource.name == "customers")
HOURS = timedelta(hours=7)  # until everything is due again


class Killed(BaseException):
    """The process is gone, with whatever it had not committed."""


def test_a_first_sweep_reads_every_class_and_then_has_everything_judged_once(rig_anywhere: Rig) -> None:
    rig = rig_anywhere
    ids = rig.customers(*range(0, 1_000, 4))
    swept = rig.sweep.sweep(rig.slug)
    assert not swept.unread
    assert rig.stored("customer") == set(ids)
    assert swept.complete["customers"] == 250
    assert {each.resource.name for each in CLASSES} <= rig.complete()
    assert rig.judged_again == [rig.slug]
    assert rig.under_way() == set()


def test_a_long_class_is_read_in_several_slices_and_nothing_of_it_twice(rig: Rig) -> None:
    ids = rig.customers(*range(0, 300 * DAY_S, DAY_S // 4))
    seen: list[Step] = []
    rig.start(CUSTOMERS)
    swept = rig.sweep.sweep(rig.slug, watch=seen.append)
    assert rig.stored("customer") == set(ids)
    assert swept.complete == {"customers": len(ids)}
    assert rig.reads()["/v1/customers"] <= len(ids) / 100 + 2 * 8 + 12
    assert [step.objects for step in seen] == sorted(step.objects for step in seen)
    assert seen[-1].objects == len(ids)


def test_b1_a_subscription_that_was_canceled_while_nobody_looked_is_found_canceled(rig_anywhere: Rig) -> None:
    """Trap B1: canceled during an outage."""
    rig = rig_anywhere
    now = rig.sandbox.world.clock.now()
    active = _subscription(rig, "sub_1", now)
    rig.sweep.sweep(rig.slug)
    canceled = active | {"status": "canceled", "canceled_at": now, "ended_at": now}
    rig.world(lambda: rig.account.put(canceled))
    rig.forget_marks()
    rig.advance(HOURS)
    rig.sweep.sweep(rig.slug)
    assert _statuses(rig, "subscription") == {"sub_1": "canceled"}
    assert rig.marked("customer", reading=False) == {"cus_1"}


@pytest.mark.parametrize("before_it_was_kept", [True, False])
def test_b2_a_sweep_that_is_killed_at_any_page_goes_on_and_reads_at_most_that_page_again(
    rig_anywhere: Rig, before_it_was_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap B2: it dies at every page."""
    rig = rig_anywhere
    ids = rig.customers(*range(0, 950, 1))
    deaths = 0
    keep = keeping.keep

    def die_before(*given: Any, **named: Any) -> Any:
        raise Killed

    def die_after(step: Step) -> None:
        raise Killed

    while True:
        rig.start(CUSTOMERS, slices=1)
        if before_it_was_kept:
            # This page arrives and is lost; the next life must ask for it again, and gets one page further.
            monkeypatch.setattr(keeping, "keep", die_before)
            with pytest.raises(Killed):
                rig.sweep.sweep(rig.slug)
            monkeypatch.setattr(keeping, "keep", keep)
            deaths += 1
        try:
            rig.sweep.sweep(rig.slug, watch=die_after)
            break
        except Killed:
            deaths += 1
            if len(rig.stored("customer")) == len(ids):
                rig.start(CUSTOMERS, slices=1)
                rig.sweep.sweep(rig.slug)
                break
    assert rig.stored("customer") == set(ids)
    assert rig.complete() == {"customers"}
    pages = -(-len(ids) // 100)
    assert deaths >= pages
    assert rig.reads()["/v1/customers"] == pages * (2 if before_it_was_kept else 1)


def test_b2_a_process_that_is_killed_with_kill_9_loses_nothing_that_it_said_it_had(
    rig_anywhere: Rig, url: str
) -> None:
    """Trap B2: a real kill -9."""
    rig = rig_anywhere
    ids = rig.customers(*range(0, 100 * DAY_S, DAY_S // 40))
    said: list[str] = []
    for pages in (2, 5):
        command = [sys.executable, "-m", "tests.flows.sweeper", str(rig.file), url]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            said += [process.stdout.readline() for _ in range(pages)]
            process.kill()
        assert process.returncode == -signal.SIGKILL
    kept = len(rig.stored("customer"))
    assert kept >= max((int(line.split()[1]) for line in said if line.startswith("customers")), default=0)
    rig.start()
    while rig.sweep.sweep(rig.slug).elsewhere:
        pass
    assert rig.stored("customer") == set(ids)
    pages_of_all, deaths, slices = -(-len(ids) // 100), 2, 8
    # Each slice may have waited for one page at each death; and every slice may read one page beyond its end.
    assert rig.reads()["/v1/customers"] <= pages_of_all + (deaths + 2) * slices + 12


def test_b3_and_b4_ten_thousand_objects_of_one_second_are_read_in_a_bounded_number_of_requests(
    rig_anywhere: Rig,
) -> None:
    """Traps B3 and B4: a second that is larger than any page."""
    rig = rig_anywhere
    dense = rig.customers(*[40 * DAY_S] * 10_000, prefix="cus_dense")
    around = rig.customers(*range(0, 80 * DAY_S, DAY_S // 3), prefix="cus_around")
    rig.start(CUSTOMERS)
    swept = rig.sweep.sweep(rig.slug)
    assert rig.stored("customer") == {*dense, *around}
    assert not swept.missing
    assert rig.reads()["/v1/customers"] <= 103 + 40


def test_b5_a_sweep_goes_on_when_the_object_that_its_cursor_stands_on_is_deleted(rig_anywhere: Rig) -> None:
    """Trap B5: the cursor's object is gone."""
    rig = rig_anywhere
    ids = rig.customers(*range(500))
    rig.start(CUSTOMERS, slices=1)
    deleted: list[str] = []

    def delete_the_last(step: Step) -> None:
        if not deleted:
            deleted.append(ids[99])
            rig.world(lambda: rig.account.delete("customer", ids[99]))

    swept = rig.sweep.sweep(rig.slug, watch=delete_the_last)
    assert not swept.unread
    assert rig.stored("customer") == set(ids)


def test_b6_events_are_followed_before_the_first_page_so_that_nothing_falls_between(
    rig_anywhere: Rig,
) -> None:
    """Trap B6: objects come and change while the first pass runs."""
    rig = rig_anywhere
    ids = rig.customers(*range(500))
    _emit(rig, ids[400])
    rig.start(CUSTOMERS, slices=1)
    changed: list[str] = []

    def change_what_was_read(step: Step) -> None:
        if not changed:
            changed.extend([ids[0], *rig.customers(0, prefix="cus_new")])
            _emit(rig, *changed)

    rig.sweep.sweep(rig.slug, watch=change_what_was_read)
    rig.advance(timedelta(hours=1))
    _emit(rig, ids[300])
    rig.poll.poll(rig.slug, at_once=True)
    assert set(changed) <= rig.marked("customer", reading=True)


def test_b7_twelve_refunds_of_a_charge_and_all_items_of_a_subscription_are_known(rig_anywhere: Rig) -> None:
    """Trap B7: more parts than an object shows."""
    rig = rig_anywhere
    now = rig.sandbox.world.clock.now()
    charge = objects.charge("ch_1", created=now, amount=12_000, currency="eur", customer="cus_1")
    refunds = [
        objects.refund(f"re_{n}", created=now + n, amount=100, currency="eur", charge="ch_1")
        for n in range(12)
    ]
    rig.world(lambda: [rig.account.put(each) for each in (charge, *refunds)])
    _subscription(rig, "sub_1", now, items=25)
    rig.sweep.sweep(rig.slug)
    assert rig.stored("refund") == {f"re_{n}" for n in range(12)}
    owners = {row.customer for row in rig.rows(select(SNAPSHOTS).where(SNAPSHOTS.c.class_name == "refund"))}
    assert owners == {"cus_1"}
    (row,) = rig.rows(select(SNAPSHOTS).where(SNAPSHOTS.c.class_name == "subscription"))
    assert bytes(row.body).count(b'"si_') == 25


def test_b8_only_the_classes_that_failed_are_read_again(
    rig_anywhere: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap B8: a pass that failed in parts is complete in parts."""
    rig = rig_anywhere
    rig.customers(1, 2, 3)
    down = {"charges", "disputes", "invoices"}
    asked = _unreachable(monkeypatch, down)
    swept = rig.sweep.sweep(rig.slug)
    assert set(swept.unread) == down
    assert rig.under_way() == down
    assert not rig.complete() & down
    assert _outages(rig) == dict.fromkeys(down, "unreachable")
    down.clear()
    asked.clear()
    rig.sweep.sweep(rig.slug)  # it is too early
    assert not asked
    rig.advance(timedelta(minutes=2))
    rig.sweep.sweep(rig.slug)
    assert set(asked) == {"charges", "disputes", "invoices"}
    assert {"charges", "disputes", "invoices"} <= rig.complete()
    assert _outages(rig) == {}
    assert rig.judged_again == [rig.slug, rig.slug]


def test_b9_a_restart_neither_begins_anew_nor_asks_for_anything(rig_anywhere: Rig) -> None:
    """Trap B9: a restart is no reason to read."""
    rig = rig_anywhere
    rig.customers(*range(300))
    rig.sweep.sweep(rig.slug)
    before = sum(rig.reads().values())
    for _ in range(3):
        rig.start()
        assert rig.sweep.sweep(rig.slug) == Swept(rig.slug)
        with rig.store.reading() as session:
            assert rig.sweep.due(session, rig.now()) == []
    assert sum(rig.reads().values()) == before


def test_b10_a_page_does_not_overwrite_what_an_event_brought_after_it_was_asked_for(
    rig_anywhere: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap B10: a page that is older than what an event brought."""
    rig = rig_anywhere
    now = rig.sandbox.world.clock.now()
    old = _subscription(rig, "sub_1", now)
    page = Reader.page

    def overtaken(reader: Reader, resource: Resource, **query: Any) -> Page:
        answer = page(reader, resource, **query)
        if resource.name == "subscriptions":
            changed = old | {"status": "past_due"}
            rig.world(lambda: rig.account.put(changed))
            one = page(reader, resource, **query).items
            with rig.store.transaction() as session:
                seen = next_mark(session)
                landscape = rig.cartographer.landscape(session)
                keeping.keep(
                    session, landscape, rig.slug, "subscription", one, seen=seen, observed_at=rig.now()
                )
        return answer

    monkeypatch.setattr(Reader, "page", overtaken)
    rig.sweep.sweep(rig.slug)
    assert _statuses(rig, "subscription") == {"sub_1": "past_due"}


def test_b12_objects_without_a_time_of_creation_are_read_by_cursor_alone(rig_anywhere: Rig) -> None:
    """Trap B12: no time of creation to slice by."""
    rig = rig_anywhere
    made = [
        objects.feature(f"feat_{n:03d}", name="A", lookup_key=f"f{n}", livemode=rig.account.livemode)
        for n in range(250)
    ]
    rig.world(lambda: [rig.account.put(each) for each in made])
    rig.start([Class(BY_NAME["features"])])
    swept = rig.sweep.sweep(rig.slug)
    assert {each["id"] for each in made} <= rig.stored("entitlements.feature")
    assert swept.complete["features"] >= 250


def test_a21_what_no_event_told_is_found_by_the_next_sweep_and_judged_without_reading_again(
    rig_anywhere: Rig,
) -> None:
    """Trap A21: an event that Stripe never made."""
    rig = rig_anywhere
    now = rig.sandbox.world.clock.now()
    sub = _subscription(rig, "sub_1", now)
    rig.sweep.sweep(rig.slug)
    rig.forget_marks()
    rig.world(lambda: rig.account.put(sub | {"status": "past_due"}))
    rig.advance(HOURS)
    rig.sweep.sweep(rig.slug)
    assert _statuses(rig, "subscription") == {"sub_1": "past_due"}
    assert rig.marked("customer", reading=False) == {"cus_1"}
    assert rig.marked("customer", reading=True) == set()


def test_a_second_sweep_of_an_unchanged_world_moves_only_the_numbers_of_observation(
    rig_anywhere: Rig,
) -> None:
    """Trap D9: nothing changed, nothing is written."""
    rig = rig_anywhere
    rig.customers(*range(250))
    _subscription(rig, "sub_1", rig.sandbox.world.clock.now())
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


def test_an_object_that_is_not_understood_is_left_to_looks_and_hides_no_other(rig: Rig) -> None:
    ids = rig.customers(*range(120))
    strange = rig.world(lambda: rig.account.get("customer", ids[7]))
    assert strange is not None
    rig.world(lambda: rig.account.put(strange | {"balance": "a lot"}))
    rig.start(CUSTOMERS)
    swept = rig.sweep.sweep(rig.slug)
    assert (swept.not_understood, swept.complete) == (1, {"customers": 120})
    assert rig.stored("customer") == set(ids) - {ids[7]}
    assert rig.marked("customer", reading=True) == {ids[7]}


def test_a_class_without_permission_is_known_to_be_unread_and_the_others_go_on(rig: Rig) -> None:
    key = key_of(rig.account, "read")
    rig.world(lambda: rig.account.add_key(key, READ - {"rak_dispute_read"}))
    swept = rig.sweep.sweep(rig.slug)
    assert set(swept.unread) == {"disputes"}
    assert _outages(rig) == {"disputes": "permission"}
    assert {each.resource.name for each in CLASSES} - {"disputes"} <= rig.complete()
    rig.world(lambda: rig.account.add_key(key, READ))
    rig.start()  # or after a while: a permission is tried again every quarter of an hour
    rig.advance(timedelta(minutes=2))
    assert set(rig.sweep.sweep(rig.slug).complete) == {"disputes"}
    assert _outages(rig) == {}


def test_coupons_that_may_not_be_read_silence_only_what_needs_them(rig: Rig) -> None:
    key = key_of(rig.account, "read")
    rig.world(lambda: rig.account.add_key(key, READ - {"rak_coupon_read"}))
    _subscription(rig, "sub_1", rig.sandbox.world.clock.now())
    swept = rig.sweep.sweep(rig.slug)
    assert not swept.unread
    assert _outages(rig) == {"coupons": "permission"}


def test_a_key_that_does_not_work_is_written_down_and_nothing_counts_as_absent(rig: Rig) -> None:
    rig.customers(1, 2, 3)
    rig.sweep.sweep(rig.slug)
    key = key_of(rig.account, "read")
    rig.world(lambda: setattr(rig.account.keys[key], "revoked", True))
    rig.forget_marks()
    rig.advance(HOURS)
    swept = rig.sweep.sweep(rig.slug)
    assert swept.complete == {}
    assert _outages(rig) == {"key": "revoked"}
    assert rig.marked("customer") == set()
    assert len(rig.stored("customer")) == 3


def test_two_sweeps_of_an_account_never_overlap(rig_anywhere: Rig) -> None:
    rig = rig_anywhere
    rig.customers(*range(150))
    others: list[Swept] = []

    def sweep_too(step: Step) -> None:
        if not others:
            thread = threading.Thread(target=lambda: others.append(rig.sweep.sweep(rig.slug)))
            thread.start()
            thread.join(30)

    rig.sweep.sweep(rig.slug, watch=sweep_too)
    assert [each.elsewhere for each in others] == [True]
    assert rig.sweep.sweep(rig.slug) == Swept(rig.slug)


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


def test_a_sweep_that_died_after_its_last_page_still_has_everything_judged_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.customers(1, 2)
    conclude = rig.sweep._conclude

    def die(account: str) -> None:
        raise Killed

    monkeypatch.setattr(rig.sweep, "_conclude", die)
    with pytest.raises(Killed):
        rig.sweep.sweep(rig.slug)
    assert rig.judged_again == []
    monkeypatch.setattr(rig.sweep, "_conclude", conclude)
    rig.start()
    with rig.store.reading() as session:
        assert rig.sweep.due(session, rig.now()) == [rig.slug]
    rig.sweep.sweep(rig.slug)
    assert rig.judged_again == [rig.slug]


def test_a_sweep_tells_stripes_read_allocation_how_many_transactions_there_were(rig: Rig) -> None:
    now = rig.sandbox.world.clock.now()
    made = [objects.charge(f"ch_{n}", created=now - n * DAY_S, amount=100, currency="eur") for n in range(40)]
    rig.world(lambda: [rig.account.put(each) for each in made])
    rig.sweep.sweep(rig.slug)
    (row,) = rig.rows(select(table("transaction_meter")))
    assert row.transactions in (30, 31)


def _emit(rig: Rig, *customers: str) -> None:
    def emit() -> None:
        for each in customers:
            rig.account.emit("customer.updated", rig.account.get("customer", each) or {})

    rig.world(emit)


def _subscription(rig: Rig, id: str, now: int, items: int = 1) -> dict[str, Any]:
    price = next(iter(rig.world(lambda: list(rig.account.newest_first("price")))))
    made = [
        objects.subscription_item(
            f"si_{id}_{n}", created=now, subscription=id, price=price, period=(now, now + 30 * DAY_S)
        )
        for n in range(items)
    ]
    one = objects.subscription(id, created=now, customer="cus_1", items=made, livemode=rig.account.livemode)
    return rig.world(lambda: rig.account.put(one))


def _invoice(id: str, created: int, status: str) -> dict[str, Any]:
    return objects.invoice(id, created=created, customer="cus_1", lines=[], currency="eur", status=status)


def _statuses(rig: Rig, class_name: str) -> dict[str, str]:
    query = select(SNAPSHOTS.c.id, SNAPSHOTS.c.status).where(SNAPSHOTS.c.class_name == class_name)
    return {row.id: row.status for row in rig.rows(query)}


def _numbers(rig: Rig) -> dict[str, int]:
    query = select(SNAPSHOTS.c.id, SNAPSHOTS.c.seen).where(SNAPSHOTS.c.class_name.in_(["charge", "invoice"]))
    return {row.id: row.seen for row in rig.rows(query)}


def _content(rig: Rig) -> list[dict[str, Any]]:
    """Everything that is stored of Stripe, without when it was seen."""
    rows = [row._asdict() for row in rig.rows(select(SNAPSHOTS).order_by(*SNAPSHOTS.primary_key))]
    return [
        {name: value for name, value in row.items() if name not in ("seen", "observed_at")} for row in rows
    ]


def _outages(rig: Rig) -> dict[str, str]:
    with rig.store.reading() as session:
        return {each.class_name: outage.reason for each, outage in passes.outages(session).items()}


def _unreachable(monkeypatch: pytest.MonkeyPatch, down: set[str]) -> list[str]:
    """These resources do not answer; gives what was asked for."""
    asked: list[str] = []
    page: Callable[..., Page] = Reader.page

    def maybe(reader: Reader, resource: Resource, **query: Any) -> Page:
        asked.append(resource.name)
        if resource.name in down:
            raise Unreachable("Stripe is away.", account=reader.account)
        return page(reader, resource, **query)

    monkeypatch.setattr(Reader, "page", maybe)
    return asked
