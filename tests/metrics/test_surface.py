"""The metrics from outside: a process of its own is started, scraped before anything happened, and then things happen.

What is promised by name stands here once more, word by word, so that nobody changes it by changing the catalogue.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed
from prometheus_client.samples import Sample

from accounts.sandbox.server import Sandbox
from tests.cli.pretend import configured, until
from tests.databases import Server
from tests.ports import free_port

COMMAND: Final = Path(sys.executable).parent / "reconciled"
STOP_S: Final = 180
SERIES_AN_ACCOUNT_MAX: Final = 12

PROMISED: Final = """
    events_received_total{source,event_class} events_duplicate_total{source} event_verdicts_total{verdict}
    webhook_rejected_total{reason} queue_wait_seconds queue_oldest_timestamp_seconds events_dead_lettered_total
    enrichment_failures_total{system,reason} disagreements{system,kind} account_disagreements{account}
    comparisons_total{system,result} cases{kind,state} cases_opened_total{kind}
    approvals_total{kind,decision,actor} approval_wait_seconds actions_total{action,outcome}
    invariant_violations_total{invariant} disputes_by_deadline{window}
    dispute_next_deadline_timestamp_seconds{account} reconcile_last_success_timestamp_seconds{account}
    reconcile_interval_seconds{account} event_watermark_timestamp_seconds{account}
    stripe_requests_total{endpoint,outcome} stripe_read_budget_used_ratio{account} account_key_usable{account}
    gap_events_found_total scheduler_jobs_total{job,event} scheduler_heartbeat_timestamp_seconds
    canary_timestamp_seconds{stage} build_info{python,version}
