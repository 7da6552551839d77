"""The journal: appended in order, refused to be changed, and every change that is made nevertheless is named."""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from daemon.core.canonical import GENESIS
from daemon.store import journal
from daemon.store.db import Store, open_store
from daemon.store.errors import Conflict
from daemon.store.journal import Entry, ExportedHead, Note
from daemon.store.verification import Fault, Tampering, Verdict, verify

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ENTRIES = 12
TRIGGERS = ("journal_no_update", "journal_no_delete", "journal_no_replace", "journal_no_truncate")


def note(number: int) -> Note:
    return Note(
        kind="case_opened" if number % 2 else "proposal_approved",
        actor="ana",
        account="eu",
        subject=("customer", f"cus_{number}"),
        body={"amount": number * 100, "currency": "eur", "rule": "plan_mismatch", "until": None},
    )


def write(store: Store, count: int, start: int = 1) -> None:
    with store.transaction() as session:
        for number in range(start, start + count):
            journal.append(session, note(number), AT + timedelta(minutes=number))


def judged(store: Store, *heads: ExportedHead) -> Verdict:
    with store.reading() as session:
        return verify(session, heads)


def fault(store: Store, *heads: ExportedHead) -> tuple[int, Tampering]:
    found = judged(store, *heads).fault
    assert isinstance(found, Fault)
    assert str(found.seq) in found.sentence
    return found.seq, found.what


def head(store: Store) -> ExportedHead:
    with store.reading() as session:
        return journal.head(session)


def stored(store: Store) -> dict[int, Entry]:
    with store.reading() as session:
        return {entry.seq: entry for entry in journal.export(session)}


def tamper(store: Store, *statements: str, **values: object) -> None:
    """What somebody can do who has the file or the server: drop the triggers and change rows."""
    with store.transaction() as session:
        on = " ON journal" if store.place.path is None else ""
        for trigger in TRIGGERS:
            session.execute(text(f"DROP TRIGGER IF EXISTS {trigger}{on}"))
        for statement in statements:
            session.execute(text(statement), values)


def put(store: Store, entry: Entry) -> None:
    """Inserts a row as it is given."""
    subject = entry.subject or (None, None)
    tamper(
        store,
        "INSERT INTO journal (seq, at, kind, actor, account, subject_kind, subject_id, body, previous, hash) "
        "VALUES (:seq, :at, :kind, :actor, :account, :subject_kind, :subject_id, :body, :previous, :hash)",
        seq=entry.seq,
        at=(entry.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1),
        kind=entry.kind,
        actor=entry.actor,
        account=entry.account,
        subject_kind=subject[0],
        subject_id=subject[1],
        body=entry.body,
        previous=entry.previous,
        hash=entry.hash,
    )


def made_to_fit(entry: Entry, previous: bytes) -> Entry:
    unsigned = replace(entry, previous=previous)
    return replace(unsigned, hash=hashlib.sha256(previous + unsigned.text()).digest())


def write_and_break(session: Session) -> None:
    journal.append(session, note(99), AT)
    session.execute(text("INSERT INTO turns (account) VALUES ('without a number')"))


@pytest.fixture
def written(store: Store) -> Store:
    write(store, ENTRIES)
    return store


def test_an_empty_journal_is_sound(store: Store) -> None:
    assert judged(store) == Verdict(ExportedHead(0, GENESIS), None)


def test_what_was_written_is_sound_and_numbered_without_gaps(written: Store) -> None:
    assert list(stored(written)) == list(range(1, ENTRIES + 1))
    assert judged(written, head(written)) == Verdict(head(written), None)


def test_an_entry_and_its_change_are_written_together_or_not_at_all(written: Store) -> None:
    before = head(written)
    with pytest.raises(Conflict), written.transaction() as session:
        write_and_break(session)
    assert head(written) == before
    assert judged(written).fault is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET actor = 'eve' WHERE seq = 3",
        "DELETE FROM journal WHERE seq = 3",
        "DELETE FROM journal",
    ],
)
def test_the_database_refuses_to_change_an_entry(written: Store, statement: str) -> None:
    with pytest.raises(Conflict, match="only ever appended to"), written.transaction() as session:
        session.execute(text(statement))
    assert judged(written).fault is None


def test_the_database_refuses_to_replace_or_empty_it(written: Store) -> None:
    statement = (
        "TRUNCATE journal"
        if written.place.path is None
        else "INSERT OR REPLACE INTO journal SELECT seq, at, kind, 'eve', account, subject_kind, subject_id, body, "
        "previous, hash FROM journal WHERE seq = 3"
    )
    with pytest.raises(Conflict, match="only ever appended to"), written.transaction() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    "change",
    ["actor = 'eve'", "at = at + 1", "account = NULL", "subject_id = 'cus_9'", "kind = 'case_closed'",
     "body = replace(body, '500', '900')", "body = body || ' '", "body = ''"],
)  # fmt: skip
def test_an_edited_entry_is_named(written: Store, change: str) -> None:
    """Trap T53: an entry is edited, and `verify` names its number."""
    tamper(written, f"UPDATE journal SET {change} WHERE seq = 5")
    assert fault(written) == (5, Tampering.EDITED)


