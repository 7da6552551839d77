"""State metrics: what the database says of now, the same in every replica, so never to be summed over instances.

They are not counted but computed, all at once, by whoever has the database; `metrics.collector` shows them. What
there is none of is shown as 0 where 0 is known, and absent where there is no such moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Snapshot = Mapping[str, Sequence[tuple[tuple[str, ...], float]]]  # by family: label values, and the value


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    help: str
    labels: tuple[str, ...] = ()


SNAPSHOT_AT: Final = Family(
    "reconciled_metrics_snapshot_timestamp_seconds",
    "When the state metrics were last computed from the database.",
)

CASES: Final = Family("reconciled_cases", "Cases by kind and state.", ("kind", "state"))
DISAGREEMENTS: Final = Family(
    "reconciled_disagreements",
    "Disagreements that stand, by the system that Stripe is compared with and by kind.",
    ("system", "kind"),
)
DISAGREEMENT_OLDEST: Final = Family(
    "reconciled_disagreement_oldest_timestamp_seconds",
    "Since when the oldest disagreement stands, by the system that Stripe is compared with.",
    ("system",),
)
ACCOUNT_DISAGREEMENTS: Final = Family(
    "reconciled_account_disagreements", "Disagreements that stand, by account.", ("account",)
)
PROPOSALS: Final = Family("reconciled_proposals", "Proposals that are not over, by state.", ("state",))
PROPOSAL_OLDEST: Final = Family(
    "reconciled_proposal_oldest_timestamp_seconds",
    "Since when the oldest proposal that waits for a decision has waited.",
)
STOPPED: Final = Family(
    "reconciled_actions_stopped", "Stops that are set, for one account or for all; 0: acting goes on."
)
DISPUTES_BY_DEADLINE: Final = Family(
    "reconciled_disputes_by_deadline",
    "Disputes that are open, by how much time is left to answer; every dispute is in one window.",
    ("window",),
)
DISPUTE_NEXT_DEADLINE: Final = Family(
    "reconciled_dispute_next_deadline_timestamp_seconds",
    "The nearest deadline of a dispute that awaits an answer.",
    ("account",),
)
DISPUTES_AWAITING: Final = Family(
    "reconciled_disputes_awaiting_response",
    "Disputes that could be answered and were not.",
    ("account",),
)
LAST_SUCCESS: Final = Family(
    "reconciled_reconcile_last_success_timestamp_seconds",
    "When the account's last complete pass ended; of a class that was never read, when the account was added.",
    ("account",),
)
INTERVAL: Final = Family(
    "reconciled_reconcile_interval_seconds", "How often the account is to be read whole.", ("account",)
)
WATERMARK: Final = Family(
    "reconciled_event_watermark_timestamp_seconds",
    "Everything that events told until then was taken in.",
    ("account",),
)
LAST_EVENT: Final = Family(
    "reconciled_account_last_event_timestamp_seconds",
    "When the newest event that is known of the account was created, by Stripe's clock.",
    ("account",),
)
ACCOUNT_INFO: Final = Family(
    "reconciled_account_info",
    "1 for every configured account; what it is called elsewhere, to be joined with.",
    ("account", "stripe_account_id", "livemode", "mode"),
)
ACCOUNTS: Final = Family(
    "reconciled_accounts",
    "Accounts by how they are: unread (something cannot be read), stale (no complete pass in two intervals), ok.",
    ("state",),
)
QUEUE_SUBJECTS: Final = Family(
    "reconciled_queue_subjects",
    "Subjects on the worklist: ready to be looked at, due later, being looked at, or set aside.",
    ("state",),
)
QUEUE_OLDEST: Final = Family(
    "reconciled_queue_oldest_timestamp_seconds",
    "Since when the subject that waits longest could have been looked at; none: nothing waits.",
)
DEAD_LETTER_OLDEST: Final = Family(
    "reconciled_dead_letter_oldest_timestamp_seconds",
    "Since when the subject that was set aside first lies there; none: there is none.",
)
DELIVERIES: Final = Family(
    "reconciled_undelivered", "Callbacks and notifications that have not arrived, by state.", ("state",)
)

STATE: Final = (
    CASES, DISAGREEMENTS, DISAGREEMENT_OLDEST, ACCOUNT_DISAGREEMENTS, PROPOSALS, PROPOSAL_OLDEST, STOPPED,
    DISPUTES_BY_DEADLINE, DISPUTE_NEXT_DEADLINE, DISPUTES_AWAITING, LAST_SUCCESS, INTERVAL, WATERMARK, LAST_EVENT,
    ACCOUNT_INFO, ACCOUNTS, QUEUE_SUBJECTS, QUEUE_OLDEST, DEAD_LETTER_OLDEST, DELIVERIES,
)  # fmt: skip

WINDOWS: Final = ("overdue", "lt_24h", "lt_72h", "lt_7d", "later", "unknown", "no_response_possible")
ACCOUNT_STATES: Final = ("ok", "stale", "unread")
QUEUE_STATES: Final = ("ready", "later", "taken", "dead")
