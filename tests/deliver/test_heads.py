"""The journal's head in a file: written on schedule, whole or not at all, and never over what is evidence."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon import cli
from daemon.heads import HEAD, Heads
from daemon.settings import JournalHead
from daemon.store import journal
from daemon.store.db import Store
from daemon.store.journal import Note
from tests.store.test_journal import tamper

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal-head.txt"


@pytest.fixture
def heads(store: Store, file: Path, clock: Clock) -> Heads:
    return Heads(store, JournalHead(file=file, every=HOUR), clock)


def write(store: Store, entries: int = 1) -> None:
    with store.transaction() as session:
        journal.append_all(session, [Note("tried", "ana", {"n": n}) for n in range(entries)], NOON)


def cut_off(store: Store, seq: int) -> None:
    """Whoever can write the database removes everything after this entry, without a trace in it."""
    with store.reading() as session:
        left = journal.hash_of(session, seq)
    tamper(
        store,
        "DELETE FROM journal WHERE seq > :seq",
        "UPDATE journal_head SET seq = :seq, hash = :left",
        seq=seq,
        left=left,
    )


def is_due(heads: Heads, store: Store, now: datetime) -> bool:
    with store.reading() as session:
        return (HEAD, "all") in list(heads.due(session, now))


def verified(url: str, file: Path, folder: Path) -> int:
    config = folder / "reconciled.toml"
    config.write_text(f"[daemon]\ndatabase = {json.dumps(url)}\n")
    return cli.run(["--config", str(config), "journal", "verify", "--head", str(file)])


def test_the_head_is_written_at_once_and_then_on_schedule(
    heads: Heads, store: Store, file: Path, clock: Clock
) -> None:
    write(store, 2)
    assert is_due(heads, store, NOON)
    heads.run()
    assert json.loads(file.read_text())["seq"] == 2
    assert not is_due(heads, store, NOON + timedelta(minutes=59))
    write(store)
    assert is_due(heads, store, NOON + HOUR)
    heads.run()
    assert json.loads(file.read_text())["seq"] == 3
    assert [each.name for each in file.parent.glob("*head*")] == [file.name], "nothing half-written is left"


def test_a_tail_that_was_cut_off_shows_against_the_file(
    heads: Heads, store: Store, url: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trap T53: what is left verifies by itself; the head that was kept outside tells."""
    write(store, 5)
    heads.run()
    assert verified(url, file, tmp_path) == 0
    cut_off(store, 3)
    assert verified(url, file, tmp_path) == 1
    assert "broken at 4" in capsys.readouterr().err


def test_a_file_that_the_journal_no_longer_leads_up_to_is_kept(
    heads: Heads, store: Store, url: str, file: Path, tmp_path: Path
) -> None:
    """Trap T53: the next export must not wipe out the evidence, nor may new entries in place of the old."""
    write(store, 5)
    heads.run()
    kept = file.read_text()
    cut_off(store, 3)
    heads.run()
    assert file.read_text() == kept
    with store.transaction() as session:
        journal.append_all(session, [Note("other", "eve", {"n": n}) for n in range(4)], NOON)
    heads.run()
    assert file.read_text() == kept
    assert verified(url, file, tmp_path) == 1


@pytest.mark.parametrize("there", [b"my notes\n", b"\xff\xfe"])
def test_a_file_that_is_something_else_is_not_replaced(heads: Heads, file: Path, there: bytes) -> None:
    file.write_bytes(there)
    heads.run()
    assert file.read_bytes() == there


def test_a_folder_that_is_missing_stops_nothing_and_is_tried_again(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "not-there-yet"
    heads = Heads(store, JournalHead(file=folder / "head.txt", every=HOUR), clock)
    heads.run()
    folder.mkdir()
    assert is_due(heads, store, NOON + HOUR)
    heads.run()
    assert (folder / "head.txt").exists()


def test_without_a_file_nothing_is_due(store: Store, clock: Clock) -> None:
    heads = Heads(store, None, clock)
    heads.run()
    assert not is_due(heads, store, NOON)
