"""Sweeps of Stripe: everything is read, once."""

from sqlalchemy import select

from accounts.sandbox import objects
from accounts.stripe.resources import BY_NAME
from daemon.store.tables import table
from daemon.sweep.classes import CLASSES, Class
from daemon.sweep.report import Step
from tests.flows.kept import CUSTOMERS, subscription
from tests.flows.rig import DAY_S, SNAPSHOTS, Rig


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
    subscription(rig, "sub_1", now, items=25)
    rig.sweep.sweep(rig.slug)
    assert rig.stored("refund") == {f"re_{n}" for n in range(12)}
    owners = {row.customer for row in rig.rows(select(SNAPSHOTS).where(SNAPSHOTS.c.class_name == "refund"))}
    assert owners == {"cus_1"}
    (row,) = rig.rows(select(SNAPSHOTS).where(SNAPSHOTS.c.class_name == "subscription"))
    assert bytes(row.body).count(b'"si_') == 25


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


def test_a_sweep_tells_stripes_read_allocation_how_many_transactions_there_were(rig: Rig) -> None:
    now = rig.sandbox.world.clock.now()
    made = [objects.charge(f"ch_{n}", created=now - n * DAY_S, amount=100, currency="eur") for n in range(40)]
    rig.world(lambda: [rig.account.put(each) for each in made])
    rig.sweep.sweep(rig.slug)
    (row,) = rig.rows(select(table("transaction_meter")))
    assert row.transactions in (30, 31)
