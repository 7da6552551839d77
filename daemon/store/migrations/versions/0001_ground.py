"""The first schema: everything that is remembered, and triggers on what may be added to but never changed.

Revision ID: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Table, what is refused, and the sentence. A proposal's state moves; what it says does not.
PROPOSAL_TEXT = (
    "id, version, case_id, account, stripe_account, livemode, action, target_type, target_id, details, "
    "details_digest, snapshot, state_hash, execution, requested_by, drafted_by, justification_digest, "
    "policy_version, policy_rule, approvals_needed, created_at, expires_in_s, callback_url"
)
REFUSED = (
    ("journal", "UPDATE", "the journal is only ever appended to"),
    ("journal", "DELETE", "the journal is only ever appended to"),
    ("decisions", "UPDATE", "a decision is written once"),
    ("decisions", "DELETE", "a decision is written once"),
    ("proposals", f"UPDATE OF {PROPOSAL_TEXT}", "a proposal never changes; an edit is a new version"),
    ("proposals", "DELETE", "a proposal never changes; an edit is a new version"),
)
# On SQLite, INSERT OR REPLACE deletes without asking the DELETE trigger.
KEYS = {
    "journal": "seq = NEW.seq",
    "decisions": "proposal_id = NEW.proposal_id AND version = NEW.version AND person = NEW.person",
    "proposals": "(id = NEW.id OR case_id = NEW.case_id) AND version = NEW.version",
}


# fmt: off
def upgrade() -> None:
    op.create_table(
        "cases",
        *columns(sa.String, "id account stripe_account"),
        *columns(sa.Boolean, "livemode"),
        *columns(sa.String, "kind subject_kind subject_id fingerprint title severity"),
        *columns(sa.Integer, "severity_rank"),
        *columns(sa.String, "state substate"),
        *columns(sa.BigInteger, "opened_at seen_at seen_count"),
        *columns(sa.BigInteger, "resolved_at due_at", nullable=True),
        *columns(sa.BigInteger, "due_order"),
        *columns(sa.BigInteger, "amount", nullable=True),
        *columns(sa.String, "currency", nullable=True),
        *columns(sa.BigInteger, "amount_order"),
        *columns(sa.String, "rule policy_version"),
        *columns(sa.Text, "facts"),
        *columns(sa.String, "facts_hash"),
        *columns(sa.Text, "differences object_ids detail"),
        *columns(sa.String, "digest"),
        *columns(sa.String, "assignee", nullable=True),
        *columns(sa.BigInteger, "snoozed_until read_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        check("ck_cases_amount_whole", "(amount IS NULL) = (currency IS NULL)"),
        check("ck_cases_due_ordered",
            "(due_at IS NOT NULL AND due_order = due_at) OR (due_at IS NULL AND due_order IN (-1, "
            "9223372036854775807))"),
        check("ck_cases_resolved_when", "(state = 'resolved') = (resolved_at IS NOT NULL)"),
        check("ck_cases_severity_ranked",
            "(severity = 'critical' AND severity_rank = 0) OR (severity = 'high' AND severity_rank = 1) OR "
            "(severity = 'normal' AND severity_rank = 2) OR (severity = 'low' AND severity_rank = 3)"),
        check("ck_cases_snoozed_until_when", "(state = 'snoozed') = (snoozed_until IS NOT NULL)"),
        check("ck_cases_state_known", "state IN ('open', 'snoozed', 'resolved')"),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_cases_fingerprint")),
    )
    index("ix_cases_account_subject_kind_subject_id", "cases", "account subject_kind subject_id")
    index("ix_cases_state_opened_at", "cases", "state opened_at")
    index("ix_cases_urgency", "cases", "state severity_rank due_order amount_order opened_at id")
    op.create_table(
        "cursors",
        *columns(sa.String, "account name position"),
        *columns(sa.BigInteger, "moved_at"),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "entitlements",
        *columns(sa.String, "source key"),
        *columns(sa.String, "stripe_account stripe_customer feature plan status", nullable=True),
        *columns(sa.BigInteger, "quantity expires_at updated", nullable=True),
        *columns(sa.LargeBinary, "digest"),
        *columns(sa.BigInteger, "seen observed_at"),
        *columns(sa.BigInteger, "changed_at", nullable=True),
        *columns(sa.Boolean, "deleted"),
        sa.PrimaryKeyConstraint("source", "key", name=op.f("pk_entitlements")),
        check("ck_entitlements_digest_whole", "length(digest) = 32"),
    )
    index("ix_entitlements_stripe_account_stripe_customer", "entitlements", "stripe_account stripe_customer")
    index("ix_entitlements_stripe_customer", "entitlements", "stripe_customer")
    op.create_table(
        "held",
        *columns(sa.String, "account fingerprint kind subject_kind subject_id state"),
        *columns(sa.BigInteger, "pass_number since"),
        sa.PrimaryKeyConstraint("account", "fingerprint", name=op.f("pk_held")),
        check("ck_held_state_known", "state IN ('weighed', 'held', 'released')"),
    )
    index("ix_held_account_kind_state", "held", "account kind state")
    op.create_table(
        "inbox",
        *columns(sa.String, "account event_id type object_type object_id"),
        *columns(sa.String, "customer", nullable=True),
        *columns(sa.BigInteger, "created"),
        *columns(sa.Boolean, "livemode is_foreign"),
        *columns(sa.String, "api_version idempotency_key twin_id", nullable=True),
        *columns(sa.String, "source"),
        *columns(sa.BigInteger, "received_at"),
        *columns(sa.BigInteger, "webhook_at", nullable=True),
        sa.PrimaryKeyConstraint("account", "event_id", name=op.f("pk_inbox")),
        check("ck_inbox_source_known", "source IN ('webhook', 'poll', 'replay')"),
        check("ck_inbox_webhook_time", "source <> 'webhook' OR webhook_at IS NOT NULL"),
    )
    index("ix_inbox_account_object_type_object_id", "inbox", "account object_type object_id")
    index("ix_inbox_account_received_at", "inbox", "account received_at")
    index("ix_inbox_never_by_webhook", "inbox", "account received_at", where="webhook_at IS NULL")
    op.create_table(
        "journal",
        *columns(SEQUENCE, "seq"),
        *columns(sa.BigInteger, "at"),
        *columns(sa.String, "kind actor"),
        *columns(sa.String, "account subject_kind subject_id", nullable=True),
        *columns(sa.String, "body"),
        *columns(sa.LargeBinary, "previous hash"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_journal")),
        check("ck_journal_hashes_whole", "length(previous) = 32 AND length(hash) = 32"),
    )
    index("ix_journal_account_subject_kind_subject_id_seq", "journal", "account subject_kind subject_id seq")
    index("ix_journal_at", "journal", "at")
    index("ix_journal_kind_seq", "journal", "kind seq")
    op.create_table(
        "journal_head",
        *columns(sa.Integer, "one"),
        *columns(sa.BigInteger, "seq"),
        *columns(sa.LargeBinary, "hash"),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_journal_head")),
        check("ck_journal_head_one_row", "one = 1"),
    )
    op.create_table(
        "outbox",
        *columns(sa.String, "id"),
        *columns(sa.String, "account", nullable=True),
        *columns(sa.String, "channel"),
        *columns(sa.String, "address", nullable=True),
        *columns(sa.String, "topic_kind topic_id"),
        *columns(sa.BigInteger, "sequence"),
        *columns(sa.Text, "body"),
        *columns(sa.String, "state"),
        *columns(sa.BigInteger, "due tries created_at"),
        *columns(sa.BigInteger, "delivered_at", nullable=True),
        *columns(sa.String, "error", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        check("ck_outbox_delivered_when", "(state = 'delivered') = (delivered_at IS NOT NULL)"),
        check("ck_outbox_state_known", "state IN ('waiting', 'delivered', 'dead')"),
    )
    index("ix_outbox_due", "outbox", "due", where="state = 'waiting'")
    index("ix_outbox_topic_kind_topic_id", "outbox", "topic_kind topic_id")
    op.create_table(
        "outages",
        *columns(sa.String, "account source class_name"),
        *columns(sa.BigInteger, "since"),
        *columns(sa.String, "reason error"),
        sa.PrimaryKeyConstraint("account", "source", "class_name", name=op.f("pk_outages")),
    )
    op.create_table(
        "passes",
        *columns(sa.String, "account source class_name slot"),
        *columns(sa.BigInteger, "mark started_at"),
        *columns(sa.BigInteger, "finished_at", nullable=True),
        *columns(sa.BigInteger, "objects"),
        sa.PrimaryKeyConstraint("account", "source", "class_name", "slot", name=op.f("pk_passes")),
        check("ck_passes_in_order", "finished_at IS NULL OR finished_at >= started_at"),
    )
    index("ix_passes_account_source_class_name_finished_at", "passes", "account source class_name finished_at")
    op.create_table(
        "personal",
        *columns(sa.String, "account subject_kind subject_id name"),
        *columns(sa.LargeBinary, "salt nonce sealed"),
        *columns(sa.BigInteger, "written_at"),
        sa.PrimaryKeyConstraint("account", "subject_kind", "subject_id", "name", name=op.f("pk_personal")),
        check("ck_personal_nonce_whole", "length(nonce) = 12"),
        check("ck_personal_salt_whole", "length(salt) = 32"),
    )
    op.create_table(
        "policies",
        *columns(sa.String, "hash name text"),
        *columns(sa.Boolean, "active"),
        *columns(sa.BigInteger, "added_at"),
        *columns(sa.BigInteger, "activated_at", nullable=True),
        sa.PrimaryKeyConstraint("hash", "name", name=op.f("pk_policies")),
    )
    index("uq_policies_active", "policies", "name", unique=True, where="active")
    op.create_table(
        "read_meter",
        *columns(sa.String, "owner"),
        *columns(sa.BigInteger, "day reads"),
        sa.PrimaryKeyConstraint("owner", "day", name=op.f("pk_read_meter")),
        check("ck_read_meter_reads_counted", "reads >= 0"),
    )
    op.create_table(
        "records",
        *columns(sa.String, "source key"),
        *columns(sa.String, "stripe_account stripe_customer person owner segment status plan mrr", nullable=True),
        *columns(sa.String, "mrr_unit"),
        *columns(sa.String, "currency", nullable=True),
        *columns(sa.BigInteger, "renewal updated", nullable=True),
        *columns(sa.LargeBinary, "digest"),
        *columns(sa.BigInteger, "seen observed_at"),
        *columns(sa.BigInteger, "changed_at", nullable=True),
        *columns(sa.Boolean, "deleted"),
        sa.PrimaryKeyConstraint("source", "key", name=op.f("pk_records")),
        check("ck_records_digest_whole", "length(digest) = 32"),
        check("ck_records_mrr_unit_known", "mrr_unit IN ('major', 'minor')"),
    )
    index("ix_records_person", "records", "person")
    index("ix_records_stripe_account_stripe_customer", "records", "stripe_account stripe_customer")
    index("ix_records_stripe_customer", "records", "stripe_customer")
    op.create_table(
        "served_schemas",
        *columns(sa.String, "revision"),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_served_schemas")),
    )
    op.create_table(
        "snapshots",
        *columns(sa.String, "account class_name id"),
        *columns(sa.String, "customer person status", nullable=True),
        *columns(sa.Text, "reached", nullable=True),
        *columns(sa.BigInteger, "created", nullable=True),
        *columns(sa.LargeBinary, "body digest"),
        *columns(sa.BigInteger, "seen observed_at"),
        *columns(sa.BigInteger, "changed_at", nullable=True),
        *columns(sa.Boolean, "deleted"),
        sa.PrimaryKeyConstraint("account", "class_name", "id", name=op.f("pk_snapshots")),
        check("ck_snapshots_digest_whole", "length(digest) = 32"),
    )
    index("ix_snapshots_account_customer_class_name", "snapshots", "account customer class_name")
    index("ix_snapshots_person", "snapshots", "person")
    op.create_table(
        "transaction_meter",
        *columns(sa.String, "owner"),
        *columns(sa.BigInteger, "transactions"),
        *columns(sa.BigInteger, "counted_at", nullable=True),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_transaction_meter")),
        check("ck_transaction_meter_transactions_counted", "transactions >= 0"),
    )
    op.create_table(
        "turns",
        *columns(sa.String, "account"),
        *columns(sa.BigInteger, "turn"),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_turns")),
    )
    op.create_table(
        "worklist",
        *columns(sa.String, "account kind id"),
        *columns(sa.BigInteger, "mark stale due takes failures"),
        *columns(sa.BigInteger, "fence taken_until", nullable=True),
        *columns(sa.String, "error", nullable=True),
        *columns(sa.BigInteger, "buried_at", nullable=True),
        sa.PrimaryKeyConstraint("account", "kind", "id", name=op.f("pk_worklist")),
        check("ck_worklist_stale_is_a_mark", "stale <= mark"),
        check("ck_worklist_taken_whole", "(fence IS NULL) = (taken_until IS NULL)"),
    )
    index("ix_worklist_buried", "worklist", "account buried_at", where="buried_at IS NOT NULL")
    index("ix_worklist_due", "worklist", "account due", where="buried_at IS NULL")
    op.create_table(
        "dismissals",
        *columns(sa.String, "id fingerprint case_id facts_hash person reason"),
        *columns(sa.BigInteger, "dismissed_at"),
        *columns(sa.BigInteger, "until ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dismissals")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_dismissals_case_id")),
    )
    index("uq_dismissals_holding", "dismissals", "fingerprint", unique=True, where="ended_at IS NULL")
    op.create_table(
        "proposals",
        *columns(sa.String, "id"),
        *columns(sa.Integer, "version"),
        *columns(sa.String, "case_id account stripe_account"),
        *columns(sa.Boolean, "livemode"),
        *columns(sa.String, "action target_type target_id"),
        *columns(sa.Text, "details"),
        *columns(sa.String, "details_digest"),
        *columns(sa.Text, "snapshot"),
        *columns(sa.String, "state_hash execution requested_by drafted_by"),
        *columns(sa.String, "justification_digest", nullable=True),
        *columns(sa.String, "policy_version policy_rule"),
        *columns(sa.Integer, "approvals_needed"),
        *columns(sa.BigInteger, "created_at expires_in_s"),
        *columns(sa.String, "callback_url", nullable=True),
        *columns(sa.String, "state"),
        *columns(sa.BigInteger, "state_since"),
        *columns(sa.BigInteger, "executable_at expires_at", nullable=True),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_proposals")),
        check("ck_proposals_execution_known", "execution IN ('daemon', 'caller')"),
        check("ck_proposals_state_known",
            "state IN ('pending', 'approved', 'rejected', 'changes_requested', 'expired', 'superseded', 'stale', "
            "'withdrawn', 'moot', 'executing', 'succeeded', 'failed', 'unknown')"),
        check("ck_proposals_version_counted", "version >= 1"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_proposals_case_id")),
        sa.UniqueConstraint("case_id", "version", name=op.f("uq_proposals_case_id_version")),
    )
    index("ix_proposals_account_target_type_target_id", "proposals", "account target_type target_id")
    index("ix_proposals_state_expires_at", "proposals", "state expires_at")
    op.create_table(
        "attempts",
        *columns(sa.String, "id proposal_id"),
        *columns(sa.Integer, "version epoch"),
        *columns(sa.String, "account target_type target_id idempotency_key"),
        *columns(sa.Text, "request"),
        *columns(sa.String, "request_digest state claim"),
        *columns(sa.BigInteger, "claimed_at claimed_until"),
        *columns(sa.BigInteger, "sent_at finished_at", nullable=True),
        *columns(sa.String, "object_id request_id error", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        check("ck_attempts_finished_when", "(state IN ('claimed', 'sent', 'unknown')) = (finished_at IS NULL)"),
        check("ck_attempts_sent_when", "state <> 'sent' OR sent_at IS NOT NULL"),
        check("ck_attempts_state_known",
            "state IN ('claimed', 'sent', 'unknown', 'succeeded', 'failed', 'outdated')"),
        sa.ForeignKeyConstraint(["proposal_id", "version"], ["proposals.id", "proposals.version"],
            name=op.f("fk_attempts_proposal_id_version")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_attempts_idempotency_key")),
        sa.UniqueConstraint("proposal_id", "version", "epoch", name=op.f("uq_attempts_proposal_id_version_epoch")),
    )
    index("ix_attempts_state_claimed_until", "attempts", "state claimed_until")
    index("uq_attempts_unfinished", "attempts", "account target_type target_id", unique=True,
          where="state IN ('claimed', 'sent', 'unknown')")
    op.create_table(
        "decisions",
        *columns(sa.String, "proposal_id"),
        *columns(sa.Integer, "version"),
        *columns(sa.String, "person verdict state_hash"),
        *columns(sa.Text, "authority"),
        *columns(sa.String, "policy_version policy_rule"),
        *columns(sa.String, "note_digest", nullable=True),
        *columns(sa.BigInteger, "decided_at"),
        sa.PrimaryKeyConstraint("proposal_id", "version", "person", name=op.f("pk_decisions")),
        check("ck_decisions_verdict_known", "verdict IN ('approve', 'reject', 'request_changes')"),
        sa.ForeignKeyConstraint(["proposal_id", "version"], ["proposals.id", "proposals.version"],
            name=op.f("fk_decisions_proposal_id_version")),
    )
    index("ix_decisions_person_decided_at", "decisions", "person decided_at")
    op.execute(f"INSERT INTO journal_head (one, seq, hash) VALUES (1, 0, {zeros()})")  # noqa: S608 - two literals
    if op.get_bind().dialect.name == "sqlite":
        on_sqlite()
    else:
        on_postgres()
# fmt: on


def on_sqlite() -> None:
    op.execute("CREATE TABLE mark_counter (one INTEGER PRIMARY KEY CHECK (one = 1), mark INTEGER NOT NULL)")
    op.execute("INSERT INTO mark_counter (one, mark) VALUES (1, 0)")
    for table, what, sentence in REFUSED:
        op.execute(
            f"CREATE TRIGGER {table}_no_{what.split()[0].lower()} BEFORE {what} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )
    for table, same in KEYS.items():
        sentence = next(sentence for named, _, sentence in REFUSED if named == table)
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608 - from the lines above
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )


def on_postgres() -> None:
    # A sequence, not a row: whoever marks would otherwise hold up everybody else who marks until it commits.
    op.execute("CREATE SEQUENCE mark_counter AS bigint CACHE 1")
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table, what, sentence in REFUSED:
        op.execute(
            f"CREATE TRIGGER {table}_no_{what.split()[0].lower()} BEFORE {what} ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('{sentence}')"
        )
    for table in KEYS:
        sentence = next(sentence for named, _, sentence in REFUSED if named == table)
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('{sentence}')"
        )


def zeros() -> str:
    return "zeroblob(32)" if op.get_bind().dialect.name == "sqlite" else "decode(repeat('00', 32), 'hex')"


def columns(kind: Any, names: str, *, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable, autoincrement=False) for name in names.split()]


def check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(name))


def index(name: str, table: str, names: str, *, unique: bool = False, where: str | None = None) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        op.f(name), table, names.split(), unique=unique, sqlite_where=condition, postgresql_where=condition
    )
