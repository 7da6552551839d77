"""Looks: what they read, whose an object is, what they write down, and what a lost lease leaves behind."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from accounts.facts import Subject
from accounts.sandbox.business.billing import newest_paid, subscribe
from accounts.sandbox.business.records import entitle, moment, record
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.business.trouble import dispute, refund
from daemon import settings as configured
from daemon.loop import LEASE
from daemon.store import journal, worklist
from daemon.store.db import Store
from daemon.store.errors import LostTake
from daemon.store.snapshots import SNAPSHOTS
from daemon.store.worklist import Taken
from tests.loop.rig import Rig, rigged


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Iterator[Rig]:
    with rigged(store, tmp_path, accounts=2, customers=12) as rig:
        rig.read_everything()
        rig.rest()
        rig.sandbox.advance("30m")
        yield rig


def agreeing(shop: Shop) -> str:
    made = subscribe(shop, shop.customer())
    record(shop, made.customer, made)
    entitle(shop, made)
    return made.customer


def notes(store: Store, case: str) -> list[str]:
    with store.reading() as session:
        found = journal.entries(session, account="acme-eu", subject=("case", case))
    return [each.kind for each in reversed(found)]


def take(rig: Rig, account: str) -> list[Taken]:
    with rig.store.transaction() as session:
        return worklist.take(session, account, now=rig.now(), lease=LEASE)


def reads(rig: Rig, account: str) -> int:
    return rig.on(account, lambda shop: sum(shop.account.reads.values()))


def test_an_object_that_is_told_of_many_times_is_read_once(rig: Rig) -> None:
    customers = rig.on("acme-eu", lambda shop: [each["id"] for each in shop.account.newest_first("customer")])
    before = reads(rig, "acme-eu")
    for customer in customers * 5:
        rig.mark("acme-eu", "customer", customer)
    rig.rest()
    assert reads(rig, "acme-eu") == before + len(customers)


def test_a_mark_for_judging_reads_nothing(rig: Rig) -> None:
    before = reads(rig, "acme-eu")
    for row in rig.standing():
        rig.mark(row.account, row.subject_kind, row.subject_id, reading=False)
    rig.rest()
    assert reads(rig, "acme-eu") == before


def test_what_is_gone_by_the_time_it_is_read_leaves_a_tombstone_and_no_retry(rig: Rig, store: Store) -> None:
    """Trap A9: deleted between the event and the read."""
    customer = rig.on("acme-eu", lambda shop: next(shop.account.newest_first("customer"))["id"])
    rig.on("acme-eu", lambda shop: shop.account.delete("customer", customer))
    rig.mark("acme-eu", "customer", customer)
    rig.mark("acme-eu", "invoice", "in_never_was")
    rig.rest()
    with store.reading() as session:
        deleted = select(SNAPSHOTS.c.id).where(
            SNAPSHOTS.c.deleted.is_(True), SNAPSHOTS.c.account == "acme-eu"
        )
        assert customer in set(session.scalars(deleted))
    assert take(rig, "acme-eu") == []


def test_an_object_that_names_no_customer_is_traced_to_the_one_of_its_payment(rig: Rig) -> None:
    customer = rig.on("acme-eu", agreeing)
    disputed = rig.on(
        "acme-eu",
        lambda shop: dispute(shop, newest_paid(shop, customer), due_by=shop.now + DAY_S, ago_s=0),
    )
    rig.told()  # nobody hears of the payment itself
    rig.mark("acme-eu", "dispute", disputed)
    rig.rest()
    (case,) = rig.stands("dispute_deadline", disputed)
    assert (case.subject_kind, case.subject_id) == ("customer", customer)


def nobodys(shop: Shop) -> tuple[str, str]:
    """A payment that no customer made, and its dispute."""
    customer = agreeing(shop)
    bill = newest_paid(shop, customer)
    for cls, one in (("charge", bill.charge), ("payment_intent", bill.intent)):
        shop.change(cls, one, customer=None)
    return bill.charge, dispute(shop, bill, due_by=shop.now + DAY_S, ago_s=0)


def test_where_stripe_says_there_is_no_customer_the_payment_is_its_own_subject_until_one_appears(
    rig: Rig, store: Store
) -> None:
    charge, disputed = rig.on("acme-eu", nobodys)
    rig.told()
    rig.mark("acme-eu", "dispute", disputed)
    rig.rest()
    (case,) = rig.stands("dispute_deadline", disputed)
    assert (case.subject_kind, case.subject_id) == ("charge", charge)

    customer = rig.on("acme-eu", agreeing)
    rig.on("acme-eu", lambda shop: shop.change("charge", charge, customer=customer))
    rig.mark("acme-eu", "charge", charge)
    rig.rest()
    (moved,) = rig.stands("dispute_deadline", disputed)
    assert (moved.id, moved.subject_kind, moved.subject_id) == (case.id, "customer", customer)
    assert (moved.seen_count, notes(store, case.id)[0]) == (1, "case_opened")
    assert "case_resolved" not in notes(store, case.id)


def test_a_case_that_comes_back_is_the_same_case_with_its_history(rig: Rig, store: Store) -> None:
    """Trap D7: resolved by itself, and back as the same case."""
    _, disputed = rig.on("acme-eu", nobodys)

    def becomes(status: str) -> Callable[[Shop], object]:
        return lambda shop: shop.change("dispute", disputed, "charge.dispute.updated", status=status)

    rig.hear()
    rig.rest()
    (first,) = rig.stands("dispute_deadline", disputed)
    rig.on("acme-eu", becomes("under_review"))
    rig.hear()
    rig.rest()
    assert rig.stands("dispute_deadline", disputed) == []
    rig.sandbox.advance("1m")
    rig.on("acme-eu", becomes("needs_response"))
    rig.hear()
    rig.rest()
    (again,) = rig.stands("dispute_deadline", disputed)
    assert (again.id, again.seen_count, again.substate) == (first.id, 2, "ongoing")
    assert again.opened_at > first.opened_at
    assert notes(store, first.id) == ["case_opened", "case_resolved", "case_reopened"]


def test_a_look_whose_lease_ran_out_keeps_nothing(rig: Rig, store: Store) -> None:
    """Trap A20: a look that was believed dead, and finishes after all."""
    _, disputed = rig.on("acme-eu", nobodys)
    rig.hear()
    late = take(rig, "acme-eu")
    assert late
    rig.sandbox.advance("11m")
    assert {each.subject for each in take(rig, "acme-eu")} >= {each.subject for each in late}
    with pytest.raises(LostTake):
        rig.works.loop.look("acme-eu", late)
    assert rig.stands("dispute_deadline", disputed) == []
    rig.sandbox.advance("11m")
    rig.rest()
    assert rig.stands("dispute_deadline", disputed)


def test_a_mark_during_a_look_causes_another(rig: Rig, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = rig.on("acme-eu", agreeing)
    rig.hear()
    rig.rest()
    observe = rig.works.observer.observe
    looks: list[int] = []

    def interrupted(account: str, taken: Any) -> Any:
        seen = observe(account, taken)
        looks.append(len(taken))
        if len(looks) == 1:
            rig.mark("acme-eu", "customer", customer)
        return seen

    monkeypatch.setattr(rig.works.observer, "observe", interrupted)
    rig.mark("acme-eu", "customer", customer)
    rig.rest()
    assert [count for count in looks if count] == [1, 1]


def test_one_person_who_pays_in_two_accounts_is_one_case_on_the_smaller(rig: Rig) -> None:
    """Trap D5: who is who is left to people. It resolves by what happens in the other account, too."""
    email = "twice@example.com"

    def pays(shop: Shop) -> str:
        made = subscribe(shop, shop.customer(email=email, age_s=90 * DAY_S))
        record(shop, made.customer, made)
        entitle(shop, made)
        return made.customer

    first, second = rig.on("acme-eu", pays), rig.on("acme-us", pays)
    rig.read_everything()
    rig.rest()
    (case,) = [row for row in rig.stands("duplicate_customer") if first in row.object_ids]
    assert (case.account, case.subject_id) == ("acme-eu", first)
    assert second in case.object_ids

    def leaves(shop: Shop) -> None:
        for each in list(shop.account.newest_first("subscription", customer=second)):
            over: dict[str, Any] = {"status": "canceled", "canceled_at": shop.now, "ended_at": shop.now}
            shop.change("subscription", each["id"], "customer.subscription.deleted", **over)

    rig.on("acme-us", leaves)
    rig.hear()
    rig.rest()
    assert [row for row in rig.stands("duplicate_customer") if first in row.object_ids] == []


def test_a_deadline_opens_before_anything_was_read_completely(store: Store, tmp_path: Path) -> None:
    with rigged(store, tmp_path, accounts=1, customers=12) as rig:
        _, disputed = rig.on("acme-eu", nobodys)
        rig.hear()
        rig.rest()
        assert rig.stands("dispute_deadline", disputed)
        assert {row.kind for row in rig.standing()} == {"dispute_deadline"}


@pytest.mark.parametrize(
    ("missing", "kind"), [("crm", "plan_mismatch"), ("entitlements", "crm_status_mismatch")]
)
def test_an_account_without_a_crm_or_a_product_is_compared_with_what_it_has(
    store: Store, tmp_path: Path, missing: str, kind: str
) -> None:
    def left(shop: Shop) -> str:
        """The CRM has not heard of it."""
        made = subscribe(shop, shop.customer(), status="canceled", ended_ago_s=10 * DAY_S)
        record(shop, made.customer, made, status="active")
        return made.customer

    with rigged(store, tmp_path, accounts=1, customers=60) as rig:
        file = tmp_path / "reconciled.toml"
        file.write_text(re.sub(rf"(?m)^{missing} *= .*\n", "", file.read_text()))
        rig.settings = configured.load(file)
        rig.start_again()
        customer = rig.on("acme-eu", left)
        rig.read_stripe("acme-eu")
        if missing == "crm":
            rig.read_entitlements()
        else:
            rig.read_records()
        rig.rest()
        assert rig.stands(kind, *([customer] if missing == "entitlements" else []))


def test_a_disagreement_opens_once_it_has_settled_and_both_sides_were_read_since(rig: Rig) -> None:
    """Trap D1: what may still settle stands nowhere."""
    customer = rig.on("acme-eu", agreeing)
    rig.read_everything()
    rig.rest()

    def close(shop: Shop) -> None:
        for each in shop.world.entitlements:
            if each["stripe_customer"] == customer:
                each |= {"status": "ended", "updated": moment(shop.now)}

    rig.on("acme-eu", close)
    rig.read_entitlements()
    rig.rest()
    assert rig.stands("payment_without_access", customer) == []
    rig.sandbox.advance("9m")
    rig.rest()
    assert rig.stands("payment_without_access", customer) == []
    rig.sandbox.advance("2m")
    rig.rest()
    assert rig.stands("payment_without_access", customer)


def test_a_whole_refund_is_seen_with_its_payment(rig: Rig) -> None:
    customer = rig.on("acme-eu", agreeing)
    rig.read_everything()
    rig.rest()
    bill = rig.on("acme-eu", lambda shop: newest_paid(shop, customer))
    rig.on("acme-eu", lambda shop: refund(shop, bill, ago_s=0))
    made = [event for event in rig.told() if event[1]["type"] == "refund.created"]
    rig.take_in(*made)  # that the charge has changed is not told
    rig.rest()
    with rig.store.reading() as session:
        _, (facts,) = rig.works.observer.gather(
            session, "acme-eu", [Subject("acme-eu", "customer", customer)]
        )
    assert [each.refunded for each in facts.charges if each.id == bill.charge] == [True]


def test_a_refund_is_seen_with_its_payment_where_only_that_is_told_of(rig: Rig) -> None:
    customer = rig.on("acme-eu", agreeing)
    rig.read_everything()
    rig.rest()
    bill = rig.on("acme-eu", lambda shop: newest_paid(shop, customer))
    rig.on("acme-eu", lambda shop: refund(shop, bill, ago_s=0))
    made = [event for event in rig.told() if event[1]["type"] == "charge.refunded"]
    rig.take_in(*made)
    rig.rest()
    assert rig.stands("unapproved_money_move", customer)


def test_a_refund_that_is_told_of_costs_a_read_of_itself_and_one_of_its_payment(rig: Rig) -> None:
    customer = rig.on("acme-eu", agreeing)
    rig.read_everything()
    rig.rest()
    bill = rig.on("acme-eu", lambda shop: newest_paid(shop, customer))
    rig.on("acme-eu", lambda shop: refund(shop, bill, ago_s=0))
    made = [event for event in rig.told() if event[1]["type"] == "refund.created"]
    before = rig.on("acme-eu", lambda shop: dict(shop.account.reads))
    rig.take_in(*made)
    rig.rest()
    after = rig.on("acme-eu", lambda shop: dict(shop.account.reads))
    asked = {
        path: count - before.get(path, 0) for path, count in after.items() if count != before.get(path, 0)
    }
    assert {path.split("/")[2]: count for path, count in asked.items()} == {"refunds": 1, "charges": 1}


def test_what_is_left_of_an_account_that_is_no_longer_configured_waits_and_disturbs_nobody(rig: Rig) -> None:
    left = Subject("sold-last-year", "customer", "cus_1")
    with rig.store.transaction() as session:
        worklist.mark(session, [left], rig.now())
    rig.turns.wake("deadline_scan", "all")
    rig.turns.run()
    with rig.store.reading() as session:
        assert worklist.whose_turn(session, rig.now()) == ["sold-last-year"]
