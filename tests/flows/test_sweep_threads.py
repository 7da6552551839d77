"""Sweeps of Stripe: whoever has nothing to do helps the others."""

import threading
from typing import Any

import pytest

from accounts.stripe.reads import Page, Reader
from accounts.stripe.resources import Resource
from tests.flows.rig import DAY_S, Rig


def test_classes_whose_turn_has_not_come_keep_no_thread_from_helping(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refunds and disputes are read after whatever tells whose they are, and wait for that."""
    ids = rig.customers(*range(0, 300 * DAY_S, DAY_S // 10))
    together, arrived, page = 6, threading.Condition(), Reader.page
    begun: set[str] = set()

    def waiting_for_others(reader: Reader, resource: Resource, **query: Any) -> Page:
        if resource.name == "customers" and query.get("created_lt"):  # the first page of an older half
            with arrived:
                begun.add(threading.current_thread().name)
                arrived.notify_all()
                assert arrived.wait_for(lambda: len(begun) >= together, 60), "the others do nothing"
        return page(reader, resource, **query)

    monkeypatch.setattr(Reader, "page", waiting_for_others)
    swept = rig.sweep.sweep(rig.slug)
    assert not swept.unread
    assert rig.stored("customer") == set(ids)
