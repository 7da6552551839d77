"""Who may decide, what they decided about and what came of it: people, tokens, stops, changes, requests.

Revision ID: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

PROPOSAL_TEXT = (
    "id, version, case_id, account, stripe_account, livemode, action, target_type, target_id, details, "
    "details_digest, snapshot, state_hash, amount, currency, effect, execution, requested_by, drafted_by, makers, "
    "token_id, justification_digest, policy_version, policy_rule, approvals_needed, created_at, expires_in_s, waits_s, "
    "callback_url, asked_as"
)
SENTENCE = "a proposal never changes; an edit is a new version"


# fmt: off
def upgrade() -> None:
    add("cases", "assigned_until", sa.BigInteger)
    add("proposals", "amount", sa.BigInteger)
    add("proposals", "currency", sa.String)
    add("proposals", "effect", sa.String, default="''")
    add("proposals", "makers", sa.Text, default="'[]'")
    add("proposals", "token_id", sa.String)
    add("proposals", "waits_s", sa.BigInteger, default="604800")
    add("proposals", "epoch", sa.Integer, default="1")
    add("proposals", "reason", sa.String)
    add("attempts", "tries", sa.Integer, default="0")
    add("attempts", "last_sent_at", sa.BigInteger)
    add("attempts", "object_status", sa.String)
    add("attempts", "replayed", sa.Boolean, default="false")
    add("attempts", "absent_at", sa.BigInteger)
    add("proposals", "asked_as", sa.Text)
    add("outbox", "token_id", sa.String)
    add("outbox", "receiver", sa.String, default="''")
    add("policies", "activated_by", sa.String)
    add("policies", "confirmed_by", sa.String)
    op.create_table(
        "people",
        *columns(sa.String, "id name role"),
        *columns(sa.Text, "accounts", nullable=True),
        *columns(sa.Text, "limits"),
        *columns(sa.String, "added_by"),
        *columns(sa.BigInteger, "added_at"),
        *columns(sa.BigInteger, "signed_in_at disabled_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("name", name=op.f("uq_people_name")),
        check("ck_people_role_known",
            "role IN ('viewer', 'analyst', 'approver', 'disputes', 'admin', 'auditor')"),
    )
    op.create_table(
        "invitations",
        *columns(sa.String, "digest person_id"),
        *columns(sa.BigInteger, "made_at expires_at"),
        *columns(sa.BigInteger, "used_at", nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_invitations_person_id")),
    )
    op.create_index(op.f("ix_invitations_person_id"), "invitations", ["person_id"])
    op.create_table(
        "tokens",
        *columns(sa.String, "id name digest"),
        *columns(sa.String, "role person_id", nullable=True),
        *columns(sa.Text, "accounts", nullable=True),
        *columns(sa.String, "added_by"),
        *columns(sa.BigInteger, "added_at"),
        *columns(sa.BigInteger, "used_at revoked_at", nullable=True),
        *columns(sa.BigInteger, "callback_epoch"),
        *columns(sa.BigInteger, "callback_rotated_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_tokens_person_id")),
        check("ck_tokens_role_known", "role IN ('agent', 'viewer', 'auditor')"),
        check("ck_tokens_somebodys", "(role IS NULL) <> (person_id IS NULL)"),
    )
    op.create_index(op.f("ix_tokens_person_id"), "tokens", ["person_id"])
    unrevoked = sa.text("revoked_at IS NULL")
    op.create_index(op.f("uq_tokens_name"), "tokens", ["name"], unique=True,
        sqlite_where=unrevoked, postgresql_where=unrevoked)
    op.create_table(
        "stops",
        *columns(sa.String, "account stopped_by"),
        *columns(sa.BigInteger, "stopped_at"),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_stops")),
    )
    op.create_table(
        "changes",
        *columns(sa.String, "id kind name"),
        *columns(sa.Text, "change"),
        *columns(sa.String, "proposed_by"),
        *columns(sa.BigInteger, "proposed_at"),
        *columns(sa.String, "state"),
        *columns(sa.String, "decided_by", nullable=True),
        *columns(sa.BigInteger, "decided_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        check("ck_changes_kind_known", "kind IN ('policy', 'person')"),
        check("ck_changes_state_known", "state IN ('waiting', 'confirmed', 'withdrawn')"),
        check("ck_changes_decided_when", "(state = 'waiting') = (decided_at IS NULL)"),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(op.f("ix_changes_waiting"), "changes", ["kind", "name"],
        sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "requests",
        *columns(sa.String, "principal key digest proposal_id"),
        *columns(sa.BigInteger, "asked_at"),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_requests")),
    )
    op.create_table(
        "installation",
        *columns(sa.Integer, "one"),
        *columns(sa.BigInteger, "copied_at restored_at", nullable=True),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_installation")),
        check("ck_installation_one_row", "one = 1"),
    )
    op.execute("INSERT INTO installation (one) VALUES (1)")
    op.execute("DROP TRIGGER proposals_no_update" + ("" if on_sqlite() else " ON proposals"))
    refuses = (f"BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END" if on_sqlite()
        else f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('{SENTENCE}')")
    op.execute(f"CREATE TRIGGER proposals_no_update BEFORE UPDATE OF {PROPOSAL_TEXT} ON proposals {refuses}")
# fmt: on


def on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def add(table: str, name: str, kind: Any, *, default: str | None = None) -> None:
    given = None if default is None else sa.text(default)
    op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=given))


def columns(kind: Any, names: str, *, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable, autoincrement=False) for name in names.split()]


def check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(name))
