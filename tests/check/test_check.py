"""`check` says everything that is missing at once, whose it is, and what to do; and never a secret."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from accounts.stripe.resources import EVENTS
from daemon import cli
from daemon.check import check
from daemon.check.report import AccountReport, Report
from daemon.settings import load


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=4, customers=3, at=int(datetime.now(UTC).timestamp())) as running:
        yield running


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> Path:
    sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, tmp_path))
    path = tmp_path / "reconciled.toml"
    changed(path, "[defaults]", "[defaults]\nread_share = 1.0")  # a check asks twenty things, politely
    return path


def changed(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))


def problems(report: Report) -> str:
    return "\n".join(f"{finding.where}: {finding.sentence}" for finding in report.of("problem"))


def account(report: Report, name: str) -> AccountReport:
    return next(each for each in report.accounts if each.id == name)


def test_a_healthy_installation_has_no_problems(config: Path) -> None:
    report = check(load(config))
    assert problems(report) == ""
    assert {each.key for each in report.accounts} == {"proven"}


def test_it_names_the_permissions_the_link_and_the_webhook_line(config: Path) -> None:
    found = account(check(load(config)), "acme-eu")
    assert found.read_permissions[0] == "rak_customer_read"
    assert found.read_key_link.startswith("https://dashboard.stripe.com/apikeys/create?name=")
    assert all(f"={name}" in found.read_key_link for name in found.read_permissions)
    assert found.webhook.command is not None
    assert found.webhook.command.startswith(
        "stripe webhook_endpoints create --url=http://127.0.0.1:8787/webhooks/stripe/acme-eu"
    )
    named = re.findall(r"enabled_events\[\d+\]=([\w.]+)", found.webhook.command)
    assert set(named) == {event.name for event in EVENTS}


def test_a_revoked_key_is_a_problem_of_its_account_alone(sandbox: Sandbox, config: Path) -> None:
    sandbox.incident("key_revoked", account="acme-us")
    try:
        report = check(load(config))
    finally:
        sandbox.end_incident("key_revoked", account="acme-us")
    assert account(report, "acme-us").key == "unauthorized"
    assert account(report, "acme-eu").key == "proven"
    assert "accounts.acme-us.read_key" in problems(report)
    assert "https://dashboard.stripe.com/apikeys/create" in problems(report)
    assert "acme-eu" not in problems(report)


def test_a_missing_permission_is_named_with_what_is_lost(sandbox: Sandbox, config: Path) -> None:
    acme = next(each for each in sandbox.world.accounts.values() if each.slug == "acme-eu")
    key = next(each for each in acme.keys.values() if "read" in each.value)
    granted = key.permissions
    assert granted is not None
    key.permissions = granted - {"rak_dispute_read"}
    try:
        report = check(load(config))
    finally:
        key.permissions = granted
    [missing] = [each for each in account(report, "acme-eu").missing if each.resource == "disputes"]
    assert missing.permissions == ("rak_dispute_read",)
    assert (
        "It may not read disputes: add rak_dispute_read. Until then: No dispute and no deadline is seen."
        in problems(report)
    )


def test_the_key_of_another_account_is_never_used(sandbox: Sandbox, config: Path) -> None:
    changed(
        config, 'read_key = { file = "secrets/acme-eu-read" }', 'read_key = { file = "secrets/acme-us-read" }'
    )
    report = check(load(config))
    assert account(report, "acme-eu").key == "wrong account"
    assert account(report, "acme-eu").missing == ()
    assert "The key belongs to acct_1SandboxAcmeUs, not to acct_1SandboxAcmeEu" in problems(report)


@pytest.mark.parametrize(
    ("new", "state", "sentence"),
    [
        (
            '{ env = "NOT_SET_ANYWHERE" }',
            "unreadable",
            "The environment variable NOT_SET_ANYWHERE is not set.",
        ),
        ('{ file = "nowhere" }', "unreadable", "cannot be read"),
        ('{ file = "secrets/acme-test-read" }', "refused", "It is a test key"),
        ('{ file = "secrets/acme-eu-webhook" }', "refused", "It is not a restricted Stripe key"),
        ('{ command = ["false"] }', "unreadable", "ended with exit code 1"),
    ],
)
def test_a_key_that_cannot_be_used_says_why(config: Path, new: str, state: str, sentence: str) -> None:
    changed(config, '{ file = "secrets/acme-eu-read" }', new)
    report = check(load(config))
    assert account(report, "acme-eu").key == state
    assert sentence in problems(report)


def test_one_key_for_reading_and_acting_is_a_warning(config: Path) -> None:
    changed(config, '{ file = "secrets/acme-eu-act" }', '{ file = "secrets/acme-eu-read" }')
    report = check(load(config))
    assert ("accounts.acme-eu.act_key", True) in [
        (w.where, "It is the read key" in w.sentence) for w in report.of("warning")
    ]


def test_mode_act_without_a_key_to_act_is_a_warning(config: Path) -> None:
    changed(config, 'act_key = { file = "secrets/acme-eu-act" }\n', "")
    assert any("works as “propose”" in warning.sentence for warning in check(load(config)).of("warning"))


def test_an_unreachable_stripe_is_a_problem_and_no_traceback(config: Path) -> None:
    text = config.read_text()
    config.write_text(re.sub(r'stripe_api = ".*"', 'stripe_api = "http://127.0.0.1:9"', text))
    report = check(load(config))
    assert {each.key for each in report.accounts} == {"unreachable"}
    assert problems(report).count("could not be reached") >= len(report.accounts)


@pytest.mark.parametrize(
    ("incident", "where"), [("crm_down", "crm.pretend"), ("product_down", "entitlements.app")]
)
def test_a_source_that_does_not_answer_is_named(
    sandbox: Sandbox, config: Path, incident: str, where: str
) -> None:
    sandbox.incident(incident)
    try:
        report = check(load(config))
    finally:
        sandbox.end_incident(incident)
    assert where in problems(report)
    assert {each.key for each in report.accounts} == {"proven"}


def test_a_webhook_endpoint_that_lacks_events_or_is_disabled_is_a_problem(
    sandbox: Sandbox, config: Path
) -> None:
    acme = next(each for each in sandbox.world.accounts.values() if each.slug == "acme-eu")
    key = next(each.value for each in acme.keys.values() if "act" in each.value)
    grants = acme.keys[key].permissions
    acme.keys[key].permissions = None
    url = "http://127.0.0.1:8787/webhooks/stripe/acme-eu"

    def call(path: str, form: dict[str, str | list[str]]) -> str:
        answer = httpx.post(
            f"{sandbox.url}/v1/webhook_endpoints{path}", data=form, headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    try:
        assert account(check(load(config)), "acme-eu").webhook.state == "absent"
        endpoint = call("", {"url": url, "enabled_events[]": ["invoice.paid"]})
        report = check(load(config))
        assert account(report, "acme-eu").webhook.state == "incomplete"
        assert "does not deliver" in problems(report)
        assert "charge.dispute.created" in problems(report)
        call(f"/{endpoint}", {"enabled_events[]": [event.name for event in EVENTS]})
        report = check(load(config))
        assert account(report, "acme-eu").webhook.state == "enabled"
        assert problems(report) == ""
        call(f"/{endpoint}", {"disabled": "true"})
        report = check(load(config))
        assert account(report, "acme-eu").webhook.state == "disabled"
        assert "enable it in the dashboard" in problems(report)
    finally:
        acme.keys[key].permissions = grants
        sandbox.on_loop(lambda: acme.delete("webhook_endpoint", endpoint))


def test_a_clock_that_is_wrong_is_a_problem(config: Path) -> None:
    report = check(load(config), now=lambda: datetime.now(UTC) - timedelta(minutes=10))
    assert "This machine's clock is" in problems(report)
    assert "behind Stripe's" in problems(report)


def test_the_database_and_the_files_are_looked_at_too(config: Path) -> None:
    folder = config.parent
    (folder / "policy.toml").write_text("[grace")
    (folder / "reconciled.key").write_text("short")
    with closing(sqlite3.connect(folder / "reconciled.db")) as other, other:
        other.execute("create table somebody_elses (x)")
    text = problems(check(load(config)))
    for where in ("policies.default: ", "daemon.secret_key: ", "daemon.database: "):
        assert where in text


def test_the_command_says_the_same_to_people_and_to_programs_and_no_secret_to_either(
    sandbox: Sandbox, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(config, '{ file = "secrets/acme-us-read" }', '{ env = "NOT_SET_ANYWHERE" }')
    assert cli.run(["--config", str(config), "check"]) == 1
    people = capsys.readouterr()
    assert cli.run(["--config", str(config), "check", "--json"]) == 1
    programs = capsys.readouterr()
    found = json.loads(programs.out)
    assert found["ok"] is False
    assert [finding["where"] for finding in found["findings"] if finding["level"] == "problem"] == [
        "accounts.acme-us.read_key"
    ]
    assert "1 problem, " in people.out
    secrets = [path.read_text().strip() for path in (config.parent / "secrets").iterdir()]
    everything = people.out + people.err + programs.out + programs.err
    assert not [secret for secret in secrets if secret in everything]


def test_an_installation_without_accounts_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration_file = str(tmp_path / "reconciled.toml")
    assert cli.run(["--config", configuration_file, "init"]) == 0
    assert cli.run(["--config", configuration_file, "check"]) == 1
    assert "There is no [[accounts]] table yet" in capsys.readouterr().out
