"""Runs migrations on the connection that it is handed, inside that connection's transaction."""

from alembic import context

from daemon.store.schema import VERSION_TABLE
from daemon.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
context.run_migrations()
