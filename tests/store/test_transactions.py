"""Transactions: all or nothing, durable, one writer at a time, and errors that are sentences."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from daemon.store import engines, lock
from daemon.store.db import Store, open_store
from daemon.store.engines import WAL_PAGES
from daemon.store.errors import AlreadyRunning, Conflict, Locked, StoreError, Unavailable, Unsuitable
from daemon.store.place import place_of
from tests.databases import Server

INSERT = text("INSERT INTO turns (account, turn) VALUES (:account, 1)")
DAEMON = """
import sys
from pathlib import Path
from daemon.store.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def accounts(store: Store) -> set[str]:
    with store.reading() as session:
        return set(session.scalars(text("SELECT account FROM turns")))


def insert(session: Session, *names: str) -> None:
    for name in names:
        session.execute(INSERT, {"account": name})


@pytest.mark.parametrize("bulk", [False, True])
def test_a_transaction_is_kept_whole_or_not_at_all(store: Store, *, bulk: bool) -> None:
    with store.transaction(bulk=bulk) as session:
        insert(session, "eu", "us")
    with pytest.raises(Conflict, match="refused a row"), store.transaction(bulk=bulk) as session:
        insert(session, "uk", "eu")
    assert accounts(store) == {"eu", "us"}


def test_reading_cannot_write(store: Store) -> None:
    with pytest.raises(Unavailable, match="cannot be written"), store.reading() as session:
        insert(session, "eu")
    assert accounts(store) == set()


def test_reading_sees_one_moment(store: Store) -> None:
    with store.reading() as session:
        before = session.scalar(text("SELECT count(*) FROM turns"))
        with store.transaction() as other:
            insert(other, "eu")
        assert session.scalar(text("SELECT count(*) FROM turns")) == before == 0
    assert accounts(store) == {"eu"}


def test_a_refusal_does_not_show_the_row(store: Store) -> None:
    with pytest.raises(StoreError) as raised, store.transaction() as session:
        session.execute(
            text(
                "INSERT INTO cursors (account, name, position, moved_at) VALUES ('eu', 'poll', :position, NULL)"
            ),
            {"position": "ada@example.com"},
        )
    assert "ada@example.com" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_many_threads_write_and_none_is_refused(store: Store) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(10):
                with store.transaction(bulk=n % 2 == 0) as session:
                    insert(session, f"{number}-{n}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(accounts(store)) == 120


def test_a_transaction_inside_a_transaction_is_a_mistake_that_shows(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", upgrade=True) as store:
        with (
            pytest.raises(AssertionError, match="inside a transaction"),
            store.transaction(),
            store.transaction(),
        ):
            pass
        with store.transaction() as session:
            insert(session, "eu")
        assert accounts(store) == {"eu"}


def test_sqlite_syncs_every_commit_except_those_of_bulk_writes(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", upgrade=True) as store:

        def pragma(session: Session, name: str) -> object:
            return session.execute(text(f"PRAGMA {name}")).scalar()

        with store.transaction() as session:
            assert pragma(session, "synchronous") == 2
            assert pragma(session, "secure_delete") == 1
        with store.transaction(bulk=True) as session:
            assert pragma(session, "synchronous") == 1
        with store.reading() as session:
            assert pragma(session, "synchronous") == 2
            assert pragma(session, "wal_autocheckpoint") == WAL_PAGES
            for name, expected in (("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 10_000)):
                assert pragma(session, name) == expected


def test_another_process_that_keeps_the_file_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "WAIT_S", 0)
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with open_store(url, upgrade=True) as one, open_store(url) as other:
        with one.transaction() as session:
            insert(session, "eu")
            with pytest.raises(Locked, match="locked by another process"), other.transaction():
                pass
        assert accounts(other) == {"eu"}


def test_a_database_that_vanished_is_a_sentence_and_not_an_empty_new_one(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = open_store(f"sqlite:///{path}", upgrade=True)
    path.unlink()
    with store, pytest.raises(StoreError, match="cannot be opened"), store.transaction():
        pass
    assert not path.exists()


@pytest.fixture
def changed_setting(server: Server) -> Iterator[None]:
    yield
    server.execute("ALTER ROLE postgres RESET synchronous_commit")


@pytest.mark.parametrize("setting", ["off", "local", "remote_write"])
def test_a_server_that_forgets_commits_is_refused(
    server: Server, postgres_template: str, changed_setting: None, setting: str
) -> None:
    with server.database(postgres_template) as url:
        server.execute(f"ALTER ROLE postgres SET synchronous_commit = {setting}")
        with pytest.raises(Unsuitable, match=f"synchronous_commit = {setting}"):
            open_store(url)
        server.execute("ALTER ROLE postgres SET synchronous_commit = remote_apply")
        open_store(url).close()


def test_a_server_that_is_too_old_is_refused(
    server: Server, postgres_template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "POSTGRES_MIN", 99)
    with server.database(postgres_template) as url, pytest.raises(Unsuitable, match="99 or newer is needed"):
        open_store(url)


def test_a_second_daemon_on_one_file_is_refused_by_the_number_of_the_first(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", upgrade=True) as store:
        with (
            store.exclusive(),
            pytest.raises(AlreadyRunning, match=f"Process {os.getpid()} already works"),
            store.exclusive(),
        ):
            pass
        with store.exclusive():
            pass


def test_the_lock_of_a_killed_daemon_is_free(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    root = Path(__file__).parent.parent.parent
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        text=True,
    )
    with daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=f"Process {daemon.pid} "), lock.exclusive(path):
            pass
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        with lock.exclusive(path):
            pass


def test_on_postgres_a_second_daemon_is_refused_until_the_first_lets_go(
    server: Server, postgres_template: str
) -> None:
    with server.database(postgres_template) as url, open_store(url) as one, open_store(url) as other:
        with one.exclusive():
            assert other.is_worked_on()
            with (
                pytest.raises(AlreadyRunning, match="already worked on by another process"),
                other.exclusive(),
            ):
                pass
            assert accounts(one) == accounts(other) == set(), "both can read and write: one of them receives"
        assert not other.is_worked_on()
        with other.exclusive():
            assert one.is_worked_on()


def test_on_postgres_the_lock_of_a_daemon_whose_connection_broke_is_free(
    server: Server, postgres_template: str
) -> None:
    with server.database(postgres_template) as url, open_store(url) as one, open_store(url) as other:
        with one.exclusive():
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks "
                "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
            while other.is_worked_on():
                pass
        assert not one.is_worked_on()


def test_the_name_of_a_database_never_holds_its_password() -> None:
    place = place_of("postgresql://ana:hunter2@db.example.com:5433/reconciled?sslmode=require")
    assert str(place) == "The database postgresql://ana@db.example.com:5433/reconciled"
