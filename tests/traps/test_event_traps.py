"""Events that come doubled, late, in any order, or after what they tell of is long over."""

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from accounts.budget import Purpose
from accounts.sandbox import objects
from accounts.sandbox.business.billing import newest_paid
from accounts.sandbox.business.disagreements import agreeing
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.business.trouble import dispute
from accounts.stripe.resources import BY_NAME
from accounts.stripe.shapes import ActiveEntitlement
from daemon.store.snapshots import SNAPSHOTS
from tests.loop.rig import Rig
from tests.traps.scene import EU, US, Event, Scene, notes, paying, stored_status

PAST_DUE, ACTIVE = {"status": "past_due"}, {"status": "active"}


def becomes(id: str, **changes: Any) -> Any:
    """A subscription changes, and Stripe tells."""
    return lambda shop: shop.change("subscription", id, "customer.subscription.updated", **changes)


def ends(id: str) -> Any:
    def do(shop: Shop) -> None:
        over: dict[str, Any] = {"status": "canceled", "canceled_at": shop.now, "ended_at": shop.now}
        shop.change("subscription", id, "customer.subscription.deleted", **over)

    return do


def disputed(customer: str, due_in_days: int = 2) -> Any:
    """A payment of this customer is disputed."""
    return lambda shop: dispute(
        shop, newest_paid(shop, customer), due_by=shop.now + due_in_days * DAY_S, ago_s=0
    )


@pytest.mark.parametrize("looking_between", [True, False])
def test_two_events_of_one_second_may_come_in_any_order_and_the_older_one_again(
    scene: Scene, looking_between: bool
) -> None:
    """Trap A2: the time of an event orders nothing; what is there is what counts."""
    for order in permutations(range(2)):
        sub = paying(scene.rig).id
        events = scene.happen(becomes(sub, **PAST_DUE)) + scene.happen(becomes(sub, **ACTIVE))
        second = max(each["created"] for each in events)
        events = [each | {"created": second} for each in events]
        for event in [*(events[number] for number in order), events[0]]:
            assert scene.deliver(event) == [200]
            if looking_between:
                scene.rig.rest()
                assert stored_status(scene.rig, "subscription", sub) == "active"
        scene.rig.rest()
        assert stored_status(scene.rig, "subscription", sub) == "active"


def test_an_update_that_comes_after_the_end_brings_nothing_back_to_life(scene: Scene) -> None:
    """Trap A3: what the older event says was true once."""
    rig, made = scene.rig, paying(scene.rig)
    update, end = *scene.happen(becomes(made.id, **ACTIVE)), *scene.happen(ends(made.id))
    scene.deliver(end)
    rig.rest()
    scene.deliver(update)
    rig.rest()
    assert stored_status(rig, "subscription", made.id) == "canceled"
    rig.sandbox.advance("11m")
    rig.read_records()
    rig.read_entitlements()
    rig.rest()
    assert rig.stands("access_without_payment", made.customer)


def test_what_was_stored_before_the_process_died_has_its_effect_after_the_restart(scene: Scene) -> None:
    """Trap A7: acknowledged, and nobody was woken for it any more."""
    rig, made = scene.rig, paying(scene.rig)
    told = scene.happen(disputed(made.customer))
    assert set(scene.deliver(*told)) == {200}
    rig.turns.waiting.clear()
    rig.start_again()
    assert made.customer not in {row.subject_id for row in rig.stands("dispute_deadline")}
    rig.rest()
    assert [row.subject_id for row in rig.stands("dispute_deadline")].count(made.customer) == 1


def test_objects_of_one_id_in_two_accounts_live_and_die_apart(rig: Rig) -> None:
    """Trap A14: each account has its own row, its own cases, and its own tombstone."""
    shared = "cus_the_same_in_both"

    def appear(shop: Shop) -> None:
        made = objects.customer(
            shared,
            created=shop.now,
            name="A",
            email=f"a@{shop.account.slug}.example.com",
            currency="eur",
            livemode=shop.account.livemode,
        )
        shop.keep(made, "customer.created")

    for account in (EU, US):
        rig.on(account, appear)
    rig.hear()
    rig.rest()
    assert deleted(rig, shared) == {EU: False, US: False}
    rig.on(EU, lambda shop: shop.account.delete("customer", shared))
    rig.mark(EU, "customer", shared)
    rig.rest()
    assert deleted(rig, shared) == {EU: True, US: False}


def deleted(rig: Rig, customer: str) -> dict[str, bool]:
    query = select(SNAPSHOTS.c.account, SNAPSHOTS.c.deleted).where(SNAPSHOTS.c.id == customer)
    with rig.store.reading() as session:
        return {row.account: row.deleted for row in session.execute(query)}


