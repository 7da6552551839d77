"""Migrations: what they build is what the tables say, on both databases, and nothing is lost or half done."""

import re
import shutil
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, DateTime, Float, Numeric, create_engine, text

from daemon.store import schema
from daemon.store.db import open_store
from daemon.store.errors import NotOurs, SchemaNewer, SchemaOlder, StoreError, Unavailable, Unsuitable
from daemon.store.place import place_of
from daemon.store.schema import VERSION_TABLE, SchemaState
from daemon.store.tables import METADATA
from daemon.store.tables.base import Instant, Row
from tests.databases import Server

BESIDE_THE_TABLES = {VERSION_TABLE, "mark_counter"}


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection without any of the store's own care."""
    engine = create_engine(place_of(url).url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def execute(url: str, *statements: str) -> None:
    with connected(url) as connection:
        for statement in statements:
            connection.execute(text(statement))


def definitions(connection: Connection) -> set[tuple[str, ...]]:
    """Every column, constraint and index of our tables, in the database's own words."""
    ours = ", ".join(f"'{name}'" for name in METADATA.tables)
    if connection.dialect.name == "sqlite":
        parts = (
            f"SELECT name, sql FROM sqlite_master WHERE tbl_name IN ({ours}) AND type IN ('table', 'index')"
        )
        found: set[tuple[str, ...]] = set()
        for name, statement in connection.execute(text(parts)):
            # A column that came later stands on the line of the one before it.
            separate = re.sub(r", (?=\w+ [A-Z]+)", ",\n", (statement or "").replace("\t", " "))
            for line in separate.splitlines():
                found.add((name, line.strip().rstrip(",")))
        return found
    queries = (
        f"""SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name IN ({ours})""",
        f"""SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE conrelid <> 0 AND conrelid::regclass::text IN ({ours})""",
        f"SELECT tablename, indexname, indexdef FROM pg_indexes WHERE tablename IN ({ours})",
    )
    return {tuple(map(str, row)) for query in queries for row in connection.execute(text(query))}


def test_the_migrations_build_what_the_tables_say(url: str) -> None:
    def ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
        return not (kind == "table" and name in BESIDE_THE_TABLES)

    with connected(url) as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_object": ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []


def test_the_migrations_build_every_constraint_and_index_that_the_tables_say(
    url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with connected(url) as connection:
        migrated = definitions(connection)
    if place_of(url).path is not None:
        made_by_tables = f"sqlite:///{tmp_path / 'by-tables.db'}"
        with connected(made_by_tables) as connection:
            METADATA.create_all(connection)
            expected = definitions(connection)
    else:
        with (
            request.getfixturevalue("server").database() as made_by_tables,
            connected(made_by_tables) as connection,
        ):
            METADATA.create_all(connection)
            expected = definitions(connection)
    assert migrated == expected
    assert len(migrated) > len(METADATA.tables)


def test_every_table_says_what_a_row_is_and_every_time_is_stored_alike() -> None:
    rows = {row.__name__: row for row in Row.__subclasses__()}
    assert len(rows) == len(METADATA.tables)
    for name, row in rows.items():
        assert row.__doc__, name
    for table in METADATA.tables.values():
        for column in table.columns:
            assert not isinstance(column.type, DateTime | Float | Numeric), column
            assert not column.name.endswith("_at") or isinstance(column.type, Instant), column


def test_a_missing_database_is_reported_and_not_created(empty_url: str) -> None:
    assert schema.check(empty_url).state is SchemaState.MISSING
    with pytest.raises(SchemaOlder, match="is empty"):
        open_store(empty_url)
    path = place_of(empty_url).path
    assert path is None or not path.exists()


def test_an_upgrade_creates_what_is_missing_and_a_second_one_changes_nothing(empty_url: str) -> None:
    assert schema.upgrade(empty_url).state is SchemaState.MISSING
    assert schema.upgrade(empty_url).state is SchemaState.CURRENT
    found = schema.check(empty_url)
    assert found.state is SchemaState.CURRENT
    assert found.found == found.known == "0002"


def test_only_its_owner_may_read_a_new_database_file(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with open_store(f"sqlite:///{path}", upgrade=True):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def next_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is one revision ahead of ours, and its migration to be filled in."""
    folder = tmp_path / "ahead"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    migration = folder / "versions" / "0003_next.py"
    write_migration(migration, "op.add_column('cursors', sa.Column('note', sa.String()))")
    return migration


def write_migration(file: Path, *steps: str) -> None:
    lines = [
        "import sqlalchemy as sa",
        "from alembic import op",
        "revision = '0003'",
        "down_revision = '0002'",
    ]
    file.write_text("\n".join([*lines, "def upgrade():", *(f"    {step}" for step in steps)]))


def ahead(url: str, migrations: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is upgraded by the newer program; then ours is used again."""
    schema.upgrade(url)
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)


def test_an_upgrade_keeps_rows(url: str, next_revision: Path) -> None:
    execute(url, "INSERT INTO cursors (account, name, position, moved_at) VALUES ('eu', 'poll', 'evt_1', 0)")
    with pytest.raises(SchemaOlder, match="has schema 0002, and this program needs 0003"):
        open_store(url)

    assert schema.upgrade(url).state is SchemaState.OLDER

    with connected(url) as connection:
        kept = connection.execute(text("SELECT account, position, note FROM cursors")).all()
    assert [tuple(row) for row in kept] == [("eu", "evt_1", None)]


def test_a_migration_that_fails_half_way_leaves_everything_as_it_was(url: str, next_revision: Path) -> None:
    write_migration(
        next_revision, "op.drop_table('read_meter')", "op.execute('INSERT INTO turns VALUES (NULL, 1)')"
    )
    with pytest.raises(StoreError):
        schema.upgrade(url)
    assert schema.check(url).state is SchemaState.OLDER
    execute(url, "INSERT INTO read_meter (owner, day, reads) VALUES ('acct_1', 1, 1)")


def test_a_newer_schema_is_refused_and_both_versions_are_named(
    url: str, next_revision: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_migration(next_revision, "op.execute(\"INSERT INTO served_schemas (revision) VALUES ('0003')\")")
    ahead(url, Path(schema.__file__).parent / "migrations", monkeypatch)

    for attempt in (open_store, schema.upgrade):
        with pytest.raises(SchemaNewer, match="has schema 0003, and this program knows only up to 0002"):
            attempt(url)
    assert schema.check(url).state is SchemaState.NEWER


def test_a_newer_schema_that_still_serves_this_program_is_used(
    url: str, next_revision: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_migration(next_revision, "op.execute(\"INSERT INTO served_schemas (revision) VALUES ('0002')\")")
    ahead(url, Path(schema.__file__).parent / "migrations", monkeypatch)
    assert schema.check(url).state is SchemaState.SERVED
    assert schema.upgrade(url).state is SchemaState.SERVED
    with open_store(url) as store, store.transaction() as session:
        session.execute(text("INSERT INTO turns (account, turn) VALUES ('eu', 1)"))


def test_a_database_of_another_program_is_left_alone(empty_url: str) -> None:
    path = place_of(empty_url).path
    if path is not None:
        path.touch()
    execute(
        empty_url, "CREATE TABLE invoices (id INTEGER)", "CREATE TABLE alembic_version (version_num TEXT)"
    )
    for attempt in (open_store, schema.upgrade, schema.check):
        with pytest.raises(NotOurs, match="invoices"):
            attempt(empty_url)


def test_the_engines_tables_may_stand_beside_ours(empty_url: str) -> None:
    path = place_of(empty_url).path
    if path is not None:
        path.touch()
    execute(empty_url, "CREATE TABLE procrastinate_jobs (id INTEGER)")
    schema.upgrade(empty_url)
    assert schema.check(empty_url).state is SchemaState.CURRENT


def test_two_upgrades_at_once_do_it_once(empty_url: str) -> None:
    ready = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:

        def upgrade() -> SchemaState:
            ready.wait()
            return schema.upgrade(empty_url).state

        both = [future.result() for future in [pool.submit(upgrade), pool.submit(upgrade)]]
    assert set(both) == {SchemaState.MISSING, SchemaState.CURRENT}


@pytest.mark.parametrize("attempt", [open_store, schema.upgrade, schema.check])
def test_a_file_that_is_no_database_is_left_alone(attempt: Callable[[str], object], tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("this is a list of things to buy, and longer than the header of a database file is. " * 3)
    before = file.read_bytes()
    with pytest.raises(NotOurs, match="is not an SQLite file"):
        attempt(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_folder_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be created: No such file"):
        schema.upgrade(f"sqlite:///{tmp_path}/nowhere/reconciled.db")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://user:hunter2@host/db", "is no database that we work on"),
        ("sqlite://", "is a file"),
        ("sqlite:///:memory:", "is a file"),
        ("reconciled.db", "not readable"),
        ("", "not readable"),
        ("postgresql://user@host:port/db", "not readable"),
    ],
)
def test_an_address_that_we_do_not_work_on_is_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(Unsuitable, match=sentence) as raised:
        open_store(url)
    assert "hunter2" not in str(raised.value)


def test_a_server_that_is_not_there_is_a_sentence_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://ana:hunter2@/reconciled?host={tmp_path}"
    for attempt in (open_store, schema.upgrade, schema.check):
        with pytest.raises(Unavailable, match="does not answer") as raised:
            attempt(url)
        assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_a_database_that_the_server_does_not_have_is_a_sentence(server: Server) -> None:
    with pytest.raises(Unavailable, match="does not exist"):
        schema.upgrade(server.url("nobody_made_it"))
