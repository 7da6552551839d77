"""A scrape as Prometheus gets it: how much of it there is with a thousand accounts, and that Prometheus likes it."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy2
from typing import Final

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed
from sqlalchemy import insert

from accounts.errors import Malformed
from accounts.sandbox.server import Sandbox
from daemon import figures
from daemon.core.model import System
from daemon.figures import Watched, snapshot
from daemon.observe.failures import count_failure
from daemon.run import Daemon
from daemon.store import hearing
from daemon.store.db import Store, open_store
from daemon.store.hearing import Position
from daemon.store.snapshots import SNAPSHOTS
from metrics.catalog import REGISTRY, account_key_usable, events_received, stripe_read_budget_used_ratio
from metrics.collector import StateCollector
from metrics.exemplars import exemplar
from metrics.exporter import exposition
from metrics.state import STATE
from tests.cli.pretend import configured, daemon_of
from tests.exemplars import ids
from tests.grafana.tools import tool

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ACCOUNTS: Final = 1_000
SERIES_AN_ACCOUNT_MAX: Final = 12
SERIES_OF_ALL_MAX: Final = 2_000  # whatever the number of accounts
SCRAPE_MAX_S: Final = 0.5  # on a quiet machine; a tenth of it is usual
SCRAPES_MIN: Final = 5
NOISE: Final = 4  # times as long, where other tests run beside this one


def of_each(account: str) -> Watched:
    return Watched(account, f"acct_{account}", True, "act", timedelta(hours=6), ("customers", "disputes"))


@contextmanager
def thousand(store: Store) -> Iterator[StateCollector]:
    """A thousand accounts that have everything an account may have."""
    accounts = [of_each(f"account-{number:04}") for number in range(ACCOUNTS)]
    due = int((NOW + timedelta(days=2)).timestamp())
    body = f'{{"evidence_details":{{"due_by":{due}}}}}'.encode()
    with store.transaction() as session:
        figures.note_added(session, accounts, NOW)
        for each in accounts:
            hearing.move(session, each.slug, Position(born=1, complete=2, newest=3), NOW)
        dispute = {
            "class_name": "dispute", "status": "needs_response", "seen": 1, "observed_at": NOW, "deleted": False,
            "body": body, "digest": bytes(32),
        }  # fmt: skip
        session.execute(
            insert(SNAPSHOTS),
            [{**dispute, "account": each.slug, "id": f"dp_{each.slug}"} for each in accounts],
        )
    collector = StateCollector(lambda: snapshot(store, accounts, NOW), lambda: NOW)
    for each in accounts:
        account_key_usable.labels(each.slug).set(1)
        stripe_read_budget_used_ratio.labels(each.slug).set(0.1)
    REGISTRY.register(collector)
    try:
        yield collector
    finally:
        REGISTRY.unregister(collector)
        for each in accounts:
            account_key_usable.remove(each.slug)
            stripe_read_budget_used_ratio.remove(each.slug)


def seconds_of(task: Callable[[], object]) -> float:
    begun = time.perf_counter()
    task()
    return time.perf_counter() - begun


def test_a_thousand_accounts_are_twelve_series_each_and_a_scrape_of_half_a_second(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with thousand(store) as collector:
        pictured = seconds_of(collector.take)
        scraped = min(seconds_of(exposition) for _ in range(3))
        text = exposition().body.decode()
    by_account: Counter[str] = Counter()
    for family in parsed(text):
        by_account.update(sample.labels.get("account", "") for sample in family.samples)
    of_all = by_account.pop("")
    with capsys.disabled():
        every = of_all + sum(by_account.values())
        print(f" {every} series, picture {pictured:.3f} s, scrape {scraped:.3f} s ", end="")  # noqa: T201
    assert len([name for name in by_account if name.startswith("account-")]) == ACCOUNTS
    assert max(by_account.values()) <= SERIES_AN_ACCOUNT_MAX
    assert of_all <= SERIES_OF_ALL_MAX
    assert scraped < NOISE * SCRAPE_MAX_S


def read_at(daemon: Daemon) -> float:
    """When everything had been read; before that, when the account was added."""
    return dict(daemon.flows.figures()["reconciled_reconcile_last_success_timestamp_seconds"])["acme-eu",]


def test_a_scrape_is_no_slower_while_a_sweep_runs(
    sqlite_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy2(sqlite_template, tmp_path / "thousand.db")
    with open_store(f"sqlite:///{tmp_path / 'thousand.db'}") as store, thousand(store) as collector:
        collector.take()
        with Sandbox.start(accounts=1, customers=400) as sandbox:
            config = configured(sandbox, tmp_path)
            scrapes: list[float] = []
            with daemon_of(config) as daemon:
                added = read_at(daemon)
                while read_at(daemon) == added or len(scrapes) < SCRAPES_MIN:
                    scrapes.append(seconds_of(exposition))
    with capsys.disabled():
        print(f" {len(scrapes)} scrapes, the slowest {max(scrapes):.3f} s ", end="")  # noqa: T201
    assert sorted(scrapes)[len(scrapes) // 2] < NOISE * SCRAPE_MAX_S


def test_prometheus_has_nothing_to_say_about_a_scrape(store: Store) -> None:
    collector = StateCollector(lambda: snapshot(store, [of_each("eu")], NOW), lambda: NOW)
    collector.take()
    REGISTRY.register(collector)
    try:
        shown = exposition().body
    finally:
        REGISTRY.unregister(collector)
    checked = [tool("promtool"), "check", "metrics"]
    done = subprocess.run(checked, input=shown, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_who_asks_for_openmetrics_gets_it_whole() -> None:
    shown = exposition("application/openmetrics-text; version=1.0.0")
    assert shown.content_type.startswith("application/openmetrics-text")
    families = parsed_openmetrics(shown.body.decode())  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= {"reconciled_events_received"}


@pytest.mark.parametrize(
    ("named", "family"),
    [
        ("reconciled_event_verdicts", "reconciled_event_verdicts"),
        ("reconciled_event_verdicts_total", "reconciled_event_verdicts"),
        ("reconciled_queue_wait_seconds", "reconciled_queue_wait_seconds"),
        ("reconciled_queue_wait_seconds_bucket", "reconciled_queue_wait_seconds"),
        ("reconciled_build_info", "reconciled_build_info"),
        ("reconciled_account_info", "reconciled_account_info"),  # computed from the database
        ("process_open_fds", "process_open_fds"),  # the client's own
    ],
)
def test_who_names_families_gets_only_those_and_each_whole(store: Store, named: str, family: str) -> None:
    collector = StateCollector(lambda: snapshot(store, [of_each("eu")], NOW), lambda: NOW)
    collector.take()
    REGISTRY.register(collector)
    try:
        every = {each.name: each.samples for each in parsed(exposition().body.decode())}
        shown = {each.name: each.samples for each in parsed(exposition(names=[named]).body.decode())}
    finally:
        REGISTRY.unregister(collector)
    assert shown.keys() == {family}
    assert [each.name for each in shown[family]] == [each.name for each in every[family]] != []


def test_nothing_is_said_of_when_a_counter_was_made() -> None:
    assert "_created" not in exposition().body.decode()


def test_a_family_has_one_name_and_says_what_it_is() -> None:
    names = [family.name for family in STATE]
    assert len(names) == len(set(names))
    assert not set(names) & {family.name for family in REGISTRY.collect()}
    for family in STATE:
        assert family.name.startswith("reconciled_")
        assert family.help.endswith(".")


def test_a_count_can_be_looked_up_by_the_id_that_it_was_last_about() -> None:
    counted = events_received.labels("replay", "other")
    counted.inc(exemplar=exemplar("event_id", "evt_1Abc"))
    shown = exposition("application/openmetrics-text; version=1.0.0").body.decode()
    (line,) = (each for each in shown.splitlines() if 'event_class="other",source="replay"' in each)
    assert '# {event_id="evt_1Abc"} 1.0' in line
    assert "evt_1Abc" not in exposition().body.decode(), "only OpenMetrics has a place for it"


def test_a_read_that_failed_bears_the_id_that_stripe_gave_the_request() -> None:
    count_failure(System.STRIPE, Malformed("It said something else.", request_id="req_1Abc"))
    assert ids("enrichment_failures_total", system="stripe", reason="malformed") == {"request_id": "req_1Abc"}


@pytest.mark.parametrize("id", [None, "", "evt_" + "x" * 200, 'evt_"} 1 #', "ada@example.com"])
def test_what_is_no_id_is_not_repeated(id: str | None) -> None:
    assert exemplar("event_id", id) is None