@pytest.mark.parametrize("column", ["hash", "previous"])
def test_an_edited_hash_is_named(written: Store, column: str) -> None:
    tamper(written, f"UPDATE journal SET {column} = :value WHERE seq = 5", value=bytes(31) + b"!")
    assert fault(written) == (5, Tampering.EDITED)


@pytest.mark.parametrize(
    "change",
    ["actor = CAST(x'ff' AS TEXT)", "at = 'noon'", "at = 1.5", "at = 9223372036854775807", "hash = 'none'",
     "body = x'00'", "kind = 5"],
)  # fmt: skip
def test_what_no_program_of_ours_would_write_is_an_edit_too(
    sqlite_template: Path, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "reconciled.db"
    shutil.copy(sqlite_template, path)
    with open_store(f"sqlite:///{path}") as store:
        write(store, ENTRIES)
        tamper(store, "PRAGMA ignore_check_constraints = ON")
        tamper(store, f"UPDATE journal SET {change} WHERE seq = 5")
        assert fault(store) == (5, Tampering.EDITED)


def test_an_edited_entry_whose_hash_was_made_to_fit_is_named(written: Store) -> None:
    entry = stored(written)[5]
    tamper(written, "DELETE FROM journal WHERE seq = 5")
    put(written, made_to_fit(replace(entry, actor="eve"), entry.previous))
    assert fault(written) == (5, Tampering.EDITED)


@pytest.mark.parametrize("seq", [1, 5, ENTRIES - 1])
def test_a_deleted_entry_is_named(written: Store, seq: int) -> None:
    """Trap T53: an entry is deleted, and `verify` names its number."""
    tamper(written, f"DELETE FROM journal WHERE seq = {seq}")
    assert fault(written) == (seq, Tampering.DELETED)


@pytest.mark.parametrize("seq", [1, 5])
def test_a_deleted_entry_is_named_though_the_later_ones_were_moved_up(written: Store, seq: int) -> None:
    tamper(written, f"DELETE FROM journal WHERE seq = {seq}")
    for later in range(seq + 1, ENTRIES + 1):
        tamper(written, f"UPDATE journal SET seq = {later - 1} WHERE seq = {later}")
    assert fault(written) == (seq, Tampering.DELETED)


@pytest.mark.parametrize("seq", [1, 5])
@pytest.mark.parametrize("well_made", [True, False])
def test_an_inserted_entry_is_named(written: Store, seq: int, *, well_made: bool) -> None:
    forged = replace(stored(written)[seq], actor="eve")
    for later in range(ENTRIES, seq - 1, -1):
        tamper(written, f"UPDATE journal SET seq = {later + 1} WHERE seq = {later}")
    put(written, made_to_fit(forged, forged.previous) if well_made else forged)
    assert fault(written) == (seq, Tampering.INSERTED)


@pytest.mark.parametrize("seq", [0, -3])
def test_an_entry_before_the_first_is_named(written: Store, seq: int) -> None:
    put(written, replace(stored(written)[1], seq=seq))
    assert fault(written) == (seq, Tampering.INSERTED)


def test_an_entry_behind_the_head_is_named(written: Store) -> None:
    last = stored(written)[ENTRIES]
    put(written, made_to_fit(replace(last, seq=ENTRIES + 1), last.hash))
    assert fault(written) == (ENTRIES + 1, Tampering.INSERTED)


@pytest.mark.parametrize(("one", "other"), [(5, 6), (1, 2), (3, 9), (1, ENTRIES)])
def test_swapped_entries_are_named(written: Store, one: int, other: int) -> None:
    """Trap T53: an entry is put in another order, and `verify` names its number."""
    tamper(
        written,
        f"UPDATE journal SET seq = 1000 WHERE seq = {one}",
        f"UPDATE journal SET seq = {one} WHERE seq = {other}",
        f"UPDATE journal SET seq = {other} WHERE seq = 1000",
    )
    assert fault(written) == (one, Tampering.SWAPPED)


def test_a_cut_tail_is_named_by_the_journals_own_head(written: Store) -> None:
    tamper(written, "DELETE FROM journal WHERE seq > 7")
    assert fault(written) == (8, Tampering.CUT)


def test_a_cut_tail_whose_head_was_rewritten_is_named_by_an_exported_head(written: Store) -> None:
    exported = head(written)
    entry = stored(written)[7]
    tamper(
        written,
        "DELETE FROM journal WHERE seq > 7",
        "UPDATE journal_head SET seq = 7, hash = :hash",
        hash=entry.hash,
    )
    assert judged(written).fault is None
    assert fault(written, exported) == (8, Tampering.CUT)


def test_a_journal_that_was_emptied_is_named_by_an_exported_head(written: Store) -> None:
    exported = head(written)
    tamper(written, "DELETE FROM journal", "UPDATE journal_head SET seq = 0, hash = :hash", hash=GENESIS)
    assert fault(written, exported) == (1, Tampering.CUT)


def test_a_chain_that_was_wholly_rewritten_is_named_by_an_exported_head(written: Store) -> None:
    old = stored(written)
    exported = [ExportedHead(seq, old[seq].hash) for seq in (3, 6, 9)]
    tamper(written, "DELETE FROM journal")
    previous = GENESIS
    for seq, entry in old.items():
        made = made_to_fit(replace(entry, actor="eve" if seq >= 5 else entry.actor), previous)
        put(written, made)
        previous = made.hash
    tamper(written, "UPDATE journal_head SET hash = :hash", hash=previous)

    assert judged(written).fault is None
    assert fault(written, *exported) == (6, Tampering.REWRITTEN)
    assert "between 4 and 6" in str(judged(written, *exported).fault)


def test_an_edited_or_missing_head_is_named(written: Store) -> None:
    tamper(written, "UPDATE journal_head SET hash = :hash", hash=bytes(32))
    assert fault(written) == (ENTRIES, Tampering.EDITED)
    tamper(written, "DELETE FROM journal_head")
    assert fault(written) == (1, Tampering.INSERTED)


def test_verification_says_how_far_it_came(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.store.verification.ENTRIES_A_PAGE", 5)
    monkeypatch.setattr(journal, "ENTRIES_A_PAGE", 5)
    write(store, ENTRIES)
    seen: list[int] = []
    with store.reading() as session:
        assert verify(session, progress=seen.append).fault is None
    assert seen == [5, 10]
    assert list(stored(store)) == list(range(1, ENTRIES + 1))


def test_an_exported_head_survives_its_line(written: Store) -> None:
    found = head(written)
    assert ExportedHead.from_line(found.line()) == found


@pytest.mark.parametrize(
    "line",
    ["", "seq 3", "[]", '{"seq":3}', '{"hash":"00","seq":3}', '{"hash":12,"seq":3}',
     f'{{"hash":"{"0" * 64}","seq":-1}}', f'{{"hash":"{"0" * 64}","seq":true}}'],
)  # fmt: skip
def test_what_is_not_an_exported_head_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not an exported journal head"):
        ExportedHead.from_line(line)


def test_an_export_can_be_checked_with_nothing_but_sha256(written: Store) -> None:
    with written.reading() as session:
        lines = [entry.line() for entry in journal.export(session)]
    previous = bytes(32)
    for number, line in enumerate(lines, start=1):
        content = json.loads(line)
        assert content["entry"]["seq"] == number
        assert content["previous"] == previous.hex()
        text_of_entry = line.removeprefix('{"entry":').rsplit(',"hash":', 1)[0]
        previous = hashlib.sha256(previous + text_of_entry.encode()).digest()
        assert content["hash"] == previous.hex()


def test_an_export_takes_a_period(written: Store) -> None:
    with written.reading() as session:
        some = journal.export(session, AT + timedelta(minutes=3), AT + timedelta(minutes=6))
        assert [entry.seq for entry in some] == [3, 4, 5]
        assert list(journal.export(session, AT + timedelta(days=9))) == []


def test_the_newest_entries_are_listed_page_by_page(written: Store) -> None:
    with written.reading() as session:
        assert [entry.seq for entry in journal.entries(session, limit=3)] == [12, 11, 10]
        assert [entry.seq for entry in journal.entries(session, limit=3, before=10)] == [9, 8, 7]
        assert [entry.seq for entry in journal.entries(session, subject=("customer", "cus_4"))] == [4]
        assert len(journal.entries(session, account="eu", kind="case_opened")) == ENTRIES // 2
        assert journal.entries(session, account="us") == []


def test_many_threads_append_and_the_chain_holds(store: Store) -> None:
    threads, each = 8, 15
    ready = threading.Barrier(threads)
    failures: list[BaseException] = []

    def work(append: Callable[[int], None], number: int) -> None:
        try:
            ready.wait()
            for n in range(each):
                append(number * each + n)
        except BaseException as error:
            failures.append(error)

    def append(number: int) -> None:
        with store.transaction() as session:
            journal.append_all(session, [note(number), note(number + 1)], AT)

    running = [threading.Thread(target=work, args=(append, number)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()

    assert failures == []
    assert list(stored(store)) == list(range(1, 2 * threads * each + 1))
    assert judged(store).fault is None
