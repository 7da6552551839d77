"""The commands as people use them: on the machine as its owner, and over HTTP as whoever is signed in."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon import cli
from daemon.cli import logins
from tests.faces.served import Served

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(served: Served) -> Path:
    """The configuration of the daemon that is served, at its address."""
    path = served.rig.folder / "reconciled.toml"
    text = path.read_text()
    old = next(line for line in text.splitlines() if line.startswith("listen"))
    text = text.replace(old, f'listen = "127.0.0.1:{served.server.port}"')
    database = next(line for line in text.splitlines() if line.startswith("database"))
    path.write_text(text.replace(database, f'database = "sqlite:///{served.store.place.path}"'))
    return path


@pytest.fixture
def run(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command as somebody who has a home of their own."""
    monkeypatch.delenv("RECONCILED_TOKEN", raising=False)

    def running(*arguments: str, home: str = "nobody", token: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / home))
        if token is None:
            monkeypatch.delenv("RECONCILED_TOKEN", raising=False)
        else:
            monkeypatch.setenv("RECONCILED_TOKEN", token)
        capsys.readouterr()
        ended = cli.run(["--config", str(config), *arguments])
        told = capsys.readouterr()
        return ended, told.out, told.err

    return running


def answered(run: Run, *arguments: str, **more: Any) -> dict[str, Any]:
    code, out, err = run(*arguments, "--json", **more)
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def sign_in(run: Run, name: str, role: str = "approver") -> None:
    link = answered(run, "users", "add", name, "--role", role)["sign_in_url"]
    code, out, err = run("login", link, home=name)
    assert (code, name in out) == (0, True), err


def test_a_person_is_added_and_signs_in_with_the_link(run: Run, config: Path, tmp_path: Path) -> None:
    added = answered(run, "users", "add", "ana", "--role", "approver", "--limit", "500 EUR")
    assert list(added) == ["id", "name", "role", "accounts", "sign_in_url"]
    assert (added["name"], added["role"], added["accounts"]) == ("ana", "approver", None)
    assert "/login#rcl_in_" in added["sign_in_url"]
    assert run("login", home="ana")[0] == 1
    code, out, _ = run("login", added["sign_in_url"], home="ana")
    assert code == 0
    [kept] = (tmp_path / "ana" / "reconciled" / "logins").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "rcl_" not in out
    assert run("login", home="ana")[1] == "You are ana, approver, for all accounts.\n"
    code, _, err = run("login", added["sign_in_url"], home="ben")
    assert (code, "unknown_link" in err) == (1, True)
    people = answered(run, "users", "list")["items"]
    assert [(each["name"], each["limits"]) for each in people] == [("ana", ["500.00 EUR"])]


