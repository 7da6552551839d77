"""`reconciled sweep`, `cases` and `policy`, on a pretend world."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from daemon import cli, once


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=1, customers=40) as running:
        yield running


@pytest.fixture(scope="module")
def config(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("swept")
    sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, folder))
    path = folder / "reconciled.toml"
    path.write_text(path.read_text().replace("[defaults]", "[defaults]\nread_share = 1.0"))
    assert cli.run(["--config", str(path), "sweep", "--once"]) == 0
    return str(path)


def listed(config: str, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.run(["--config", config, "cases", "list", "--json", *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_sweep_finds_exactly_what_is_planted(
    sandbox: Sandbox, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed(config, capsys)
    expected = sorted(each.kind for each in sandbox.world.planted if each.expected)
    assert sorted(str(item["kind"]) for item in found["items"]) == expected
    assert found["total"] == len(expected)
    assert found["next"] is None


def test_every_item_has_the_promised_shape(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    promised = (
        "id account stripe_account kind subject ids title severity state substate opened_at due_at amount "
        "currency assignee assignee_name"
    )
    for item in listed(config, capsys)["items"]:
        assert list(item) == promised.split()


def test_pages_follow_one_another_without_gap_or_repetition(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for sort in ("urgency", "due", "opened", "amount"):
        whole = [item["id"] for item in listed(config, capsys, "--sort", sort)["items"]]
        paged: list[object] = []
        cursor: list[str] = []
        while True:
            found = listed(config, capsys, "--sort", sort, "--limit", "4", *cursor)
            paged += [item["id"] for item in found["items"]]
            if found["next"] is None:
                break
            cursor = ["--cursor", str(found["next"])]
        assert paged == whole
    assert cli.run(["--config", config, "cases", "list", "--cursor", "nonsense"]) == 1


def test_the_most_urgent_come_first(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    rank = {"critical": 0, "high": 1, "normal": 2, "low": 3}
    severities = [rank[str(item["severity"])] for item in listed(config, capsys)["items"]]
    assert severities == sorted(severities)


def test_a_case_is_found_by_an_id_it_is_about_and_shown_whole(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [first, *_] = listed(config, capsys)["items"]
    about = first["ids"][-1]
    assert first["id"] in [item["id"] for item in listed(config, capsys, "-q", about)["items"]]
    assert cli.run(["--config", config, "cases", "show", str(first["id"]), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["policy_version"]
    assert shown["timeline"][-1]["what"] == "case_opened"
    assert shown["links"][0]["url"].startswith("https://dashboard.stripe.com/acct_")
    assert cli.run(["--config", config, "cases", "show", str(first["id"])]) == 0
    assert cli.run(["--config", config, "cases", "show", "case_nowhere"]) == 1


def test_the_queue_can_be_taken_into_a_spreadsheet(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    total = listed(config, capsys)["total"]
    assert cli.run(["--config", config, "cases", "export"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == total
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_a_second_sweep_over_an_unchanged_world_writes_no_journal(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listed(config, capsys)
    cli.run(["--config", config, "journal", "head"])
    head = capsys.readouterr().out
    assert cli.run(["--config", config, "sweep"]) == 0
    assert "cases stand" in capsys.readouterr().out
    assert listed(config, capsys) == before
    cli.run(["--config", config, "journal", "head"])
    assert capsys.readouterr().out == head


def test_a_crm_that_comes_back_within_seconds_is_read_by_the_same_sweep(
    sandbox: Sandbox, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def sleep(wait_s: float) -> None:
        waited.append(wait_s)
        sandbox.end_incident("crm_down")

    sandbox.incident("crm_down")
    monkeypatch.setattr(once, "time", SimpleNamespace(sleep=sleep))
    assert cli.run(["--config", config, "sweep", "--once"]) == 0
    assert waited == [0.5]


def test_the_policy_in_force_is_shown_and_a_changed_one_waits(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["--config", config, "policy", "check"]) == 0
    assert "waits" not in capsys.readouterr().out
    assert cli.run(["--config", config, "policy", "show"]) == 0
    assert "in force" in capsys.readouterr().out
    policy = Path(config).with_name("policy.toml")
    good = policy.read_text()
    try:
        policy.write_text(good.replace('past_due = "7d"', 'past_due = "8d"'))
        assert cli.run(["--config", config, "policy", "check"]) == 0
        assert "waits to be activated" in capsys.readouterr().out
        policy.write_text("[grce]\npast_due = 7\n")
        assert cli.run(["--config", config, "policy", "check"]) == 1
        assert "did you mean “grace”?" in capsys.readouterr().err
    finally:
        policy.write_text(good)


def test_an_account_that_is_not_configured_is_refused(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["--config", config, "sweep", "--account", "nobody"]) == 1
    assert "There is no account nobody" in capsys.readouterr().err


def test_no_secret_and_no_personal_detail_reaches_the_database(sandbox: Sandbox, config: str) -> None:
    folder = Path(config).parent
    content = b"".join(file.read_bytes() for file in folder.glob("reconciled.db*"))
    assert b"cus_" in content
    secrets = [file.read_bytes().strip() for file in (folder / "secrets").iterdir()]
    secrets.append((folder / "reconciled.key").read_bytes().strip())
    emails = [customer["email"].encode() for account in sandbox.world.accounts.values()
              for customer in account.newest_first("customer") if customer["email"]]  # fmt: skip
    names = [record["name"].encode() for record in sandbox.world.crm if record["name"]]
    assert emails
    assert not [kept for kept in (*secrets, *emails, *names) if kept in content]
