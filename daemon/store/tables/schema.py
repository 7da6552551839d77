"""Which programs may work on this database."""

from sqlmodel import Field

from daemon.store.tables.base import Row


class ServedSchemaRow(Row, table=True):
    """A revision whose programs this database still serves.

    A migration that older programs can live with adds their revisions here; one that they cannot live with
    removes them. A program whose revision is neither the database's nor here refuses to start.
    """

    __tablename__ = "served_schemas"

    revision: str = Field(primary_key=True)
