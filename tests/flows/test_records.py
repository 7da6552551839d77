"""Passes over the CRM and the product: complete or nothing, and what is gone."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from accounts.errors import Unreachable
from accounts.facts import Record
from accounts.sources import Page
from daemon.store import passes
from daemon.store.records import ENTITLEMENTS, RECORDS
from daemon.sweep.records import RecordsSweep
from tests.flows.rig import Rig

CRM, PRODUCT = "crm:pretend", "entitlements:app"
QUARTER = timedelta(minutes=16)  # until a source is due again


class Listed:
    """A source that lists what it is told to."""

    per_account = False
    reads_one = False
    updates = tasks = inserts = False

    def __init__(self, rig: Rig, make: Callable[[str], Any]) -> None:
        self.keys: list[str] = []
        self.there: set[str] = set()  # what it knows when asked by key
        self.page_rows = 2
        self.breaks_after: int | None = None  # pages
        self.failing: set[str] = set()  # accounts
        self.unchanged = False
        self.asked: list[str] = []
        self._make = make
        self._rig = rig

    def pages(self, stripe_account: str, *, afresh: bool = False) -> Iterator[Page[Any]]:
        self.asked.append(stripe_account + " afresh" * afresh)
        if stripe_account in self.failing:
            raise Unreachable("The CRM is away.")
        for number, start in enumerate(range(0, max(len(self.keys), 1), self.page_rows)):
            if number == self.breaks_after:
                raise Unreachable("The CRM is away.")
            keys = tuple(self.keys[start : start + self.page_rows])
            rows = () if self.unchanged and not afresh else tuple(self._make(key) for key in keys)
            yield Page(keys, rows, self._rig.now(), unchanged=self.unchanged and not afresh)

    def record(self, key: str, stripe_account: str) -> Any:
        self.asked.append(key)
        return self._make(key) if key in self.there else None

    entitlement = record

    def update(self, *given: Any) -> None:
        raise AssertionError

    add_task = insert = update

    def close(self) -> None:
        pass


@pytest.fixture
def crm(rig_anywhere: Rig) -> Listed:
    return _listed(rig_anywhere)


def test_a_pass_brings_every_row_of_the_crm_and_of_the_product(rig_anywhere: Rig) -> None:
    rig = rig_anywhere
    rig.world(lambda: rig.sandbox.world.crm.extend(_crm_rows(rig, 120)))
    rig.world(lambda: rig.sandbox.world.entitlements.extend(_product_rows(rig, 7)))
    assert rig.records.sweep(CRM).complete == {rig.slug: 120}
    assert rig.records.sweep(PRODUCT).complete == {rig.slug: 7}
    assert len(_keys(rig, RECORDS)) == 120
    assert len(_keys(rig, ENTITLEMENTS)) == 7
    assert rig.complete(CRM) == {"records"}
    assert rig.complete(PRODUCT) == {"entitlements"}
    assert rig.judged_again == [rig.slug, rig.slug]


def test_d6_a_source_that_breaks_off_proves_nobodys_absence(rig_anywhere: Rig, crm: Listed) -> None:
    """Trap D6: half a list."""
    rig = rig_anywhere
    crm.keys = ["a", "b", "c", "d", "e"]
    rig.records.sweep(CRM)
    crm.breaks_after = 1
    for _ in range(3):
        rig.advance(QUARTER)
        assert set(rig.records.sweep(CRM).unread) == {rig.slug}
    assert _keys(rig, RECORDS) == set("abcde")
    with rig.store.reading() as session:
        assert [each.reason for each in passes.outages(session).values()] == ["unreachable"]
    crm.breaks_after = None
    rig.advance(QUARTER)
    assert rig.records.sweep(CRM).unread == {}
    with rig.store.reading() as session:
        assert not passes.outages(session)
    assert _keys(rig, RECORDS) == set("abcde")


def test_without_reads_by_key_only_the_second_complete_pass_in_a_row_makes_something_gone(
    rig_anywhere: Rig, crm: Listed
) -> None:
    rig = rig_anywhere
    crm.keys = ["a", "b", "c"]
    rig.records.sweep(CRM)
    rig.forget_marks()
    crm.keys = ["a", "c"]
    rig.advance(QUARTER)
    assert rig.records.sweep(CRM).missing == 0
    assert _keys(rig, RECORDS) == {"a", "b", "c"}
    crm.breaks_after = 0
    rig.advance(QUARTER)
    rig.records.sweep(CRM)  # a pass that failed counts for nothing
    assert _keys(rig, RECORDS) == {"a", "b", "c"}
    crm.breaks_after = None
    rig.advance(QUARTER)
    assert rig.records.sweep(CRM).missing == 1
    assert _keys(rig, RECORDS) == {"a", "c"}
    assert rig.marked("customer", reading=False) == {"cus_b"}


def test_what_comes_back_between_two_passes_is_not_gone(rig: Rig) -> None:
    crm = _listed(rig)
    for keys in ("abc", "ac", "abc", "ac"):
        crm.keys = list(keys)
        rig.records.sweep(CRM)
        rig.advance(QUARTER)
    assert _keys(rig, RECORDS) == {"a", "b", "c"}


def test_with_reads_by_key_what_is_not_listed_is_asked_for(rig: Rig) -> None:
    crm = _listed(rig)
    crm.reads_one = True
    crm.keys, crm.there = ["a", "b", "c"], {"b"}
    rig.records.sweep(CRM)
    crm.keys = ["a"]
    crm.asked.clear()
    rig.advance(QUARTER)
    assert rig.records.sweep(CRM).missing == 1
    assert crm.asked[1:] == ["b", "c"]
    assert _keys(rig, RECORDS) == {"a", "b"}


def test_an_empty_source_floods_nobody_with_tombstones_at_once(rig_anywhere: Rig) -> None:
    """Trap D6: an empty list."""
    rig = rig_anywhere
    crm = _listed(rig)
    crm.keys = [f"key{n}" for n in range(50)]
    rig.records.sweep(CRM)
    crm.keys = []
    rig.advance(QUARTER)
    rig.records.sweep(CRM)
    assert len(_keys(rig, RECORDS)) == 50


def test_rows_that_a_source_says_are_unchanged_are_seen_again_without_being_sent(rig: Rig) -> None:
    crm = _listed(rig)
    crm.keys = ["a", "b", "c"]
    rig.records.sweep(CRM)
    before = {row.key: row.seen for row in rig.rows(select(RECORDS))}
    crm.unchanged = True
    rig.advance(QUARTER)
    rig.records.sweep(CRM)
    after = {row.key: row.seen for row in rig.rows(select(RECORDS))}
    assert all(after[key] > before[key] for key in before)
    assert not any("afresh" in each for each in crm.asked)


def test_a_source_that_calls_rows_unchanged_that_we_do_not_have_is_read_afresh(rig: Rig) -> None:
    crm = _listed(rig)
    crm.keys, crm.unchanged = ["a", "b", "c"], True
    rig.records.sweep(CRM)
    assert _keys(rig, RECORDS) == {"a", "b", "c"}
    assert crm.asked == [rig.account.id, f"{rig.account.id} afresh"]


def test_a_second_pass_over_unchanged_rows_moves_only_the_numbers_of_observation(
    rig_anywhere: Rig, crm: Listed
) -> None:
    rig = rig_anywhere
    crm.keys = ["a", "b", "c"]
    rig.records.sweep(CRM)
    rig.forget_marks()
    before = _content(rig)
    rig.advance(QUARTER)
    rig.records.sweep(CRM)
    assert _content(rig) == before
    assert rig.marked("customer") == set()


def test_what_changed_marks_the_old_and_the_new_customer(rig: Rig) -> None:
    crm = _listed(rig)
    crm.keys = ["a"]
    rig.records.sweep(CRM)
    rig.forget_marks()
    crm._make = lambda key: Record(key=key, stripe_customer="cus_other", status="active")
    rig.advance(QUARTER)
    rig.records.sweep(CRM)
    assert rig.marked("customer", reading=False) == {"cus_a", "cus_other"}
    assert rig.woken[rig.slug] > 0


def test_a_source_is_read_when_it_is_due_and_after_a_failure_ever_more_rarely(rig: Rig) -> None:
    crm = _listed(rig)
    assert _due(rig) == [CRM, PRODUCT]
    rig.records.sweep(CRM)
    assert _due(rig) == [PRODUCT]
    assert rig.records.sweep(CRM).complete == {}
    rig.advance(QUARTER)
    assert CRM in _due(rig)
    crm.failing = {rig.account.id}
    waits = []
    for _ in range(4):
        rig.records.sweep(CRM)
        minutes = 0
        while CRM not in _due(rig):
            rig.advance(timedelta(minutes=1))
            minutes += 1
        waits.append(minutes)
    assert waits == [1, 2, 5, 15]


def test_one_account_that_cannot_be_listed_proves_nobodys_absence_and_fails_alone(rig: Rig) -> None:
    rig.add_account("acme-two")
    crm = _listed(rig)
    crm.per_account = True
    crm.keys = ["a", "b"]
    rig.records.sweep(CRM)
    crm.keys = ["a"]
    crm.failing = {"acct_1SandboxAcmeTwo"}
    for _ in range(3):
        rig.advance(QUARTER)
        swept = rig.records.sweep(CRM)
        assert (set(swept.complete), set(swept.unread)) == ({rig.slug}, {"acme-two"})
    assert _keys(rig, RECORDS) == {"a", "b"}


def test_a_source_that_answers_every_account_the_same_is_read_once_for_all(rig: Rig) -> None:
    rig.add_account("acme-two")
    crm = _listed(rig)
    crm.keys = ["a"]
    assert set(rig.records.sweep(CRM).complete) == {rig.slug, "acme-two"}
    assert crm.asked == [rig.account.id]
    assert sorted(rig.judged_again) == sorted([rig.slug, "acme-two"])


def _listed(rig: Rig) -> Listed:
    crm = Listed(rig, lambda key: Record(key=key, stripe_customer=f"cus_{key}", status="active"))
    _replace(rig, crm)
    return crm


def _replace(rig: Rig, crm: Listed) -> None:
    class Sources:
        def crm(self, name: str) -> Any:
            return crm

        def entitlements(self, name: str) -> Any:
            return rig.systems.entitlements(name)

    rig.records = RecordsSweep(
        rig.store,
        rig.cartographer,
        Sources(),
        rig.paces,
        after_pass=rig.after_pass,
        wake=rig.wake,
        now=rig.now,
    )


def _keys(rig: Rig, of: Any) -> set[str]:
    return {row.key for row in rig.rows(select(of.c.key).where(of.c.deleted.is_(False)))}


def _content(rig: Rig) -> list[dict[str, Any]]:
    rows = [row._asdict() for row in rig.rows(select(RECORDS).order_by(RECORDS.c.key))]
    return [
        {name: value for name, value in row.items() if name not in ("seen", "observed_at")} for row in rows
    ]


def _due(rig: Rig) -> list[str]:
    with rig.store.reading() as session:
        return rig.records.due(session, rig.now())


def _crm_rows(rig: Rig, many: int) -> list[dict[str, Any]]:
    return [
        {
            "key": f"crm_{n}", "stripe_customer": f"cus_{n}", "stripe_account": rig.account.id, "name": "A",
            "owner": "ann", "segment": "smb", "status": "active", "plan": "pro", "mrr": "49.00", "currency": "eur",
            "renewal": "2027-01-01", "updated": "2026-01-01T00:00:00Z",
        }
        for n in range(many)
    ]  # fmt: skip


def _product_rows(rig: Rig, many: int) -> list[dict[str, Any]]:
    return [
        {
            "key": f"ent_{n}", "stripe_customer": f"cus_{n}", "stripe_account": rig.account.id, "feature": "pro",
            "plan": "pro", "status": "active", "quantity": 1, "expires_at": None, "updated": "2026-01-01T00:00:00Z",
        }
        for n in range(many)
    ]  # fmt: skip
