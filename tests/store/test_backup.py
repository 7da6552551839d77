"""Backups: whole, checked, taken beside a running writer, and never over something that exists."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.store import backup as backup_module
from daemon.store import cursors, journal
from daemon.store.backup import backup
from daemon.store.db import Store, open_store
from daemon.store.errors import BackupFailed
from daemon.store.verification import verify
from tests.databases import Server

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def written(store: Store, server: Server, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("PATH", str(server.programs), prepend=":")
    with store.transaction() as session:
        cursors.move(session, "eu", "poll", "evt_1", AT)
        journal.append(session, journal.Note("poll_moved", "poll", {"to": "evt_1"}), AT)
    return store


def restored(store: Store, file: Path, server: Server, tmp_path: Path) -> str:
    if store.place.path is not None:
        shutil.copy(file, tmp_path / "restored.db")
        return f"sqlite:///{tmp_path / 'restored.db'}"
    server.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")
    server.execute("CREATE DATABASE restored TEMPLATE template0")
    url = server.url("restored")
    subprocess.run([server.programs / "pg_restore", "--dbname", url, file], check=True)
    return url


def test_a_backup_taken_while_somebody_writes_can_be_restored_and_its_journal_verified(
    written: Store, url: str, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "copy.bak"
    with written.transaction() as session:
        cursors.move(session, "us", "poll", "evt_9", AT)
        backup(url, file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == ["copy.bak"]
    with open_store(restored(written, file, server, tmp_path)) as copy, copy.reading() as session:
        assert cursors.position(session, "eu", "poll") == "evt_1"
        assert cursors.position(session, "us", "poll") is None
        assert verify(session, [journal.head(session)]).fault is None


def test_a_file_that_exists_is_not_replaced(written: Store, url: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.bak"
    file.write_text("last year's")
    with pytest.raises(BackupFailed, match="exists already"):
        backup(url, file)
    assert file.read_text() == "last year's"


def test_a_folder_that_does_not_exist_is_a_sentence(written: Store, url: str, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="cannot be written: No such file"):
        backup(url, tmp_path / "nowhere" / "copy.bak")


def test_nothing_is_backed_up_of_nothing(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="nothing to back up"):
        backup(empty_url, tmp_path / "copy.bak")


def test_a_damaged_database_makes_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "reconciled.db"
    url = f"sqlite:///{path}"
    open_store(url, upgrade=True).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(
            "INSERT INTO dismissals (id, fingerprint, case_id, facts_hash, person, reason, dismissed_at) "
            "VALUES ('1', '1', 'of no case', '1', '1', '1', 1)"
        )
        connection.commit()
    with pytest.raises(BackupFailed, match="is damaged"):
        backup(url, tmp_path / "copy.bak")
    assert not (tmp_path / "copy.bak").exists()


def test_without_pg_dump_it_says_what_to_install(
    server: Server, postgres_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with server.database(postgres_template) as url, pytest.raises(BackupFailed, match="postgresql-client"):
        backup(url, tmp_path / "copy.bak")


def test_what_pg_dump_says_is_passed_on_without_secrets(
    server: Server, postgres_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "no: $*" rk_live_1234567890 >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with (
        server.database(postgres_template) as url,
        pytest.raises(BackupFailed, match="pg_dump said: no:") as raised,
    ):
        backup(url.replace("postgres:@", "postgres:hunter2@"), tmp_path / "copy.bak")
    assert "hunter2" not in str(raised.value)
    assert "postgres@" in str(raised.value)
    assert "1234567890" not in str(raised.value)


def test_a_dump_that_hangs_is_a_sentence(
    server: Server, postgres_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(backup_module, "DUMP_TIMEOUT_S", 0.1)
    with (
        server.database(postgres_template) as url,
        pytest.raises(BackupFailed, match="was not dumped within"),
    ):
        backup(url, tmp_path / "copy.bak")
