"""Who may come in and what they may do: people, tokens, the switch that stops all acting, and waiting changes."""

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from daemon.store.tables.base import MaybeMoment, MaybeTree, Moment, Row, Tree, Whole, one_of, only

ROLES = ("viewer", "analyst", "approver", "disputes", "admin", "auditor", "agent")
CHANGE_KINDS = ("policy", "person")
CHANGE_STATES = ("waiting", "confirmed", "withdrawn")


class PersonRow(Row, table=True):
    """Somebody who may decide. Nobody is ever removed: the journal names them."""

    __tablename__ = "people"
    __table_args__ = (one_of("role", [role for role in ROLES if role != "agent"]),)

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    role: str
    accounts: MaybeTree = None  # slugs; empty: all of them
    limits: Tree  # amounts a vote may reach, one per currency: [minor units, currency]
    added_by: str
    added_at: Moment
    signed_in_at: MaybeMoment = None  # for the first time; until then `owner` may make tokens in this name
    disabled_at: MaybeMoment = None


class InvitationRow(Row, table=True):
    """A link that signs one person in, once. Only its digest is kept."""

    __tablename__ = "invitations"

    digest: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="people.id", index=True)
    made_at: Moment
    expires_at: Moment
    used_at: MaybeMoment = None


class TokenRow(Row, table=True):
    """What a program shows to come in, as a person or as itself. Only its digest is kept."""

    __tablename__ = "tokens"
    __table_args__ = (
        one_of("role", ("agent", "viewer", "auditor")),
        CheckConstraint("(role IS NULL) <> (person_id IS NULL)", name="somebodys"),
        Index("uq_tokens_name", "name", unique=True, **only("revoked_at IS NULL")),
    )

    id: str = Field(primary_key=True)
    name: str
    digest: str = Field(unique=True)
    role: str | None = None
    person_id: str | None = Field(default=None, foreign_key="people.id", index=True)
    accounts: MaybeTree = None
    added_by: str
    added_at: Moment
    used_at: MaybeMoment = None  # to the hour: it shows what is forgotten, and costs no write a request
    revoked_at: MaybeMoment = None
    callback_epoch: Whole = 1  # raised by a rotation of the secret that signs its callbacks
    callback_rotated_at: MaybeMoment = None


class StopRow(Row, table=True):
    """Acting is stopped, for one account or, where the account is empty, for all. No row: it goes on."""

    __tablename__ = "stops"

    account: str = Field(primary_key=True)
    stopped_by: str
    stopped_at: Moment


class ChangeRow(Row, table=True):
    """A change of policy, people or limits that waits for a second admin."""

    __tablename__ = "changes"
    __table_args__ = (
        one_of("kind", CHANGE_KINDS),
        one_of("state", CHANGE_STATES),
        CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided_when"),
        Index("ix_changes_waiting", "kind", "name", **only("state = 'waiting'")),
    )

    id: str = Field(primary_key=True)
    kind: str
    name: str  # of the policy or the person
    change: Tree
    proposed_by: str
    proposed_at: Moment
    state: str = "waiting"
    decided_by: str | None = None
    decided_at: MaybeMoment = None


class InstallationRow(Row, table=True):
    """What this database is: the one in use, or a copy that was made of it and has not acted since."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("one = 1", name="one_row"),)

    one: int = Field(default=1, primary_key=True)
    copied_at: MaybeMoment = (
        None  # set in a backup: who opens it lets nothing happen that was approved before
    )
    restored_at: MaybeMoment = None
