"""The schema: which one a database has, whether this program may work on it, and how it is brought up to date.

A database is at a revision. A program knows a chain of them, and works on the newest that it knows; on a newer
one only where the newer schema lists the program's own among those that it still serves.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import alembic.command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text

from daemon.store.engines import check_server, engine_for
from daemon.store.errors import NotOurs, SchemaNewer, SchemaOlder, Unavailable
from daemon.store.place import Place, place_of
from daemon.store.tables import table
from daemon.store.translation import translated

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
OURS = "journal_head"  # beside that name, which others use too, this table tells that a database is ours
NEIGHBOURS = "procrastinate_"  # the engine of the scaled mode keeps its tables beside ours
UPGRADE_LOCK = 0x7265636F6E  # any number, the same in every replica: one of them migrates, the others wait


class SchemaState(Enum):
    MISSING = "missing"  # no database, or an empty one
    CURRENT = "current"
    OLDER = "older"
    SERVED = "served"  # newer, and made so that this program still works
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database has, and what this program knows."""

    state: SchemaState
    found: str | None
    known: str


def check(url: str) -> Schema:
    """Looks, and changes nothing. Raises NotOurs, Unsuitable or Unavailable with a sentence."""
    place = place_of(url)
    if place.path is not None and not place.path.exists():
        return Schema(SchemaState.MISSING, None, _known())
    with _connected(place, writing=False) as connection:
        check_server(place, connection)
        return schema_of(place, connection)


def upgrade(url: str) -> Schema:
    """Applies what is pending, all of it or nothing, and says what was there before. Creates a missing SQLite file."""
    place = place_of(url)
    if place.path is not None:
        _create(place.path)
    with _connected(place, writing=True) as connection:
        check_server(place, connection)
        if place.path is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        before = schema_of(place, connection)
        refuse_newer(place, before)
        if before.state in {SchemaState.MISSING, SchemaState.OLDER}:
            configuration = _alembic()
            configuration.attributes["connection"] = connection
            alembic.command.upgrade(configuration, "head")
        return before


def require_current(place: Place, found: Schema) -> None:
    """Raises SchemaOlder or SchemaNewer unless this program may work on it."""
    refuse_newer(place, found)
    if found.state is SchemaState.MISSING:
        raise SchemaOlder(f"{place} is empty. Run `reconciled db upgrade`.")
    if found.state is SchemaState.OLDER:
        raise SchemaOlder(
            f"{place} has schema {found.found}, and this program needs {found.known}. Run `reconciled db upgrade`."
        )


def refuse_newer(place: Place, found: Schema) -> None:
    if found.state is SchemaState.NEWER:
        raise SchemaNewer(
            f"{place} has schema {found.found}, and this program knows only up to {found.known}. "
            "Install the newer program; nothing was changed."
        )


def schema_of(place: Place, connection: Connection) -> Schema:
    """Raises NotOurs where the database belongs to something else."""
    known = _known()
    tables = {name for name in inspect(connection).get_table_names() if not name.startswith(NEIGHBOURS)}
    if not tables:
        return Schema(SchemaState.MISSING, None, known)
    if not {VERSION_TABLE, OURS} <= tables:
        others = ", ".join(sorted(tables)[:3])
        raise NotOurs(f"{place} holds tables that are not ours ({others}). Name an empty one.")
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608
    if found is None:
        return Schema(SchemaState.MISSING, None, known)
    if found == known:
        return Schema(SchemaState.CURRENT, found, known)
    if found in _revisions(MIGRATIONS):
        return Schema(SchemaState.OLDER, found, known)
    served = table("served_schemas")
    if connection.execute(select(served.c.revision).where(served.c.revision == known)).first():
        return Schema(SchemaState.SERVED, found, known)
    return Schema(SchemaState.NEWER, found, known)


@contextmanager
def _connected(place: Place, *, writing: bool) -> Iterator[Connection]:
    engine = engine_for(place, "writer" if writing else "reader")
    try:
        with translated(place), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _create(path: Path) -> None:
    """Only this user may read it: it holds who owes what, and who decided."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise Unavailable(f"The database {path} cannot be created: {error.strerror}.") from None


def _alembic() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def _known() -> str:
    return _revisions(MIGRATIONS)[0]


@cache
def _revisions(folder: Path) -> tuple[str, ...]:
    """What this program knows, the newest first. Loading them runs their modules, so it is done once."""
    scripts = ScriptDirectory(str(folder))
    return tuple(script.revision for script in scripts.walk_revisions())
