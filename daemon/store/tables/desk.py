"""What stands, what was proposed about it, who decided, and what was then done.

Case, Proposal, Decision and Attempt are four things; most bugs of such systems come from merging them.
"""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from daemon.store.tables.base import (
    Document,
    MaybeMoment,
    MaybeTree,
    MaybeWhole,
    Moment,
    Row,
    Tree,
    Whole,
    at_first,
    one_of,
    only,
)

SEVERITIES = ("critical", "high", "normal", "low")  # the order is the rank
CASE_STATES = ("open", "snoozed", "resolved")
HELD_STATES = ("weighed", "held", "released")
DUE_UNKNOWN = -1  # an answer is needed and nobody knows until when: before every known deadline
DUE_NEVER = 2**63 - 1  # no deadline: after every known one
PROPOSAL_STATES = (
    "pending", "approved", "rejected", "changes_requested", "expired", "superseded", "stale", "withdrawn",
    "moot", "executing", "succeeded", "failed", "unknown",
)  # fmt: skip
VERDICTS = ("approve", "reject", "request_changes")
EXECUTIONS = ("daemon", "caller")
ATTEMPT_STATES = ("claimed", "sent", "unknown", "succeeded", "failed", "outdated")
UNFINISHED = "state IN ('claimed', 'sent', 'unknown')"
DELIVERY_STATES = ("waiting", "delivered", "dead")

# Most urgent first. All ascending and never empty, so that one index serves, and a page begins after the last row.
URGENCY = ("severity_rank", "due_order", "amount_order", "opened_at", "id")

_RANKED = " OR ".join(f"(severity = '{word}' AND severity_rank = {n})" for n, word in enumerate(SEVERITIES))


class CaseRow(Row, table=True):
    """A disagreement, risk or request that stands or stood: one row per fingerprint, opened again when it comes back.

    The loop writes the upper columns and never people's; people write theirs and never the loop's. What happened
    to it, and when, is in the journal.
    """

    __tablename__ = "cases"
    __table_args__ = (
        one_of("state", CASE_STATES),
        CheckConstraint(_RANKED, name="severity_ranked"),
        CheckConstraint(f"(due_at IS NOT NULL AND due_order = due_at) OR "
                        f"(due_at IS NULL AND due_order IN ({DUE_UNKNOWN}, {DUE_NEVER}))", name="due_ordered"),
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="amount_whole"),
        CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name="resolved_when"),
        CheckConstraint("(state = 'snoozed') = (snoozed_until IS NOT NULL)", name="snoozed_until_when"),
        UniqueConstraint("fingerprint"),
        Index("ix_cases_urgency", "state", *URGENCY),
        Index(None, "account", "subject_kind", "subject_id"),
        Index(None, "state", "opened_at"),
    )  # fmt: skip

    id: str = Field(primary_key=True)
    account: str
    stripe_account: str
    livemode: bool
    kind: str
    subject_kind: str
    subject_id: str
    fingerprint: str
    title: str
    severity: str
    severity_rank: int
    state: str
    substate: str
    opened_at: Moment  # since when it stands
    seen_at: Moment  # when the loop last had something new to write of it
    seen_count: Whole = 1  # how often it was opened
    resolved_at: MaybeMoment = None
    due_at: MaybeMoment = None
    due_order: Whole = DUE_NEVER
    amount: MaybeWhole = None
    currency: str | None = None
    amount_order: Whole = 0  # minus the amount in the reporting currency; 0 without a rate
    rule: str
    policy_version: str
    facts: Tree
    facts_hash: str  # over the material facts: what a dismissal is bound to
    differences: Tree
    object_ids: Tree
    detail: Tree  # what else a rule said of it: recommendation, drafts, classification, notes
    digest: str  # over all of it; equal digests: nothing is to be written

    assignee: str | None = None
    assigned_until: MaybeMoment = None  # a lease: who took it and went home does not keep it
    snoozed_until: MaybeMoment = None
    read_at: MaybeMoment = None


