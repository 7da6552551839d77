"""What came in, and what has to be looked at because of it."""

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from daemon.store.tables.base import MaybeMoment, MaybeWhole, Moment, Row, Whole, one_of, only

EVENT_SOURCES = ("webhook", "poll", "replay")


class InboxRow(Row, table=True):
    """An event that was acknowledged: its address and its envelope, never its payload.

    An event is one row however often and on whichever way it comes. `source` is the way it came first;
    `webhook_at` is when a webhook brought it, which may be after a poll found it, or never (a missed event).
    """

    __tablename__ = "inbox"
    __table_args__ = (
        one_of("source", EVENT_SOURCES),
        CheckConstraint("source <> 'webhook' OR webhook_at IS NOT NULL", name="webhook_time"),
        Index(None, "account", "received_at"),
        Index("ix_inbox_never_by_webhook", "account", "received_at", **only("webhook_at IS NULL")),
        Index(None, "account", "object_type", "object_id"),
    )  # fmt: skip

    account: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    type: str
    object_type: str
    object_id: str
    customer: str | None = None
    created: Moment
    livemode: bool
    is_foreign: bool = False  # of another account or mode: kept and counted, never looked at
    api_version: str | None = None
    idempotency_key: str | None = None  # whose request caused it; ours begin with rcl:
    twin_id: str | None = None  # of a thin event: the id under which the same thing comes as a snapshot event
    source: str
    received_at: Moment
    webhook_at: MaybeMoment = None


class WorklistRow(Row, table=True):
    """A subject that has to be looked at, now or at a time. No row: nothing to do.

    `mark` changes whenever somebody says *look again*; `stale` is the mark below which what was read of the
    subject must be read again. While it is taken, `fence` tells whose look it is and `due` is the lease's end.
    """

    __tablename__ = "worklist"
    __table_args__ = (
        CheckConstraint("(fence IS NULL) = (taken_until IS NULL)", name="taken_whole"),
        CheckConstraint("stale <= mark", name="stale_is_a_mark"),
        Index("ix_worklist_due", "account", "due", **only("buried_at IS NULL")),
        Index("ix_worklist_buried", "account", "buried_at", **only("buried_at IS NOT NULL")),
    )  # fmt: skip

    account: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    mark: Whole
    stale: Whole = 0
    due: Moment
    takes: Whole = 0  # since the last look that ended well; drives the back-off
    failures: Whole = 0  # takes among them that are the subject's own fault, or never came back
    fence: MaybeWhole = None
    taken_until: MaybeMoment = None
    error: str | None = None
    buried_at: MaybeMoment = None  # a dead letter: not looked at until somebody marks it again


class TurnRow(Row, table=True):
    """When an account last had its turn: the one that waited longest comes next."""

    __tablename__ = "turns"

    account: str = Field(primary_key=True)
    turn: Whole


class CursorRow(Row, table=True):
    """How far something has come: a poll's watermark, a sweep's checkpoint. The text is its owner's business."""

    __tablename__ = "cursors"

    account: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    position: str
    moved_at: Moment


class PassRow(Row, table=True):
    """One complete reading of one class of one source, begun and perhaps finished.

    The slot makes it unique, so that two replicas whose clocks tick at once start one pass.
    """

    __tablename__ = "passes"
    __table_args__ = (
        CheckConstraint("finished_at IS NULL OR finished_at >= started_at", name="in_order"),
        Index(None, "account", "source", "class_name", "finished_at"),
    )

    account: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    class_name: str = Field(primary_key=True)
    slot: str = Field(primary_key=True)
    mark: int = Field(sa_type=BigInteger)  # the number current when it began: what it read is at least as new
    started_at: Moment
    finished_at: MaybeMoment = None
    objects: Whole = 0


class OutageRow(Row, table=True):
    """What cannot be read at present: one class of one source of an account. The row goes when it is read again."""

    __tablename__ = "outages"

    account: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    class_name: str = Field(primary_key=True)
    since: Moment
    reason: str  # a closed word, for counting and for rules; the sentence is for people
    error: str


class ReadMeterRow(Row, table=True):
    """How many reads one key owner spent on one day (UTC), against Stripe's allocation of 30 days."""

    __tablename__ = "read_meter"
    __table_args__ = (CheckConstraint("reads >= 0", name="reads_counted"),)

    owner: str = Field(primary_key=True)
    day: int = Field(primary_key=True, sa_type=BigInteger)  # days since 1970
    reads: Whole


class TransactionMeterRow(Row, table=True):
    """How many transactions one key owner had in the last 30 days: Stripe allows 500 reads for each."""

    __tablename__ = "transaction_meter"
    __table_args__ = (CheckConstraint("transactions >= 0", name="transactions_counted"),)

    owner: str = Field(primary_key=True)
    transactions: Whole
    counted_at: MaybeMoment = None
