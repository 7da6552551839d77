"""What people have done or asked for, as far as judgement must know it. All of it is always read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from daemon.core.canonical import Json
from daemon.core.model.kinds import CaseState, Severity, Substate


@dataclass(frozen=True, slots=True)
class LiveProposal:
    """A staged action that is not yet decided, executed or given up."""

    id: str
    version: int
    action: str
    target_type: str
    target_id: str
    requested_by: str
    execution: str  # daemon, caller
    state: str
    created_at: datetime
    details: Mapping[str, Json] = field(default_factory=dict)
    amount_minor: int | None = None
    currency: str | None = None
    expires_at: datetime | None = None
    case_kind: str | None = None  # of the case that it was drafted on; None: it was staged by itself


# A refund that was made, and of which Stripe does not know yet whether it will succeed.
UNSETTLED: Final = frozenset({"pending", "requires_action"})


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt of ours to act, finished or not."""

    proposal_id: str
    version: int
    action: str
    target_type: str
    target_id: str
    state: str  # claimed, sent, unknown, succeeded, failed, outdated
    sent_at: datetime | None = None
    object_id: str | None = None  # what it made
    object_status: str | None = None  # as it was when it was made
    amount_minor: int | None = None
    currency: str | None = None

    def unsettled(self) -> bool:
        """Done, and not settled by Stripe when it was."""
        return self.action == "refund" and self.state == "succeeded" and self.object_status in UNSETTLED


@dataclass(frozen=True, slots=True)
class CallerApproval:
    """An approval whose execution is the caller's own affair; we only look whether it happened as approved."""

    proposal_id: str
    version: int
    action: str
    target_type: str
    target_id: str
    approved_at: datetime
    expires_at: datetime
    details: Mapping[str, Json] = field(default_factory=dict)
    amount_minor: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A case as the store has it: the newest of its fingerprint, resolved or not."""

    id: str
    fingerprint: str
    kind: str
    state: CaseState
    substate: Substate
    severity: Severity
    facts_hash: str
    digest: str  # over all that the loop writes; equal means that nothing is to be written
    due_at: datetime | None = None
    due_unknown: bool = False
    snoozed_until: datetime | None = None
    claimed: bool = False  # an attempt for it is unfinished: it decides first how the case ends
    executed: bool = False  # an attempt for it has succeeded
    waiting: bool | None = None  # something proposed on it is live, as the store has it now; None: not asked


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Somebody accepted a disagreement as known, for exactly these material facts, perhaps until a day."""

    fingerprint: str
    facts_hash: str
    until: datetime | None = None
