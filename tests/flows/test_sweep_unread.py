"""What a sweep cannot read is known to be unread, and hides nothing else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.errors import Unreachable
from accounts.sandbox.business.opening import READ, key_of
from accounts.stripe.reads import Page, Reader
from accounts.stripe.resources import Resource
from daemon.store import passes
from daemon.sweep.classes import CLASSES
from tests.flows.kept import CUSTOMERS, HOURS, subscription
from tests.flows.rig import Rig


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
    subscription(rig, "sub_1", rig.sandbox.world.clock.now())
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
