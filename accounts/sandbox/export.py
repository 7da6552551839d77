"""The same records as files: a SQLite database and two CSV files, for sources of those types."""

import csv
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from accounts.sandbox.records import CRM_NAMES, ENTITLEMENT_NAMES, Json, named
from accounts.sandbox.world import World


def export(world: World, directory: Path) -> None:
    """Writes app.db, crm.csv and entitlements.csv, whole or not at all, in place of older ones."""
    tables = (
        ("crm_accounts", "crm.csv", CRM_NAMES, world.crm),
        ("entitlements", "entitlements.csv", ENTITLEMENT_NAMES, world.entitlements),
    )
    with closing(sqlite3.connect(directory / "app.db")) as database, database:
        for table, _, names, records in tables:
            _into_table(database, table, names, records)
        database.execute(
            "create table if not exists crm_tasks (account_id text, title text, body text, due text)"
        )
    for _, file, names, records in tables:
        unfinished = directory / f"{file}.part"
        with unfinished.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, names.values())
            writer.writeheader()
            writer.writerows(named(record, names) for record in records)
        unfinished.replace(directory / file)


def _into_table(
    database: sqlite3.Connection, table: str, names: Mapping[str, str], records: list[Json]
) -> None:
    # Table and columns are our own constants; values are bound.
    columns = ", ".join(
        f"{name} {'integer' if name == 'quantity' else 'text'}{' primary key' if name == 'id' else ''}"
        for name in names.values()
    )
    places = ", ".join(f":{name}" for name in names.values())
    database.execute(f"create table if not exists {table} ({columns})")
    database.execute(f"delete from {table}")  # noqa: S608
    database.executemany(
        f"insert into {table} values ({places})",  # noqa: S608
        (named(record, names) for record in records),
    )
