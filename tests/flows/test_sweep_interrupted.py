"""Sweeps that are killed, begun twice, or overtaken: they go on, and lose and overwrite nothing."""

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest

from accounts.stripe.reads import Page, Reader
from accounts.stripe.resources import Resource
from daemon.observe import keeping
from daemon.store.marks import next_mark
from daemon.sweep.report import Step, Swept
from tests.flows.kept import CUSTOMERS, statuses, subscription
from tests.flows.rig import DAY_S, Rig


class Killed(BaseException):
    """The process is gone, with whatever it had not committed."""


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
    old = subscription(rig, "sub_1", now)
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
    assert statuses(rig, "subscription") == {"sub_1": "past_due"}


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


def _emit(rig: Rig, *customers: str) -> None:
    def emit() -> None:
        for each in customers:
            rig.account.emit("customer.updated", rig.account.get("customer", each) or {})

    rig.world(emit)
