"""The world's own face, through its client and over real HTTP; and the configuration that a daemon gets."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.sandbox import client
from accounts.sandbox.client import SandboxUnreachable
from accounts.sandbox.configuration import configuration
from accounts.sandbox.control import merged
from accounts.sandbox.server import Sandbox
from daemon.settings import load

TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=4, customers=12) as running:
        yield running


def ask(sandbox: Sandbox, method: str, path: str, sent: Any = None) -> httpx.Response:
    return httpx.request(method, f"{sandbox.url}/_sandbox{path}", json=sent, timeout=TIMEOUT_S)


def test_the_accounts_and_what_is_in_them_can_be_described(sandbox: Sandbox) -> None:
    rows = client.describe(sandbox.url)
    assert [row["slug"] for row in rows] == ["acme-eu", "acme-us", "acme-test", "acme-jp", "acme-platform"]
    assert [row["counts"].get("customer", 0) for row in rows] == [12, 12, 12, 12, 0]
    assert [row["livemode"] for row in rows] == [True, True, False, True, True]
    state = client.state(sandbox.url)
    assert state["crm_records"] == len(sandbox.world.crm)
    assert state["planted"] + state["near_misses"] == len(sandbox.world.planted)


def test_the_clock_is_moved_ahead_and_never_back(sandbox: Sandbox) -> None:
    before = client.state(sandbox.url)["now"]
    client.advance(sandbox.url, 3600)
    assert 3600 <= client.state(sandbox.url)["now"] - before < 3700
    with pytest.raises(SandboxUnreachable, match="the clock only goes forward"):
        client.advance(sandbox.url, -1)


def test_incidents_are_listed_started_and_ended(sandbox: Sandbox) -> None:
    names = [each["name"] for each in client.list_incidents(sandbox.url)["incidents"]]
    assert {"outage", "webhook_blackout", "dispute_wave", "crm_down"} <= set(names)
    client.start_incident(sandbox.url, "outage", "acme-us")
    running = client.list_incidents(sandbox.url)["running"]
    assert running == [{"name": "outage", "account": "acct_1SandboxAcmeUs"}]
    client.end_incident(sandbox.url, "outage", "acme-us")
    assert client.list_incidents(sandbox.url)["running"] == []


def test_an_unknown_incident_is_a_sentence(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxUnreachable, match="There is no incident “fire”; there are outage"):
        client.start_incident(sandbox.url, "fire")


def test_where_no_sandbox_is_the_client_says_how_to_start_one() -> None:
    for nowhere in ("http://127.0.0.1:9", "not an address"):
        with pytest.raises(SandboxUnreachable, match="Start one with: reconciled demo"):
            client.describe(nowhere)


@pytest.mark.parametrize("kept", ["crm", "entitlements"])
def test_a_record_is_edited_by_hand_and_taken_away(sandbox: Sandbox, kept: str) -> None:
    records = getattr(sandbox.world, kept)
    key, before = records[0]["key"], records[0]["updated"]
    edited = ask(sandbox, "PATCH", f"/{kept}/{key}", {"status": "churned"}).json()
    assert edited["status"] == records[0]["status"] == "churned"
    assert edited["updated"] > before
    assert ask(sandbox, "DELETE", f"/{kept}/{key}").status_code == 200
    assert all(each["key"] != key for each in records)
    assert ask(sandbox, "DELETE", f"/{kept}/{key}").status_code == 400


@pytest.mark.parametrize("sent", [{"key": "other"}, {"colour": "red"}, ["status"]])
def test_a_record_cannot_be_edited_into_something_else(sandbox: Sandbox, sent: object) -> None:
    key = sandbox.world.crm[0]["key"]
    assert ask(sandbox, "PATCH", f"/crm/{key}", sent).status_code == 400


def test_an_object_is_changed_by_a_patch_and_its_event_tells_of_it(sandbox: Sandbox) -> None:
    account = sandbox.world.accounts["acct_1SandboxAcmeEu"]
    before = sandbox.on_loop(lambda: next(account.newest_first("subscription", status="active")))
    sent = {
        "changes": {"cancel_at_period_end": True, "metadata": {"by": "hand"}},
        "event": "customer.subscription.updated",
    }
    path = f"/objects/acme-eu/subscription/{before['id']}"
    after = ask(sandbox, "PATCH", path, sent).json()
    assert after["cancel_at_period_end"] is True
    assert after["metadata"] == {"by": "hand"}
    told = sandbox.on_loop(lambda: next(account.newest_first("event")))
    assert told["type"] == "customer.subscription.updated"
    assert told["data"]["object"]["id"] == before["id"]
    assert told["data"]["previous_attributes"] == {"cancel_at_period_end": False, "metadata": {}}


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/objects/acme-eu/subscription/sub_none", {"changes": {}}),
        ("/objects/nobody/subscription/sub_none", {"changes": {}}),
        ("/objects/acme-eu/customer", {"changes": {}}),
        ("/clock", {"advance_s": "soon"}),
        ("/crm/none", {"status": "x"}),
    ],
)
def test_what_cannot_be_done_is_answered_with_a_sentence(sandbox: Sandbox, path: str, sent: object) -> None:
    answered = ask(sandbox, "POST" if path == "/clock" else "PATCH", path, sent)
    assert answered.status_code == 400
    assert answered.json()["message"].endswith(".")


def test_an_unknown_path_is_answered_with_those_there_are(sandbox: Sandbox) -> None:
    answered = ask(sandbox, "GET", "/weather")
    assert answered.status_code == 404
    assert "POST /_sandbox/incidents" in answered.json()["message"]


def test_a_merge_patch_keeps_what_it_does_not_name_and_sets_null() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": None}}) == {"a": {"b": None, "c": 2}, "d": 3}


def test_what_is_planted_and_what_unfolds_can_be_asked_for(sandbox: Sandbox) -> None:
    planted = ask(sandbox, "GET", "/planted").json()["planted"]
    assert planted[0].keys() == {"kind", "account", "subject", "expected", "story", "ids"}
    after = ask(sandbox, "POST", "/unfold", {}).json()["planted"]
    assert after > len(planted)


def test_the_webhook_log_says_what_was_tried(sandbox: Sandbox) -> None:
    client.listen(sandbox.url, "http://127.0.0.1:9")
    account = sandbox.world.accounts["acct_1SandboxAcmeUs"]
    path = (
        f"/objects/acme-us/customer/{sandbox.on_loop(lambda: next(account.newest_first('customer')))['id']}"
    )
    ask(sandbox, "PATCH", path, {"changes": {"delinquent": True}, "event": "customer.updated"})
    tried: list[Any] = []
    while not tried:  # the try fails as soon as the loop comes to it
        tried = ask(sandbox, "GET", "/webhooks").json()["attempts"]
    assert tried[0]["type"] == "customer.updated"
    assert tried[0]["outcome"] == "no_answer"


def test_a_daemons_configuration_names_every_account_and_loads(sandbox: Sandbox, tmp_path: Path) -> None:
    text = configuration(sandbox.world, sandbox.url, tmp_path)
    assert (tmp_path / "reconciled.toml").read_text() == text
    settings = load(tmp_path / "reconciled.toml")
    assert [each.id for each in settings.accounts] == ["acme-eu", "acme-us", "acme-test", "acme-jp"]
    assert [each.id for each in settings.platforms] == ["acme-platform"]
    registry = settings.registry()
    for account in settings.accounts:
        for role in ("read_key", "act_key"):
            key = registry.key(account, role)
            assert key is not None
            owner = sandbox.world.accounts[str(key.owner)]
            assert key.secret.reveal() in owner.keys
            assert (key.on_behalf_of == account.stripe_account) == (account.id == "acme-jp")


def test_secrets_are_in_files_that_only_their_owner_reads_and_in_no_other(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    text = configuration(sandbox.world, sandbox.url, tmp_path)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    secrets = [path for path in written if path.suffix != ".toml"]
    assert len(secrets) == 3 * 4 + 3  # three for each that has keys, two tokens, and the key
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().strip() not in text


def test_the_key_that_encrypts_is_made_once(sandbox: Sandbox, tmp_path: Path) -> None:
    configuration(sandbox.world, sandbox.url, tmp_path)
    first = (tmp_path / "reconciled.key").read_text()
    configuration(sandbox.world, sandbox.url, tmp_path)
    assert (tmp_path / "reconciled.key").read_text() == first