class HeldRow(Row, table=True):
    """A case that a rule wants and that is not opened, because the rule wants too many at once.

    Weighed: counted by the pass that is under way. Held: it was too much. Released: somebody wants to see it.
    """

    __tablename__ = "held"
    __table_args__ = (one_of("state", HELD_STATES), Index(None, "account", "kind", "state"))

    account: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)
    kind: str
    subject_kind: str
    subject_id: str
    state: str
    pass_number: Whole  # of the pass that wanted it last
    since: Moment


class ProposalRow(Row, table=True):
    """One version of an action that somebody proposes. What it says never changes; only its state moves."""

    __tablename__ = "proposals"
    __table_args__ = (
        one_of("state", PROPOSAL_STATES),
        one_of("execution", EXECUTIONS),
        CheckConstraint("version >= 1", name="version_counted"),
        UniqueConstraint("case_id", "version"),
        Index(None, "account", "target_type", "target_id"),
        Index(None, "state", "expires_at"),
    )

    id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    case_id: str = Field(foreign_key="cases.id")
    account: str
    stripe_account: str
    livemode: bool
    action: str
    target_type: str
    target_id: str
    details: Tree  # ids, amounts and states; what is personal lives in the side table, and its digest here
    details_digest: str
    snapshot: Tree  # the material facts at the time, and their hash: what the approval will hold for
    state_hash: str
    amount: MaybeWhole = None  # what it moves, by which limits count
    currency: str | None = None
    effect: str = Field(default="", sa_column_kwargs=at_first("''"))  # the sentence on the button
    execution: str
    requested_by: str
    drafted_by: str
    # Who may not vote on it.
    makers: Any = Field(default_factory=list, sa_type=Document, sa_column_kwargs=at_first("'[]'"))
    token_id: str | None = None  # with which it was asked for: whose callbacks it is
    justification_digest: str | None = None
    policy_version: str
    policy_rule: str
    approvals_needed: int
    created_at: Moment
    expires_in_s: Whole  # counted from when it may execute
    # For votes, from its creation.
    waits_s: int = Field(default=604_800, sa_type=BigInteger, sa_column_kwargs=at_first("604800"))
    callback_url: str | None = None
    asked_as: MaybeTree = (
        None  # at a gate that speaks another language: how it named the action and its fields
    )

    state: str = "pending"
    state_since: Moment
    executable_at: MaybeMoment = None
    expires_at: MaybeMoment = None
    epoch: int = Field(default=1, sa_column_kwargs=at_first("1"))  # raised by a person only
    reason: str | None = None  # why it is in this state, as a sentence without personal detail


class DecisionRow(Row, table=True):
    """One person's vote on one version of one proposal. Written once."""

    __tablename__ = "decisions"
    __table_args__ = (
        one_of("verdict", VERDICTS),
        ForeignKeyConstraint(["proposal_id", "version"], ["proposals.id", "proposals.version"]),
        Index(None, "person", "decided_at"),
    )

    proposal_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    person: str = Field(primary_key=True)
    verdict: str
    state_hash: str  # of what the person saw
    authority: Tree  # role, limit and way of sign-in, as they were at that moment
    policy_version: str
    policy_rule: str
    note_digest: str | None = None
    decided_at: Moment


