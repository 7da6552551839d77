"""The journal: what was decided and done, in a chain that cannot be edited unnoticed.

The migration puts triggers on it that refuse UPDATE, DELETE and TRUNCATE.
"""

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from daemon.store.tables.base import SEQUENCE, Moment, Row, Whole


class JournalRow(Row, table=True):
    """One entry. The hash covers the hash of the entry before it and every other column of this one."""

    __tablename__ = "journal"
    __table_args__ = (
        CheckConstraint("length(previous) = 32 AND length(hash) = 32", name="hashes_whole"),
        Index(None, "account", "subject_kind", "subject_id", "seq"),
        Index(None, "kind", "seq"),
        Index(None, "at"),
    )

    seq: int = Field(primary_key=True, sa_type=SEQUENCE, sa_column_kwargs={"autoincrement": False})
    at: Moment
    kind: str
    actor: str
    account: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None
    body: str  # canonical JSON, kept as text: a database that parsed it would spell it anew
    previous: bytes
    hash: bytes


class JournalHeadRow(Row, table=True):
    """The one row that knows where the chain ends. Whoever appends holds it; it is always taken last."""

    __tablename__ = "journal_head"
    __table_args__ = (CheckConstraint("one = 1", name="one_row"),)

    one: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: Whole
    hash: bytes
