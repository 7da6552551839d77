"""What Prometheus is told of looks: how long they waited, what was compared, which reads failed."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from accounts.sandbox.business.shop import Shop
from daemon import logs
from daemon.core.comparison import Comparison
from daemon.core.model import System
from daemon.loop import LEASE
from daemon.store import intake, worklist
from daemon.store.db import Store
from daemon.store.inbox import Received
from metrics.catalog import COMPARISONS, FAILURES, SYSTEMS, VERDICTS
from metrics.exporter import exposition
from tests.exemplars import ids
from tests.loop.rig import Rig, rigged


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Iterator[Rig]:
    with rigged(store, tmp_path, accounts=1, customers=45) as rig:
        yield rig


def told() -> dict[str, float]:
    """The whole exposition, as a scraper reads it."""
    lines = [line for line in exposition().body.decode().splitlines() if not line.startswith("#")]
    return {
        name.removeprefix("reconciled_"): float(value)
        for name, _, value in (line.rpartition(" ") for line in lines)
    }


class Since:
    """How much was counted since."""

    def __init__(self) -> None:
        self._before = told()

    def __call__(self, name: str) -> float:
        return told()[name] - self._before[name]


def compared(system: str, result: str) -> str:
    return f'comparisons_total{{result="{result}",system="{system}"}}'


def failed(system: str, reason: str) -> str:
    return f'enrichment_failures_total{{reason="{reason}",system="{system}"}}'


def test_every_series_is_there_before_anything_happens() -> None:
    series = told()
    names = [failed(system, reason) for system in SYSTEMS for reason in FAILURES]
    names += [compared(system, result) for system in SYSTEMS[1:] for result in COMPARISONS]
    names += [f'event_verdicts_total{{verdict="{verdict}"}}' for verdict in VERDICTS]
    assert [
        name
        for name in [*names, "queue_wait_seconds_count", "events_dead_lettered_total"]
        if name not in series
    ] == []
    assert set(COMPARISONS) == {each.value for each in Comparison}
    assert set(SYSTEMS) == {each.value for each in System}


def test_a_pass_tells_with_whom_customers_were_compared_and_what_came_of_it(rig: Rig) -> None:
    counted = Since()
    rig.read_everything()
    rig.rest()
    kinds = [row.kind for row in rig.standing()]
    assert counted(compared("crm", "missing_remote")) >= kinds.count("crm_record_missing") > 0
    assert counted(compared("crm", "missing_local")) >= kinds.count("stripe_customer_missing") > 0
    assert counted(compared("entitlement", "missing_remote")) >= kinds.count("payment_without_access") > 0
    assert counted(compared("crm", "mismatch")) >= kinds.count("crm_status_mismatch") > 0
    assert counted(compared("entitlement", "mismatch")) >= kinds.count("quantity_mismatch") > 0
    for system in ("crm", "entitlement"):
        assert counted(compared(system, "match")) > 20


def test_without_the_crm_nothing_is_said_to_match_it_and_its_silence_is_counted(rig: Rig) -> None:
    rig.read_everything()
    rig.rest()
    rig.sandbox.advance("30m")  # what was read of the CRM is older than what happens now
    rig.sandbox.incident("crm_down")
    counted = Since()
    (row, *_) = [row for row in rig.standing() if row.kind == "revenue_mismatch"]
    rig.on("acme-eu", lambda shop: leave(shop, row.subject_id))
    rig.hear()
    rig.rest()
    assert counted(failed("crm", "unreachable")) > 0
    assert counted(compared("crm", "incomparable")) > 0
    assert counted(failed("stripe", "unreachable")) == 0


def leave(shop: Shop, customer: str) -> None:
    """What moves a case that the CRM has a part in: before it moves, the CRM is asked."""
    for each in list(shop.account.newest_first("subscription", customer=customer)):
        ended: dict[str, Any] = {"status": "canceled", "canceled_at": shop.now, "ended_at": shop.now}
        shop.change("subscription", each["id"], "customer.subscription.deleted", **ended)


def test_a_stripe_that_does_not_answer_is_counted_and_what_waits_for_it_is_late(rig: Rig) -> None:
    rig.read_everything()
    rig.rest()
    (customer, *_) = rig.on(
        "acme-eu", lambda shop: [each["id"] for each in shop.account.newest_first("customer")]
    )
    counted = Since()
    rig.mark("acme-eu", "customer", customer)
    rig.sandbox.advance("2s")
    rig.rest()
    assert counted('event_verdicts_total{verdict="good"}') == 1
    assert counted("queue_wait_seconds_count") == 1
    assert 2 <= counted("queue_wait_seconds_sum") < 4
    rig.sandbox.incident("outage", "acme-eu")
    rig.mark("acme-eu", "customer", customer)
    rig.rest()
    waited = counted("queue_wait_seconds_count")
    for _ in range(5):
        rig.sandbox.advance("60s")
        rig.rest()
    assert counted(failed("stripe", "unreachable")) >= 3
    assert counted("queue_wait_seconds_count") == waited, "what is tried again has waited on purpose"
    rig.sandbox.end_incident("outage", "acme-eu")
    rig.sandbox.advance("15m")
    rig.rest()
    assert counted('event_verdicts_total{verdict="good"}') == 1
    assert counted('event_verdicts_total{verdict="late"}') == 1


def test_what_is_set_aside_is_lost(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.read_everything()
    rig.rest()
    monkeypatch.setattr("daemon.judging.judge", _fail)
    counted = Since()
    rig.mark("acme-eu", "customer", "cus_nobody")
    with capture_logs():
        for _ in range(worklist.FAILURES_MAX):
            rig.rest()
            rig.sandbox.advance("15m")
    assert counted('event_verdicts_total{verdict="lost"}') == counted("events_dead_lettered_total") >= 1


def test_who_takes_the_process_down_every_time_is_set_aside_aloud(rig: Rig) -> None:
    rig.mark("acme-eu", "customer", "cus_fatal")
    for _ in range(worklist.FAILURES_MAX):
        with rig.store.transaction() as session:
            assert worklist.take(session, "acme-eu", now=rig.now(), lease=LEASE)
        rig.sandbox.advance("11m")
    counted = Since()
    with capture_logs() as lines:
        rig.rest()
    told = [line for line in lines if line["event"] == "subject_set_aside"]
    assert [(line["account"], line["kind"], line["id"]) for line in told] == [
        ("acme-eu", "customer", "cus_fatal")
    ]
    assert told[0]["because"] == worklist.NEVER_RETURNED
    assert counted('event_verdicts_total{verdict="lost"}') == counted("events_dead_lettered_total") == 1
    assert [each.subject.id for each in rig.buried("acme-eu")] == ["cus_fatal"]


def _fail(*_: object) -> None:
    raise ZeroDivisionError


def received(rig: Rig, customer: str, event_id: str) -> None:
    """What a webhook does, to the end."""
    event = Received(
        "acme-eu", event_id, "customer.updated", "customer", customer, rig.now(), True, "webhook", customer
    )
    with rig.store.transaction() as session:
        intake.take_in(session, [event], rig.now())


def test_what_waited_and_what_was_late_can_be_looked_up_by_the_event_that_marked_it(rig: Rig) -> None:
    rig.read_everything()
    rig.rest()
    (customer, *_) = rig.on(
        "acme-eu", lambda shop: [each["id"] for each in shop.account.newest_first("customer")]
    )
    received(rig, customer, "evt_waited")
    rig.sandbox.advance("2s")
    rig.rest()
    assert ids("queue_wait_seconds_bucket", le="2.5") == {"event_id": "evt_waited"}
    assert ids("event_verdicts_total", verdict="good") == {"event_id": "evt_waited"}
    received(rig, customer, "evt_late")
    rig.sandbox.advance("90s")
    rig.rest()
    assert ids("queue_wait_seconds_bucket", le="300.0") == {"event_id": "evt_late"}
    assert ids("event_verdicts_total", verdict="late") == {"event_id": "evt_late"}


def test_what_was_set_aside_can_be_looked_up_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.read_everything()
    rig.rest()
    monkeypatch.setattr("daemon.judging.judge", _fail)
    received(rig, "cus_nobody", "evt_lost")
    with capture_logs():
        for _ in range(worklist.FAILURES_MAX):
            rig.rest()
            rig.sandbox.advance("15m")
    assert ids("event_verdicts_total", verdict="lost") == {"event_id": "evt_lost"}
    assert ids("events_dead_lettered_total") == {"event_id": "evt_lost"}


def test_a_case_that_opens_is_a_line_with_what_it_is_about(rig: Rig) -> None:
    logs.configure("json", stream := StringIO())
    rig.read_everything()
    rig.rest()
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    opened = {line["case"]: line for line in told if line["event"] == "case_opened"}
    assert opened.keys() == {row.id for row in rig.standing()}
    for row in rig.standing():
        line = opened[row.id]
        assert (line["account"], line["kind"]) == (row.account, row.kind)
        assert line["subject"] == f"{row.subject_kind} {row.subject_id}"
    assert "@" not in stream.getvalue(), "no address of anybody's"
