"""The tables: one class each, whose docstring says what a row is. Every query module names the ones it asks."""

from sqlalchemy import Table

from daemon.store.tables import audit, desk, intake, people, schema, world
from daemon.store.tables.base import METADATA

__all__ = ["METADATA", "MODULES", "table"]

MODULES = (intake, world, desk, people, audit, schema)  # imported so that METADATA knows them all


def table(name: str) -> Table:
    """A table by its name, for statements over many rows; single rows are read and written as objects."""
    return METADATA.tables[name]