class AttemptRow(Row, table=True):
    """One execution of one approved version: persisted before the call, concluded after it.

    While one is unfinished (unknown included) there is no second one on the same object of the same account.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        one_of("state", ATTEMPT_STATES),
        CheckConstraint("state <> 'sent' OR sent_at IS NOT NULL", name="sent_when"),
        CheckConstraint(f"({UNFINISHED}) = (finished_at IS NULL)", name="finished_when"),
        ForeignKeyConstraint(["proposal_id", "version"], ["proposals.id", "proposals.version"]),
        UniqueConstraint("proposal_id", "version", "epoch"),
        UniqueConstraint("idempotency_key"),
        Index("uq_attempts_unfinished", "account", "target_type", "target_id", unique=True,
              **only(UNFINISHED)),
        Index(None, "state", "claimed_until"),
    )  # fmt: skip

    id: str = Field(primary_key=True)
    proposal_id: str
    version: int
    epoch: int  # raised by a person only, after absence was verified
    account: str
    target_type: str  # payment intents are resolved to their charge before they come here
    target_id: str
    idempotency_key: str
    request: Tree  # the exact parameters, without what is personal
    request_digest: str
    state: str = "claimed"
    claim: str  # of whoever works on it: who holds an older one has lost it
    claimed_at: Moment
    claimed_until: Moment  # nobody else touches it before: a lease, or a pause after which to try again
    tries: int = Field(default=0, sa_column_kwargs=at_first("0"))  # how often that pause was needed
    sent_at: MaybeMoment = None  # for the first time: since then the key may be kept
    last_sent_at: MaybeMoment = None  # since then nothing new can be under way
    finished_at: MaybeMoment = None
    object_id: str | None = None
    object_status: str | None = None  # what Stripe said of it: a refund may be pending for days
    replayed: bool = Field(default=False, sa_column_kwargs=at_first("false"))
    absent_at: MaybeMoment = None  # of an unknown one: when it was verified that nothing happened
    request_id: str | None = None
    error: str | None = None


class DismissalRow(Row, table=True):
    """A disagreement that somebody accepted as known. It holds until its material facts change, or its end."""

    __tablename__ = "dismissals"
    __table_args__ = (
        Index("uq_dismissals_holding", "fingerprint", unique=True, **only("ended_at IS NULL")),
    )  # fmt: skip

    id: str = Field(primary_key=True)
    fingerprint: str
    case_id: str = Field(foreign_key="cases.id")
    facts_hash: str
    person: str
    reason: str
    dismissed_at: Moment
    until: MaybeMoment = None
    ended_at: MaybeMoment = None


class OutboxRow(Row, table=True):
    """A callback or notification that has to reach somebody: what, to where, when next, how often tried."""

    __tablename__ = "outbox"
    __table_args__ = (
        one_of("state", DELIVERY_STATES),
        CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_when"),
        Index("ix_outbox_due", "due", **only("state = 'waiting'")),
        Index(None, "topic_kind", "topic_id"),
    )  # fmt: skip

    id: str = Field(primary_key=True)  # sent as webhook-id: the same for every try
    account: str | None = None
    channel: str  # callback, or the name of a [notify] table
    # The host that it goes to, or the channel: whoever is slow delays only what goes there too.
    receiver: str = Field(default="", sa_column_kwargs=at_first("''"))
    address: str | None = None
    token_id: str | None = None  # whose callback: its secret signs it
    topic_kind: str
    topic_id: str
    sequence: Whole  # grows per topic, so that a receiver can put them in order
    body: Tree
    state: str = "waiting"
    due: Moment
    tries: Whole = 0
    created_at: Moment
    delivered_at: MaybeMoment = None
    error: str | None = None


class PolicyRow(Row, table=True):
    """One version of one policy: its text under its content hash. At most one of a name is active."""

    __tablename__ = "policies"
    __table_args__ = (
        Index("uq_policies_active", "name", unique=True, **only("active")),
    )  # fmt: skip

    hash: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    text: str
    active: bool = False
    added_at: Moment
    activated_at: MaybeMoment = None
    activated_by: str | None = None  # empty: it was the configured file when nothing was in force
    confirmed_by: str | None = None  # a second admin; automatic refunds need one


class RequestRow(Row, table=True):
    """What a caller has asked for under a key of its own: asked again, it gets the same answer and nothing new."""

    __tablename__ = "requests"

    principal: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    digest: str  # of what was asked for: the same key for something else is refused
    proposal_id: str
    asked_at: Moment
