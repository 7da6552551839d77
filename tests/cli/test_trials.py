"""`policy shadow` and `policy backtest` as somebody at a terminal meets them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from accounts.sandbox.configuration import POLICY
from accounts.sandbox.server import Sandbox
from daemon import cli
from daemon.cli import terminal
from daemon.cli.terminal import now
from daemon.store import policies
from daemon.store.db import open_store
from tests.cli.pretend import configured, daemon_of

Said = pytest.CaptureFixture[str]

STRICTER = (
    POLICY.replace('past_due = "7d"', 'past_due = "1d"')
    + """
[rules]
duplicate_record = false
[escalate]
high_value = { mrr_over = "10 EUR" }
"""
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=2, customers=45) as running:
        yield running


@pytest.fixture(scope="module")
def config(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = configured(sandbox, tmp_path_factory.mktemp("tried"))
    assert cli.run(["--config", path, "sweep"]) == 0
    return path


@pytest.fixture
def stricter(tmp_path: Path) -> str:
    file = tmp_path / "stricter.toml"
    file.write_text(STRICTER)
    return str(file)


def contents(config: str) -> list[str]:
    with closing(sqlite3.connect(Path(config).with_name("reconciled.db"))) as connection, connection:
        return list(connection.iterdump())


def policy(config: str, *arguments: str) -> int:
    return cli.run(["--config", config, "policy", *arguments])


def standing(config: str, capsys: Said) -> dict[str, tuple[Any, ...]]:
    capsys.readouterr()
    cli.run(["--config", config, "cases", "list", "--json"])
    return {
        item["id"]: (item["severity"], item["due_at"], item["title"])
        for item in json.loads(capsys.readouterr().out)["items"]
    }


def test_a_shadow_foretells_what_the_policy_would_do_and_writes_nothing(
    sandbox: Sandbox, config: str, stricter: str, tmp_path: Path, capsys: Said
) -> None:
    before, stood = contents(config), standing(config, capsys)
    assert policy(config, "shadow", stricter, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert contents(config) == before
    effects = {one["id"]: one["effect"] for one in told["cases"]}
    assert set(effects.values()) == {"open", "resolve", "change"}
    for row in told["rules"]:
        kinds = [one["effect"] for one in told["cases"] if one["kind"] == row["rule"]]
        assert [row[effect] for effect in ("open", "resolve", "change")] == [
            kinds.count(effect) for effect in ("open", "resolve", "change")
        ]
        assert row["tried"] - row["in_force"] == row["open"] - row["resolve"]

    with (
        open_store(f"sqlite:///{Path(config).with_name('reconciled.db')}") as store,
        store.transaction() as session,
    ):
        version = policies.add(session, "default", STRICTER, now())
        policies.activate(session, "default", version.hash, now())
    assert version.hash == told["tried"]
    assert cli.run(["--config", config, "sweep"]) == 0
    stands = standing(config, capsys)
    assert stands.keys() - stood.keys() == {name for name, effect in effects.items() if effect == "open"}
    assert stood.keys() - stands.keys() == {name for name, effect in effects.items() if effect == "resolve"}
    moved = {name for name in stood.keys() & stands.keys() if stood[name] != stands[name]}
    assert moved <= {name for name, effect in effects.items() if effect == "change"}
    assert policy(config, "shadow", stricter) == 0
    said = capsys.readouterr().out
    assert "0 would open, 0 resolve, 0 change" in said
    assert "The file is the version in force, so nothing can differ." in said


def test_one_account_is_judged_alone_and_only_one_that_has_the_policy(
    config: str, stricter: str, capsys: Said
) -> None:
    assert policy(config, "shadow", stricter, "--account", "acme-us", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["accounts"] == ["acme-us"]
    assert {one["account"] for one in told["cases"]} <= {"acme-us"}
    assert policy(config, "shadow", stricter, "--account", "nobody") == terminal.PROBLEMS
    assert (
        "nobody is no account with the policy default; those are: acme-eu, acme-us" in capsys.readouterr().err
    )
    assert policy(config, "shadow", stricter, "--name", "strict") == terminal.PROBLEMS
    assert "There is no policy strict; [policies] has: default" in capsys.readouterr().err


def test_a_file_that_cannot_be_used_is_told_whole(config: str, tmp_path: Path, capsys: Said) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("[grce]\npast_due = 7\n[rules]\nno_such = true\n")
    for command in ("shadow", "backtest"):
        assert policy(config, command, str(file)) == terminal.PROBLEMS
        err = capsys.readouterr().err
        assert "did you mean “grace”?" in err
        assert "no rule has this name" in err
    assert policy(config, "shadow", str(tmp_path / "absent.toml")) == terminal.PROBLEMS
    assert "absent.toml cannot be read" in capsys.readouterr().err


def test_metadata_that_nobody_keeps_yet_is_said_to_be_missing(
    config: str, tmp_path: Path, capsys: Said
) -> None:
    file = tmp_path / "allowing.toml"
    file.write_text(
        POLICY + '\n[rules]\nunapproved_money_move = { allow = ["metadata.source=backoffice"] }\n'
    )
    assert policy(config, "shadow", str(file)) == 0
    assert "as if no object had the metadata “source”" in capsys.readouterr().out


def test_a_backtest_says_how_much_it_can_tell_and_writes_nothing(
    config: str, stricter: str, capsys: Said
) -> None:
    before = contents(config)
    assert policy(config, "backtest", stricter) == 0
    said = capsys.readouterr().out
    assert "0% of this time could be judged again" in said, "it was read first a moment ago"
    assert "“beyond” are those of them that cannot be judged again" in said
    assert policy(config, "backtest", stricter, "--since", "1d", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert 0 <= told["known_share"] < 0.01
    assert sum(row["stood"] for row in told["rules"]) >= sum(row["beyond"] for row in told["rules"]) > 0
    assert contents(config) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--since", "2h", "--until", "3h"], "nothing lies between"),
        (["--until", "2999-01-01"], "is yet to come"),
    ],
)
def test_a_period_that_is_none_is_one_sentence(
    config: str, stricter: str, capsys: Said, options: list[str], sentence: str
) -> None:
    assert policy(config, "backtest", stricter, *options) == terminal.UNUSABLE
    assert sentence in capsys.readouterr().err


def test_both_work_beside_a_daemon(config: str, stricter: str, capsys: Said) -> None:
    with daemon_of(config):
        assert policy(config, "shadow", stricter) == 0
        assert policy(config, "backtest", stricter) == 0