def test_a_feature_that_is_taken_away_is_missed_and_none_is_overlooked(scene: Scene) -> None:
    """Trap A16: Stripe tells of a summary; what it sums up, and what the product gives, is read whole."""
    rig, made = scene.rig, paying(scene.rig)

    def grant_many(shop: Shop) -> None:
        for number in range(120):
            granted = objects.active_entitlement(
                f"entl_{number:03d}",
                feature=f"feat_{number:03d}",
                lookup_key=f"key_{number:03d}",
                livemode=shop.account.livemode,
            )
            shop.account.put(granted | {"_customer": made.customer})

    rig.on(EU, grant_many)
    reader = rig.works.systems.reader(EU)
    pages = reader.pages(BY_NAME["active_entitlements"], purpose=Purpose.SWEEP, customer=made.customer)
    given = [one for page in pages for one in page.items]
    assert all(isinstance(one, ActiveEntitlement) for one in given)
    assert len({one.id for one in given}) == 121

    def drop(shop: Shop) -> None:
        shop.world.entitlements[:] = [
            each for each in shop.world.entitlements if each["stripe_customer"] != made.customer
        ]
        summary = {"object": "entitlements.active_entitlement_summary", "customer": made.customer}
        shop.account.emit("entitlements.active_entitlement_summary.updated", summary)

    (told,) = scene.happen(drop)
    assert scene.deliver(told) == [200]
    rig.rest()
    rig.read_entitlements()
    rig.rest()
    rig.sandbox.advance("11m")
    rig.read_entitlements()  # where there is no row, only a pass can say that there is still none
    rig.rest()
    assert rig.stands("payment_without_access", made.customer)


def test_an_event_that_comes_by_webhook_twice_and_by_poll_is_one_event_and_one_case(scene: Scene) -> None:
    """Trap T34: three ways in, one row, one case, one line in the journal."""
    rig, made = scene.rig, paying(scene.rig)
    scene.poll.listen(EU)
    told = scene.happen(disputed(made.customer))
    scene.deliver(told[0])
    rig.rest()
    scene.poll.poll(EU, at_once=True)
    rig.rest()
    scene.deliver(told[0])
    rig.rest()
    assert [scene.heard(each) for each in told] == [1] * len(told)
    (case,) = [row for row in rig.stands("dispute_deadline") if row.subject_id == made.customer]
    assert case.seen_count == 1
    assert notes(rig, case) == ["case_opened"]


def test_a_failure_that_is_told_after_its_payment_opens_nothing(scene: Scene) -> None:
    """Trap T35: the invoice is read as it is, not as the event says it was."""
    rig = scene.rig
    made = paying(rig)
    invoice = made.latest.invoice

    def told(type: str, **changes: Any) -> Event:
        (event,) = scene.happen(lambda shop: shop.change("invoice", invoice, type, **changes))
        return event

    failed = told("invoice.payment_failed", status="open", attempt_count=1, attempted=True)
    paid = told("invoice.paid", status="paid", attempt_count=2, attempted=True)
    before = {row.id for row in rig.standing()}
    for event in (paid, failed):
        scene.deliver(event)
        rig.rest()
    assert {row.id for row in rig.standing()} == before
    assert stored_status(rig, "invoice", invoice) == "paid"


def test_an_old_event_brings_no_case_back_and_a_new_one_brings_it_back_once(scene: Scene) -> None:
    """Traps T37 and T38: a case comes back by what is there now, not by who speaks of what was."""
    rig, made = scene.rig, paying(scene.rig)
    opened = scene.happen(disputed(made.customer))
    scene.deliver(*opened[1:])
    rig.rest()
    (case,) = [row for row in rig.stands("dispute_deadline") if row.subject_id == made.customer]
    (id,) = (each for each in case.object_ids if each.startswith("dp_"))

    def moves(status: str) -> list[Event]:
        return scene.happen(lambda shop: shop.change("dispute", id, "charge.dispute.updated", status=status))

    scene.deliver(*moves("under_review"))
    rig.rest()
    assert rig.stands("dispute_deadline", id) == []
    resolved = notes(rig, case)
    rig.sandbox.advance("2m")
    scene.deliver(opened[0])
    rig.rest()
    assert rig.stands("dispute_deadline", id) == []
    assert notes(rig, case) == resolved

    again = moves("needs_response")
    scene.deliver(*again, *again)
    rig.rest()
    scene.deliver(*again)
    rig.rest()
    (back,) = rig.stands("dispute_deadline", id)
    assert (back.id, back.seen_count) == (case.id, 2)
    assert notes(rig, case) == ["case_opened", "case_resolved", "case_reopened"]


def test_of_a_customer_who_subscribes_in_two_accounts_each_account_hears_its_own(scene: Scene) -> None:
    """Trap A13: what one account is told concerns no other."""
    rig = scene.rig
    before = {row.id for row in rig.standing() if row.account == US}
    made = rig.on(EU, agreeing)
    events = scene.happen(ends(made.id))
    assert scene.deliver(*events, account=US) == [200] * len(events)
    rig.rest()
    assert {row.id for row in rig.standing() if row.account == US} == before
    assert stored_status(rig, "subscription", made.id, US) is None
