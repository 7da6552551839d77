"""What a rule says: this should stand as a case; look again then; this could not be judged."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from msgspec.json import encode

from accounts.facts import Subject
from accounts.money import Money
from daemon.core.canonical import Json, digest
from daemon.core.model.account import AccountFacts
from daemon.core.model.derived import derived
from daemon.core.model.kinds import Direction, Due, Kind, Severity, Source, System

FINGERPRINT_VERSION = "v1"  # another one would make every case a new case


class Side(NamedTuple):
    """One system's part in a disagreement: where it was read, and which objects say it; none where none is there."""

    source: Source
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the systems say differently. A system that says nothing about it is left out."""

    field: str
    says: Mapping[System, Json]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """An action with its exact parameters, as the surface names them."""

    action: str
    details: Mapping[str, Json]
    # Which details people fill with personal detail: whoever stores them keeps these in the encrypted side table.
    personal: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """What should stand as a case while things are as they are: a disagreement, a risk, a request, an alarm.

    Titles and facts are made of ids, plans, states and amounts, never of names or addresses, and never of the
    time that has passed: what a second look would write differently would be written again and again.
    """

    kind: Kind
    subject: Subject
    per: tuple[str, str]  # that of which there is one case: (type, id), such as (dispute, dp_1)
    title: str
    severity: Severity = Severity.NORMAL
    sides: tuple[Side, ...] = ()  # for `settle`, and for the ids that the case is about
    also_about: tuple[str, ...] = ()
    # The material facts, by who says them: a dismissal is bound to these.
    facts: Mapping[System, Mapping[str, Json]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    odd_one_out: System | None = None  # None: nobody can say
    amount: Money | None = None  # at risk
    direction: Direction | None = None
    due_at: datetime | Due | None = None
    settled_from: datetime | None = None  # a change that no object shows: access that ran out by itself
    recommended: Recommendation | None = None
    drafts: tuple[Recommendation, ...] = ()  # a message per channel, a CRM task, an evidence narrative
    bucket: str | None = None  # of a failed payment
    decided_by: str | None = None  # the rule inside the rule: which line of a classification or an escalation
    escalated_by: str | None = None
    notes: Mapping[str, Json] = field(default_factory=dict)  # shown, and not material
    # What would have been used beside, for drafts and escalation, and was not read: until it is, a case that stands
    # keeps what it says, unless its facts or its deadline change.
    without: tuple[Source, ...] = ()

    @derived
    def object_ids(self) -> tuple[str, ...]:
        """The bare ids of everything that it is about."""
        of_sides = [one for side in self.sides for one in side.ids]
        return tuple(dict.fromkeys([self.subject.id, *of_sides, *self.also_about]))

    @derived
    def facts_hash(self) -> str:
        return digest({system.value: said for system, said in self.facts.items()}).hex()

    def fingerprint(self, account: AccountFacts) -> str:
        return fingerprint(account.livemode, account.stripe_account, self.kind, *self.per)

    def digest(self, policy_version: str) -> str:
        """Over all that the loop writes of it. Equal digests: nothing is to be written.

        It is compared with what the same program wrote, so it needs no spelling that outlives it; see `facts_hash`.
        """
        due: Json = self.due_at.isoformat() if isinstance(self.due_at, datetime) else None
        said = encode(
            {
                "subject": self.subject,
                "title": self.title,
                "severity": self.severity.value,
                "ids": self.object_ids,
                "facts": self.facts_hash,
                "differences": [
                    {"field": each.field, "says": {system.value: said for system, said in each.says.items()}}
                    for each in self.differences
                ],
                "odd_one_out": self.odd_one_out.value if self.odd_one_out else None,
                "amount": [self.amount.amount_minor, self.amount.currency] if self.amount else None,
                "direction": self.direction.value if self.direction else None,
                "due": self.due_at.value if isinstance(self.due_at, Due) else due,
                "recommended": _action(self.recommended) if self.recommended else None,
                "drafts": [_action(each) for each in self.drafts],
                "bucket": self.bucket,
                "decided_by": self.decided_by,
                "escalated_by": self.escalated_by,
                "notes": self.notes,
                "policy": policy_version,
            },
            order="sorted",
        )
        return hashlib.sha256(said).hexdigest()


class LookAgain(NamedTuple):
    """From this moment on, time alone may change what the rule says."""

    at: datetime


class Unread(NamedTuple):
    """For this subject the rule needs a source that was not read; whatever else it says is void."""

    source: Source


Found = Disagreement | LookAgain | Unread


def fingerprint(livemode: bool, stripe_account: str, kind: str, per_kind: str, per_id: str) -> str:
    """Which case it is: never over amounts, times, texts, or names that an operator may change."""
    mode = "live" if livemode else "test"
    text = "|".join((FINGERPRINT_VERSION, mode, stripe_account, kind, per_kind, per_id))
    return hashlib.sha256(text.encode()).hexdigest()


def _action(recommended: Recommendation) -> Json:
    return {"action": recommended.action, "details": recommended.details}
