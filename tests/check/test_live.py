"""`check --live`: what a running daemon says of itself, and where it sends whoever asks at three in the morning."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import update

from accounts.facts import Subject
from accounts.sandbox.server import Sandbox
from daemon import cli
from daemon.canary import CANARY
from daemon.check.live import Line, check_live, diagnosed, scraped, span, spelled
from daemon.cli.terminal import OK, PROBLEMS, now
from daemon.run import Daemon
from daemon.scan import EVERYTHING
from daemon.settings import load
from daemon.store import stops, worklist
from daemon.wiring.flows import FIGURES
from metrics.catalog import VERDICTS, canary, event_verdicts
from metrics.numbers import NUMBERS
from tests.cli.pretend import configured, daemon_of, until
from tests.ports import free_port

RUNBOOKS: Final = Path(__file__).parents[2] / "grafana" / "runbooks"
TITLES: Final = [number.title for number in NUMBERS]


@contextmanager
def living(folder: Path, customers: int) -> Iterator[tuple[Sandbox, Daemon, Path]]:
    """A daemon that has read everything and flown its canary, in a process where nothing was late before."""
    for verdict in VERDICTS:
        event_verdicts.labels(verdict).reset()
    with Sandbox.start(accounts=1, customers=customers) as sandbox:
        config = Path(configured(sandbox, folder, listen=f"127.0.0.1:{free_port()}"))
        with daemon_of(str(config)) as daemon:
            added = read_at(daemon)
            daemon.runner.wake(CANARY, EVERYTHING)
            until(lambda: daemon.flows.works.canary.missing() is None and canary_was_seen())
            until(lambda: read_at(daemon) > added)
            daemon.runner.wake(FIGURES, EVERYTHING)
            yield sandbox, daemon, config


def canary_was_seen() -> bool:
    return all(sample.value for family in canary.collect() for sample in family.samples)


def read_at(daemon: Daemon) -> float:
    """When everything had been read; before that, when the account was added."""
    return dict(daemon.flows.figures()["reconciled_reconcile_last_success_timestamp_seconds"])["acme-eu",]


def asked(config: Path) -> Mapping[str, Line]:
    return {line.what: line for line in check_live(load(config), now)}


def test_a_daemon_that_is_well_says_so_in_ten_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with living(tmp_path, customers=0) as (_, _daemon, config):
        until(lambda: asked(config)[TITLES[0]].says != "?")
        lines = asked(config)
        assert [each.what for each in lines.values() if each.level != "ok"] == []
        assert list(lines) == ["lives", "is ready", *TITLES]
        assert lines["Next dispute deadline"].says == "none"
        capsys.readouterr()
        assert cli.run(["--config", str(config), "check", "--live", "--json"]) == OK
        told = json.loads(capsys.readouterr().out)
        assert told["ok"]
        assert [each["what"] for each in told["lines"]] == list(lines)
        assert cli.run(["--config", str(config), "check", "--live"]) == OK


def test_in_trouble_it_names_what_is_wrong_and_the_runbook_of_each(tmp_path: Path) -> None:
    with living(tmp_path, customers=30) as (sandbox, daemon, config):
        sandbox.incident("dispute_wave", "acme-eu")
        with daemon.store.transaction() as session:
            worklist.mark(session, [Subject("acme-eu", "customer", "cus_poison")], now())
            poison = update(worklist.WORK).where(worklist.WORK.c.id == "cus_poison")
            session.execute(poison.values(buried_at=now(), error="always"))
            stops.stop(session, "acme-eu", "ana", now())
        assert cli.run(["--config", str(config), "sweep"]) == OK
        sandbox.incident("key_revoked", "acme-eu")
        daemon.flows.stripe.demand("acme-eu", whole=True)

        def found() -> dict[str, str | None]:
            daemon.runner.wake(FIGURES, EVERYTHING)
            return {line.what: line.runbook for line in asked(config).values() if line.level != "ok"}

        wanted = {
            "Dead letters": "ReconciledDeadLetterArrived",
            "Next dispute deadline": "ReconciledDisputeDeadlineAtRisk",
            "Acting": "ReconciledActionsStopped",
            "Account acme-eu": "ReconciledAccountKeyUnusable",
            "Accounts in trouble": "ReconciledAccountStale",
        }
        until(lambda: wanted.items() <= found().items())
        assert all((RUNBOOKS / f"{runbook}.md").exists() for runbook in found().values())
        assert cli.run(["--config", str(config), "check", "--live"]) == PROBLEMS


def test_a_daemon_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with Sandbox.start(accounts=1, customers=0) as sandbox:
        config = Path(configured(sandbox, tmp_path, listen=f"127.0.0.1:{free_port()}"))
    lines = check_live(load(config), now)
    assert [(line.level, line.runbook) for line in lines] == [("bad", "ReconciledDown")]
    assert "Nobody answers at" in lines[0].says
    assert cli.run(["--config", str(config), "check", "--live"]) == PROBLEMS


def test_metrics_that_are_elsewhere_are_told_apart_from_a_dead_daemon(tmp_path: Path) -> None:
    with living(tmp_path, customers=0) as (_, _daemon, config):
        elsewhere = config.read_text().replace('metrics = ""', f'metrics = "127.0.0.1:{free_port()}"')
        config.write_text(elsewhere)
        lines = check_live(load(config), now)
    assert [(line.what, line.level) for line in lines] == [
        ("lives", "ok"),
        ("is ready", "ok"),
        ("shows metrics", "bad"),
    ]
    assert lines[-1].runbook == "ReconciledMetricsAbsent"


@pytest.mark.parametrize("number", NUMBERS, ids=lambda each: each.key)
def test_a_number_without_any_samples_is_spelled_and_is_no_alarm(number: object) -> None:
    (found,) = (each for each in NUMBERS if each is number)
    value = found.value(scraped(""), 0)
    assert value is None
    assert spelled(found, value) == found.none
    assert found.judged(value) == ("ok", None)


def test_a_number_says_how_bad_it_is_and_whose_runbook_that_is() -> None:
    deadline = next(each for each in NUMBERS if each.key == "next_deadline")
    assert deadline.judged(100 * 3_600) == ("ok", None)
    assert deadline.judged(50 * 3_600) == ("warn", "ReconciledDisputeDeadlineSoon")
    assert deadline.judged(5 * 3_600) == ("bad", "ReconciledDisputeDeadlineAtRisk")
    stalest = next(each for each in NUMBERS if each.key == "stalest_account")
    assert stalest.judged(1.9) == ("ok", None)
    assert stalest.judged(2) == ("bad", "ReconciledAccountStale")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (3_600, "1 h"), (93_784, "1 d 2 h"), (-7_260, "-2 h 1 min"), (0.4, "0 s")],
)
def test_a_span_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("sample", "what", "runbook"),
    [
        ('cases{kind="unapproved_money_move",state="open"} 2', "Safety", "UnapprovedMoneyMove"),
        ('cases{kind="executed_differently",state="open"} 1', "Callers", "ExecutedDifferently"),
        ('cases{kind="rule_storm",state="open"} 1', "Rules", "RuleStorm"),
        ('cases{kind="event_gap",state="open"} 1', "Webhooks", "GapFound"),
        ('proposals{state="unknown"} 1', "Attempts", "ActionUnknown"),
        ('undelivered{state="dead"} 1', "Deliveries", "DeliveriesDead"),
        ("scheduler_heartbeat_timestamp_seconds 999000", "Clock", "SchedulerStalled"),
        ("metrics_snapshot_timestamp_seconds 999000", "Database", "SnapshotStale"),
        ('canary_timestamp_seconds{stage="taken"} 999000', "Canary", "CanaryLate"),
        ("dead_letter_oldest_timestamp_seconds 900000", "Set aside", "DeadLetterOld"),
        ("proposal_oldest_timestamp_seconds 900000", "Decisions", "ApprovalsOverdue"),
        ('disagreement_oldest_timestamp_seconds{system="crm"} 100000', "Unsettled", "DisagreementOld"),
        ('stripe_read_budget_used_ratio{account="eu"} 0.85', "Account eu", "ReadBudgetHigh"),
        ('stripe_read_budget_used_ratio{account="eu"} 0.95', "Account eu", "ReadBudgetSpent"),
        ('account_key_usable{account="eu"} 0', "Account eu", "AccountKeyUnusable"),
        ("config_last_reload_successful 0", "Configuration", "ReloadRefused"),
    ],
)
def test_what_an_alert_would_say_is_said_at_once_with_its_runbook(
    sample: str, what: str, runbook: str
) -> None:
    account = 'reconciled_account_info{account="eu"} 1'
    lines = diagnosed(scraped(f"{account}\nreconciled_{sample}\n"), 1_000_000.0)
    assert [(line.what, line.runbook) for line in lines if line.level != "ok"] == [
        (what, f"Reconciled{runbook}")
    ]
    assert (RUNBOOKS / f"Reconciled{runbook}.md").exists()


def test_a_process_without_a_clock_is_not_called_late() -> None:
    assert all(
        line.level == "ok" for line in diagnosed(scraped("reconciled_canary_timestamp_seconds 0\n"), 1e9)
    )
