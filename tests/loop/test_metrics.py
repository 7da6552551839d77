"""What Prometheus is told of looks: how long they waited, what was compared, which reads failed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from accounts.sandbox.business.shop import Shop
from daemon.core.comparison import Comparison
from daemon.core.model import System
from daemon.store import worklist
from daemon.store.db import Store
from metrics.catalog import COMPARISONS, FAILURES, SYSTEMS, VERDICTS
from metrics.exporter import exposition
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


def _fail(*_: object) -> None:
    raise ZeroDivisionError
