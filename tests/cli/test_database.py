"""`reconciled db` and `reconciled journal`, on a database that somebody may have tampered with."""

import csv
import io
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon import cli
from daemon.store import journal
from daemon.store.db import open_store
from daemon.store.journal import Note

COLUMNS = "at, kind, actor, account, subject_kind, subject_id, body, previous, hash"
INSERTION = f"insert into journal select 4, {COLUMNS} from journal where seq = 3"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = str(tmp_path / "reconciled.toml")
    assert cli.run(["--config", path, "init"]) == 0
    return path


@pytest.fixture
def written(config: str) -> str:
    """A database with three entries, the second of which would be a formula in a spreadsheet."""
    with open_store(f"sqlite:///{Path(config).parent}/reconciled.db", upgrade=True) as store:
        for number, actor in enumerate(["loop", "=cmd|' /C calc'!A0", "desk"]):
            with store.transaction() as session:
                note = Note(
                    "case_opened", actor, {"case": number}, account="acme-eu", subject=("customer", "cus_1")
                )
                journal.append(session, note, NOON.replace(hour=12 + number))
    return config


def tampered(config: str, *statements: str) -> None:
    with closing(sqlite3.connect(Path(config).parent / "reconciled.db")) as attacker, attacker:
        triggers = attacker.execute("select name from sqlite_master where type = 'trigger'").fetchall()
        for (name,) in triggers:
            attacker.execute(f"drop trigger {name}")
        for statement in statements:
            attacker.execute(statement)


def test_a_missing_database_is_created_once(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--config", config, "db", "check"]) == 1
    assert cli.run(["--config", config, "db", "upgrade"]) == 0
    assert cli.run(["--config", config, "db", "upgrade"]) == 0
    assert cli.run(["--config", config, "db", "check"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^Created, with schema \d{4}\.$", said, re.MULTILINE)
    assert "nothing was to be done" in said


def test_a_backup_can_be_worked_on_and_is_never_overwritten(
    written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.db"
    assert cli.run(["--config", written, "db", "backup", str(copy)]) == 0
    assert cli.run(["--config", written, "db", "backup", str(copy)]) == 1
    with open_store(f"sqlite:///{copy}") as store, store.reading() as session:
        assert journal.head(session).seq == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_database_of_a_newer_program_is_refused(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    tampered(written, "update alembic_version set version_num = '9999'")
    for command in (["db", "upgrade"], ["journal", "head"]):
        assert cli.run(["--config", written, *command]) == 1
        assert "has schema 9999, and this program knows only up to" in capsys.readouterr().err


def test_an_untouched_journal_verifies_and_its_head_can_be_kept(
    written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["--config", written, "journal", "head"]) == 0
    head = tmp_path / "head.txt"
    head.write_text(capsys.readouterr().out)
    assert cli.run(["--config", written, "journal", "verify", "--head", str(head)]) == 0
    assert "3 entries are as they were written and against 1 exported head." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statement", "seq", "what"),
    [
        ("update journal set body = '{\"case\":7}' where seq = 2", 2, "edited"),
        ("delete from journal where seq = 2", 2, "deleted"),
        (INSERTION, 4, "inserted"),
        ("update journal set seq = case seq when 2 then -3 else -2 end where seq in (2, 3);", 2, "swapped"),
        ("delete from journal where seq = 3", 3, "cut"),
    ],
)  # fmt: skip
def test_tampering_is_named_with_its_first_sequence_number(
    written: str, statement: str, seq: int, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tampered(
        written,
        statement.rstrip(";"),
        *(["update journal set seq = -seq where seq < 0"] if ";" in statement else []),
    )
    assert cli.run(["--config", written, "journal", "verify"]) == 1
    told = capsys.readouterr().err
    assert f"The journal is broken at {seq}." in told
    assert what in told


def test_a_tail_that_was_cut_with_its_head_is_found_by_an_exported_one(
    written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["--config", written, "journal", "head"])
    head = tmp_path / "head.txt"
    head.write_text(capsys.readouterr().out)
    tampered(
        written,
        "delete from journal where seq = 3",
        "update journal_head set seq = 2, hash = (select hash from journal where seq = 2)",
    )
    assert cli.run(["--config", written, "journal", "verify"]) == 0
    assert cli.run(["--config", written, "journal", "verify", "--head", str(head)]) == 1
    assert "The journal is broken at 3." in capsys.readouterr().err


def test_an_auditor_gets_a_period_in_lines_or_in_cells(
    written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    period = ["--since", "2026-11-21T13:00", "--until", "2026-11-21T14:00"]
    assert cli.run(["--config", written, "journal", "export", *period]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["entry"]["seq"] == 2

    assert cli.run(["--config", written, "journal", "export", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["seq"] for row in rows] == ["1", "2", "3"]
    assert rows[1]["actor"].startswith("'="), "a spreadsheet must not run it"

    assert cli.run(["--config", written, "journal", "export", "--since", "yesterday"]) == 1
    assert "neither a date nor a time" in capsys.readouterr().err


def test_the_newest_entries_are_listed_first(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--config", written, "journal", "list", "--json", "--limit", "2"]) == 0
    assert [json.loads(line)["entry"]["seq"] for line in capsys.readouterr().out.splitlines()] == [3, 2]
    assert cli.run(["--config", written, "journal", "list"]) == 0
    assert "case_opened" in capsys.readouterr().out


def test_reading_a_database_that_is_not_there_creates_none(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["--config", config, "journal", "verify"]) == 1
    assert not (Path(config).parent / "reconciled.db").exists()
    assert "Run `reconciled db upgrade`" in capsys.readouterr().err
