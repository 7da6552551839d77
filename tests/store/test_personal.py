"""Personal detail: encrypted, bound to its subject, erasable, and nowhere else."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from accounts.facts import Record, Subject
from accounts.stripe.shapes.base import hash_email
from daemon.store import journal, personal, records
from daemon.store.db import Store, open_store
from daemon.store.errors import Unsealable
from daemon.store.personal import Piece, Seal

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SEAL = Seal(b"correct horse battery staple")
ADA = Subject("eu", "customer", "cus_1")
GRACE = Subject("eu", "customer", "cus_2")
DRAFT = Piece(ADA, "draft")
TEXT = "Dear Ada Lovelace, we refunded 149.00 €."


def write(store: Store, piece: Piece = DRAFT, content: str = TEXT) -> str:
    with store.transaction() as session:
        return personal.write(session, SEAL, piece, content, NOW)


def read(store: Store, piece: Piece = DRAFT, seal: Seal = SEAL) -> str | None:
    with store.reading() as session:
        return personal.read(session, seal, piece)


def execute(store: Store, statement: str) -> None:
    with store.transaction() as session:
        session.execute(text(statement))


def test_a_piece_comes_back_and_the_newest_one_counts(store: Store) -> None:
    assert read(store) is None
    write(store)
    assert read(store) == TEXT
    write(store, content="")
    assert read(store) == ""


@pytest.mark.parametrize(
    "column", ["subject_id = 'cus_2'", "name = 'note'", "account = 'us'", "subject_kind = 'charge'"]
)
def test_a_piece_that_was_moved_to_another_place_does_not_open(store: Store, column: str) -> None:
    write(store)
    execute(store, f"UPDATE personal SET {column}")
    with store.reading() as session:
        row = session.execute(text("SELECT account, subject_kind, subject_id, name FROM personal")).one()
    with pytest.raises(Unsealable, match="cannot be opened"):
        read(store, Piece(Subject(row.account, row.subject_kind, row.subject_id), row.name))


def test_a_piece_that_was_altered_or_sealed_with_another_key_does_not_open(store: Store) -> None:
    write(store)
    with pytest.raises(Unsealable, match="another secret_key"):
        read(store, seal=Seal(b"another"))
    execute(store, "UPDATE personal SET sealed = salt")
    with pytest.raises(Unsealable):
        read(store)


def test_a_digest_proves_what_was_seen_until_the_piece_is_erased(store: Store) -> None:
    digest = write(store)
    with store.reading() as session:
        assert personal.digest_of(session, DRAFT, TEXT) == digest
        assert personal.digest_of(session, DRAFT, TEXT + "!") != digest
    with store.transaction() as session:
        personal.erase(session, ADA)
    with store.reading() as session:
        assert personal.digest_of(session, DRAFT, TEXT) is None


def test_one_text_has_different_digests_and_ciphertexts(store: Store) -> None:
    assert write(store, DRAFT) != write(store, Piece(GRACE, "draft"))
    with store.reading() as session:
        assert len(set(session.scalars(text("SELECT sealed FROM personal")))) == 2


def test_erasing_a_subject_leaves_the_others(store: Store) -> None:
    write(store, Piece(ADA, "draft"))
    write(store, Piece(ADA, "crm_name"))
    write(store, Piece(GRACE, "draft"))
    with store.transaction() as session:
        assert personal.erase(session, ADA) == 2
        assert personal.erase(session, ADA) == 0
    assert read(store, Piece(ADA, "crm_name")) is None
    assert read(store, Piece(GRACE, "draft")) == TEXT


def test_the_key_does_not_show_itself() -> None:
    assert "horse" not in repr(SEAL)
    assert "horse" not in str(vars(SEAL))


def test_the_database_file_holds_no_personal_detail_and_no_key(tmp_path: Path) -> None:
    path = tmp_path / "reconciled.db"
    with open_store(f"sqlite:///{path}", upgrade=True) as store:
        digest = write(store)
        with store.transaction() as session:
            record = Record(key="row-1", name="Ada Lovelace", stripe_customer="cus_1")
            persons = {"row-1": hash_email(b"battery", "ada@example.com")}
            records.write_records(session, "hubspot", [record], seen=1, observed_at=NOW, persons=persons)
            journal.append(session, journal.Note("draft_written", "ana", {"digest": digest}), NOW)
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert digest.encode() in content
        for word in (b"Lovelace", b"Ada", b"149.00", b"ada@example.com", b"correct horse", b"battery"):
            assert word not in content