"""
# There may be no such moment, and 1970 is none.
SOMETIMES: Final = {"queue_oldest_timestamp_seconds", "dispute_next_deadline_timestamp_seconds"}
# A daemon begins to read at once; but of these nothing can have happened to it yet.
NOTHING_YET: Final = (
    "events_duplicate_total", "events_dead_lettered_total", "webhook_rejected_total", "gap_events_found_total",
    "approvals_total", "approval_wait_seconds_count", "actions_total", "invariant_violations_total", "deliveries_total",
)  # fmt: skip
# By whom or what else a label's value may be told apart is in the catalogue, and of a few.
OPEN: Final = {"account", "stripe_account_id", "python", "version", "le"}


class Watched:
    """A daemon in a process of its own, as a scraper sees it."""

    def __init__(self, folder: Path, sandbox: Sandbox, database: str | None = None) -> None:
        self.folder = folder
        self.main, self.own = free_port(), free_port()
        self.config = Path(configured(sandbox, folder, listen=f"127.0.0.1:{self.main}", database=database))
        told = self.config.read_text().replace('metrics = ""', f'metrics = "127.0.0.1:{self.own}"')
        self.config.write_text(told)
        self.first = ""
        self.logged = ""
        self.begun = time.time()
        self.process: Any = None

    @contextmanager
    def running(self) -> Iterator["Watched"]:
        command = [str(COMMAND), "--config", str(self.config), "run"]
        log = self.folder / "log"
        with log.open("w") as written:
            self.process = subprocess.Popen(command, stderr=written, env=os.environ)
            try:
                until(self._answers)
                yield self
            finally:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(STOP_S)
                self.logged = log.read_text()

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            self.first = self.scraped()
        except httpx.TransportError:
            return False
        return True

    def scraped(self) -> str:
        answer = httpx.get(f"http://127.0.0.1:{self.own}/metrics", trust_env=False, timeout=STOP_S)
        assert answer.status_code == httpx.codes.OK
        return answer.text

    def status(self, path: str, *, own: bool = False) -> int:
        port = self.own if own else self.main
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=STOP_S).status_code

    def is_ready(self) -> bool:
        return self.status("/readyz") == httpx.codes.OK


def samples(text: str) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for family in parsed(text):
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix("reconciled_"), []).append(sample)
    return found


def value(text: str, name: str, **labels: str) -> float:
    return sum(each.value for each in samples(text)[name] if labels.items() <= each.labels.items())


def series_of_accounts(text: str) -> Counter[str]:
    every = (each for some in samples(text).values() for each in some)
    return Counter(each.labels["account"] for each in every if "account" in each.labels)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with Sandbox.start(accounts=2, customers=30) as sandbox:
        found = Watched(tmp_path_factory.mktemp("watched"), sandbox)
        with found.running():
            until(found.is_ready)
            yield found
    assert "Traceback" not in found.logged


@pytest.mark.parametrize("promised", PROMISED.split())
def test_what_is_promised_is_there_from_the_first_scrape(watched: Watched, promised: str) -> None:
    name, _, labels = promised.rstrip("}").partition("{")
    shown = samples(watched.first)
    if name in SOMETIMES and name not in shown:
        assert f"# TYPE reconciled_{name} gauge" in watched.first
        return
    found = shown.get(name) or shown[f"{name}_count"]
    assert {frozenset(each.labels) for each in found} == {frozenset(labels.split(",")) - {""}}


def test_before_anything_happened_all_counts_are_nothing_and_all_moments_are_now(watched: Watched) -> None:
    shown = samples(watched.first)
    for name in NOTHING_YET:
        assert {each.value for each in shown[name]} == {0}, name
    for name, found in shown.items():
        if name.endswith("_timestamp_seconds") and name not in {
            *SOMETIMES,
            "account_last_event_timestamp_seconds",
        }:
            assert all(watched.begun - 1 < each.value <= time.time() for each in found), name
    assert "_created" not in watched.first


def test_every_label_is_of_a_closed_set_but_for_the_accounts(watched: Watched) -> None:
    for some in samples(watched.scraped()).values():
        for each in some:
            for label, said in each.labels.items():
                assert label in OPEN or re.fullmatch(r"[a-z_0-9]{1,40}", said), (each.name, label, said)
                assert label != "account" or said in {"acme-eu", "acme-us"}


def test_metrics_have_a_port_of_their_own_that_only_this_machine_reaches(watched: Watched) -> None:
    assert watched.status("/metrics") == httpx.codes.NOT_FOUND
    assert watched.status("/healthz", own=True) == httpx.codes.OK
    assert watched.status("/api/v1/cases", own=True) == httpx.codes.NOT_FOUND
    listening = Path(f"/proc/{watched.process.pid}/net/tcp").read_text()
    mine = [line.split()[1] for line in listening.splitlines() if f":{watched.own:04X} 00000000:0000" in line]
    assert mine == [f"0100007F:{watched.own:04X}"]


def test_an_account_has_twelve_series_at_most_and_none_once_it_is_taken_out_and_counts_go_on(
    watched: Watched,
) -> None:
    def counted(text: str) -> list[float]:
        names = ("subjects_judged_total", "cases_opened_total", "stripe_requests_total", "comparisons_total")
        return [value(text, name) for name in names]

    until(lambda: all(counted(watched.scraped())))
    before = watched.scraped()
    assert series_of_accounts(before).keys() == {"acme-eu", "acme-us"}
    assert max(series_of_accounts(before).values()) <= SERIES_AN_ACCOUNT_MAX
    whole = watched.config.read_text()
    watched.config.write_text(whole[: whole.rindex("[[accounts]]")])
    watched.process.send_signal(signal.SIGHUP)
    until(lambda: series_of_accounts(watched.scraped()).keys() == {"acme-eu"})
    pairs = zip(counted(watched.scraped()), counted(before), strict=True)
    assert all(now >= then for now, then in pairs)
    watched.config.write_text(whole)
    watched.process.send_signal(signal.SIGHUP)
    until(lambda: series_of_accounts(watched.scraped()).keys() == {"acme-eu", "acme-us"})


def test_a_database_whose_file_was_moved_away_is_not_ready_and_is_still_scraped(watched: Watched) -> None:
    elsewhere = watched.folder / "elsewhere"
    elsewhere.mkdir()
    files = list(watched.folder.glob("reconciled.db*"))
    for file in files:
        file.rename(elsewhere / file.name)
    try:
        answer = httpx.get(f"http://127.0.0.1:{watched.main}/readyz", trust_env=False)
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert "was moved away or replaced" in answer.json()["detail"]
        assert watched.status("/healthz") == httpx.codes.OK
        assert "events_received_total" in samples(watched.scraped())
    finally:
        for file in files:
            (elsewhere / file.name).rename(file)
    assert watched.is_ready()


def test_a_server_that_goes_away_is_not_ready_still_scraped_and_comes_back(
    server: Server, postgres_template: str, tmp_path: Path
) -> None:
    with Sandbox.start(accounts=1, customers=5) as sandbox, server.database(postgres_template) as database:
        watched = Watched(tmp_path, sandbox, database)
        name = database.partition("?")[0].rpartition("/")[2]
        with watched.running():
            until(lambda: value(watched.scraped(), "subjects_judged_total") > 0)
            assert watched.is_ready()
            server.execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
            try:
                until(_drops(server, watched))
                assert watched.status("/healthz") == httpx.codes.OK
                shown = samples(watched.scraped())
                assert value(watched.scraped(), "stripe_requests_total") > 0
                assert "metrics_snapshot_timestamp_seconds" in shown
            finally:
                server.execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
            until(watched.is_ready)
            before = value(watched.scraped(), "metrics_snapshot_timestamp_seconds")
            until(lambda: value(watched.scraped(), "metrics_snapshot_timestamp_seconds") > before)


def _drops(server: Server, watched: Watched) -> Callable[[], bool]:
    """Whether it is not ready: connections are taken away until it has none left."""

    def gone() -> bool:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname IS NOT NULL"
        )
        return watched.status("/readyz") == httpx.codes.SERVICE_UNAVAILABLE

    return gone
