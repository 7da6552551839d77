"""What was read: of Stripe, of the CRM, of the product; and the personal detail beside it, encrypted."""

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from daemon.store.tables.base import MaybeMoment, MaybeTree, MaybeWhole, Moment, Row, Whole, one_of


class SnapshotRow(Row, table=True):
    """One Stripe object as it was last read: the struct's JSON, and the keys that it is found by.

    `seen` is the mark that was current before its read was asked for. A row is never overwritten by a read with
    a smaller one, so answers that overtake each other do no harm. `changed_at` is when it last changed, by its own
    word where it has one; empty: long before we first looked.
    """

    __tablename__ = "snapshots"
    __table_args__ = (
        CheckConstraint("length(digest) = 32", name="digest_whole"),
        Index(None, "account", "customer", "class_name"),
        Index(None, "person"),
    )

    account: str = Field(primary_key=True)
    class_name: str = Field(primary_key=True)  # Stripe's `object`: subscription, charge, dispute …
    id: str = Field(primary_key=True)
    customer: str | None = None  # whose it is; where Stripe says nobody's, what it belongs to: charge/ch_1
    person: str | None = None  # of a customer: the keyed hash of the e-mail address, which itself is not kept
    status: str | None = None
    reached: MaybeTree = None  # states that it came to while we watched, each with when
    created: MaybeMoment = None
    body: bytes  # JSON of the struct, which names only what may be stored
    digest: bytes
    seen: Whole
    observed_at: Moment
    changed_at: MaybeMoment = None
    deleted: bool = False  # a tombstone: Stripe said deleted, or 404 to a proven key


class RecordRow(Row, table=True):
    """One customer as the CRM has it, in our words. The name is personal and lives in the side table."""

    __tablename__ = "records"
    __table_args__ = (
        one_of("mrr_unit", ("major", "minor")),
        CheckConstraint("length(digest) = 32", name="digest_whole"),
        Index(None, "stripe_account", "stripe_customer"),
        Index(None, "stripe_customer"),
        Index(None, "person"),
    )

    source: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    stripe_account: str | None = None
    stripe_customer: str | None = None
    person: str | None = None  # the keyed hash of an e-mail address, where the CRM gives one
    owner: str | None = None
    segment: str | None = None
    status: str | None = None
    plan: str | None = None
    mrr: str | None = None  # decimal text: which money it is may only be known beside a subscription
    mrr_unit: str = "major"
    currency: str | None = None
    renewal: MaybeMoment = None
    updated: MaybeMoment = None
    digest: bytes
    seen: Whole
    observed_at: Moment
    changed_at: MaybeMoment = None
    deleted: bool = False


class EntitlementRow(Row, table=True):
    """One feature that the product gives to one customer, in our words."""

    __tablename__ = "entitlements"
    __table_args__ = (
        CheckConstraint("length(digest) = 32", name="digest_whole"),
        Index(None, "stripe_account", "stripe_customer"),
        Index(None, "stripe_customer"),
    )

    source: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    stripe_account: str | None = None
    stripe_customer: str | None = None
    feature: str | None = None
    plan: str | None = None
    status: str | None = None
    quantity: MaybeWhole = None
    expires_at: MaybeMoment = None
    updated: MaybeMoment = None
    digest: bytes
    seen: Whole
    observed_at: Moment
    changed_at: MaybeMoment = None
    deleted: bool = False


class PersonalRow(Row, table=True):
    """A piece of personal detail: a name, a draft, exact parameters. Encrypted, and erased with its subject.

    The salt makes the digests that the journal holds: once the row is gone, nobody can test a guess against them.
    """

    __tablename__ = "personal"
    __table_args__ = (
        CheckConstraint("length(nonce) = 12", name="nonce_whole"),
        CheckConstraint("length(salt) = 32", name="salt_whole"),
    )

    account: str = Field(primary_key=True)
    subject_kind: str = Field(primary_key=True)
    subject_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    salt: bytes
    nonce: bytes
    sealed: bytes
    written_at: Moment