def test_a_sentence_is_all_that_a_wrong_word_brings(run: Run) -> None:
    for arguments, sentence in (
        (("login", "http://127.0.0.1:1/login"), "no sign-in link"),
        (("login", "http://example.com/login#rcl_in_x"), "neither https nor this machine"),
        (("users", "add", "ana", "--role", "emperor"), "is no role of a person"),
        (("users", "add", "ana", "--role", "viewer", "--limit", "lots"), "--limit"),
        (("users", "add", "ana", "--role", "viewer", "--account", "nowhere"), "There is no account nowhere"),
        (("tokens", "add", "x"), "a person's (--user) or a program's (--role)"),
        (("tokens", "add", "x", "--user", "nobody"), "nobody called"),
        (("tokens", "revoke", "x"), "no token"),
        (("cases", "approve", "case_1", "--yes"), "You are not signed in"),
        (("users", "confirm", "chg_1"), "You are not signed in"),
        (("policy", "activate", "nowhere.toml"), "cannot be read"),
        (("actions", "off", "--account", "nowhere"), "There is no account"),
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (1, ""), (arguments, out)
        assert sentence in err
        assert "Traceback" not in err


def test_tokens_are_shown_once_and_only_their_person_makes_them_later(run: Run, served: Served) -> None:
    answered(run, "users", "add", "ana", "--role", "approver")
    early = answered(run, "tokens", "add", "early", "--user", "ana", "--account", served.rig.slug)
    assert list(early) == ["id", "name", "token", "role", "user", "accounts"]
    assert (early["role"], early["user"], early["accounts"]) == (None, "ana", [served.rig.slug])
    bot = answered(run, "tokens", "add", "bot", "--role", "agent")
    assert (bot["role"], bot["user"], bot["accounts"]) == ("agent", None, None)
    assert served.client(bot["token"]).get("/api/v1/me").json()["role"] == "agent"
    link = answered(run, "users", "invite", "ana")["sign_in_url"]
    assert run("login", link, home="ana")[0] == 0
    code, _, err = run("tokens", "add", "late", "--user", "ana")
    assert (code, "not signed in" in err) == (1, True)
    own = answered(run, "tokens", "add", "late", "--user", "ana", home="ana")
    assert served.client(own["token"]).get("/api/v1/me").json()["name"] == "ana"
    listed = answered(run, "tokens", "list")["items"]
    assert {(each["name"], each["user"]) for each in listed} >= {
        ("early", "ana"),
        ("bot", None),
        ("late", "ana"),
    }
    assert "rcl_" not in str(listed)
    assert run("tokens", "revoke", "bot")[0] == 0
    assert served.client(bot["token"]).get("/api/v1/me").status_code == 401
    assert run("tokens", "revoke", "--user", "ana")[1].count("Revoked") == 3
    for listing in ("tokens", "users"):
        assert run(listing, "list")[0] == 0


def test_a_refund_is_approved_from_a_terminal(run: Run, served: Served) -> None:
    case = served.stage(served.program("shop"))
    sign_in(run, "ana")
    code, out, err = run("cases", "approve", case["id"], "--note", "Paid twice.", home="ana")
    assert code == 0, err
    assert case["proposal"]["effect"] in out
    assert case["proposal"]["state_hash"] in out
    assert "version 1 is approved" in out
    code, _, err = run("cases", "approve", case["id"], "--yes", "--version", "7", home="ana")
    assert (code, "has no version 7" in err) == (1, True)
    shown = answered(run, "cases", "show", case["id"])
    assert shown["decisions"][0]["person"] == "ana"


def test_on_a_terminal_the_effect_is_the_question(
    run: Run, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = served.stage(served.program("shop"))
    sign_in(run, "ana")
    asked: list[str] = []

    def decline(question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", decline)
    assert run("cases", "approve", case["id"], home="ana")[0] == 1
    assert asked == [case["proposal"]["effect"] + "?"]
    assert answered(run, "cases", "show", case["id"])["decisions"] == []
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert run("cases", "approve", case["id"], home="ana")[0] == 0
    assert answered(run, "cases", "show", case["id"])["proposal"]["state"] == "approved"


def test_t08_whoever_asked_does_not_approve_from_a_terminal_either(run: Run, served: Served) -> None:
    sign_in(run, "ana")
    case = served.stage(served.client(token_of_login()))
    own = answered(run, "tokens", "add", "script", "--user", "ana", home="ana")["token"]
    for options in ({"home": "ana"}, {"token": own}):
        for arguments in ((), ("--set", "amount=5000")):
            code, _, err = run("cases", "approve", case["id"], "--yes", *arguments, **options)
            assert (code, "(self_approval)" in err) == (1, True)
    assert answered(run, "cases", "show", case["id"])["proposal"]["state"] == "pending"


def test_every_desk_command_does_what_it_says(run: Run, served: Served) -> None:
    agent = served.program("shop")
    case = served.stage(agent)
    sign_in(run, "ana")
    sign_in(run, "ben", "analyst")

    def done(verb: str, *arguments: str, home: str = "ana") -> dict[str, Any]:
        return answered(run, "cases", verb, case["id"], *arguments, home=home)

    mine = done("assign")
    assert mine["assignee_name"] == "ana"
    whole = run("cases", "show", case["id"])[1]
    assert "ana" in whole
    assert mine["assignee"] not in whole.partition("timeline")[0], "people read names"
    assert "whose" in run("cases", "list")[1]
    assert done("assign", "--nobody")["assignee"] is None
    assert done("snooze", "--until", "3d")["state"] == "snoozed"
    assert "Why twice?" in str(done("comment", "Why twice?")["untrusted"])
    done("request-changes", "--note", "Less.")
    edited = done("edit", "--version", "1", "--set", "amount=5000", home="ben")
    assert edited["proposal"]["details"]["amount"] == 5_000
    assert done("approve", "--yes")["proposal"]["state"] == "approved"
    assert done("revoke", "--note", "Wait.")["proposal"]["state"] == "pending"
    assert run("cases", "retry", case["id"], home="ana")[0] == 1
    assert run("cases", "release", case["id"], home="ana")[0] == 1
    assert done("reject", "--note", "No.")["proposal"]["state"] == "rejected"
    code, _, err = run("cases", "approve", case["id"], "--yes", home="ana")
    assert (code, "already_decided" in err) == (1, True)
    other = served.stage(served.client(token_of_login()))
    assert run("cases", "withdraw", other["id"], home="ana")[0] == 0
    assert run("cases", "comment", "case_nowhere", "x", home="ana")[2].endswith("(unknown_case)\n")


def test_whoever_looks_at_what_is_approved_and_stopped_is_told_why_it_waits(run: Run, served: Served) -> None:
    case = served.stage(served.program("shop"))
    sign_in(run, "ana")
    assert run("cases", "approve", case["id"], "--yes", home="ana")[0] == 0
    assert answered(run, "cases", "show", case["id"])["proposal"]["waits_because"] is None
    assert run("actions", "off", home="nobody")[0] == 0
    why = answered(run, "cases", "show", case["id"])["proposal"]["waits_because"]
    assert why.startswith("owner stopped all acting in all accounts on ")
    assert "stopped all acting" in run("cases", "show", case["id"])[1]


def test_the_kill_switch_works_with_and_without_a_daemon(run: Run, served: Served) -> None:
    assert run("actions")[1] == "Acting is not stopped as a whole.\n"
    code, out, _ = run("actions", "off")
    assert (code, out) == (0, "Acting is stopped in all accounts.\n")
    assert served.client(run_token(run)).get("/api/v1/actions").json()["stopped"] is True
    assert run("actions", "on")[0] == 0
    code, out, _ = run("actions", "off", "--account", served.rig.slug)
    assert f"{served.rig.slug}: owner stopped" in out
    sign_in(run, "ann", "admin")
    code, out, _ = run("actions", "on", "--account", served.rig.slug, home="ann")
    assert (code, served.rig.slug in out) == (0, False)
    sign_in(run, "carl")
    code, _, err = run("actions", "off", home="carl")
    assert (code, "(role)" in err) == (1, True)
    served.server.stop()
    served._thread.join(30)
    code, out, err = run("actions", "off", home="ann")
    assert (code, out.splitlines()[0]) == (0, "Acting is stopped in all accounts.")
    assert "does not answer" in err


def test_a_policy_is_activated_by_one_admin_and_confirmed_by_another(run: Run, config: Path) -> None:
    policy = config.with_name("policy.toml")
    sign_in(run, "ann", "admin")
    policy.write_text(policy.read_text() + "# one\n")
    code, out, err = run("policy", "activate", str(policy))
    assert code == 0, err
    assert "is in force" in out
    sign_in(run, "ben", "admin")
    policy.write_text(policy.read_text() + '[grace]\npast_due = "9d"\n')
    code, out, _ = run("policy", "activate", str(policy), home="ann")
    assert (code, "waits for another admin" in out) == (0, True)
    version = out.split("policy confirm ")[1].split("`")[0]
    assert "grace.past_due is set to “9d”." in out
    code, _, err = run("policy", "confirm", version, home="ann")
    assert (code, "(self_approval)" in err) == (1, True)
    assert version not in run("policy", "show")[1]
    code, out, err = run("policy", "confirm", version[:12], home="ben")
    assert code == 0, err
    assert version in run("policy", "show")[1]
    code, out, _ = run("users", "disable", "ann")
    change = out.split("users confirm ")[1].split("`")[0]
    assert run("users", "changes")[0] == 0
    assert run("users", "confirm", change, home="ann")[0] == 1
    assert run("users", "confirm", change, home="ben")[0] == 0
    assert run("users", "change", "ben", "--role", "viewer")[0] == 0
    assert run("users", "enable", "ann")[0] == 0
    assert {each["name"]: each["role"] for each in answered(run, "users", "list")["items"]}["ben"] == "viewer"


def test_without_a_configuration_the_one_login_says_where(
    run: Run,
    served: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answered(run, "users", "add", "ana", "--role", "approver")
    link = answered(run, "users", "invite", "ana")["sign_in_url"]
    code = link.partition("#")[2]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "ana"))
    assert cli.run(["login", f"{served.url}/login#{code}"]) == 0
    capsys.readouterr()
    assert cli.run(["login"]) == 0
    assert "You are ana" in capsys.readouterr().out
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    assert cli.run(["login"]) == 2
    monkeypatch.setenv("RECONCILED_URL", served.url)
    assert cli.run(["login"]) == 1
    assert "You are not signed in" in capsys.readouterr().err


def run_token(run: Run) -> str:
    return str(answered(run, "tokens", "add", "viewer", "--role", "viewer")["token"])


def token_of_login() -> str:
    """Of whoever ran the last command."""
    [address] = logins.addresses()
    login = logins.load(address)
    assert login is not None
    return login.token.reveal()
