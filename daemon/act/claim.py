"""A claim: one attempt that is ours for a while, with everything that is needed to bring it to an end."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlmodel import Session

from accounts.facts import Subject
from daemon.actions import BY_NAME
from daemon.actions.shape import Action, Asked, BadDetails, Place, Seen, Sent
from daemon.core.canonical import Json, digest
from daemon.store import proposals
from daemon.store.errors import Unsealable
from daemon.store.personal import Seal
from daemon.store.proposals import Erased
from daemon.store.tables import table

CASES = table("cases")
PROPOSALS = table("proposals")


class Hopeless(Exception):
    """It cannot be done as it is, now or later; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What was read when it was claimed. What it says of the attempt is true as long as its token is the newest."""

    id: str
    token: str  # the fence: whoever takes the attempt after us has another
    until: datetime
    attempt: Row[Any]
    proposal: Row[Any]
    subject: Subject  # of the case
    action: Action
    asked: Asked | str  # a sentence, where it cannot be said any more what was asked for

    @property
    def account(self) -> str:
        return str(self.proposal.account)

    @property
    def key(self) -> str:
        return str(self.attempt.idempotency_key)

    @property
    def sent(self) -> Sent:
        at = self.attempt.sent_at or self.attempt.claimed_at
        return Sent(self.proposal.id, at, self.attempt.request)

    def details(self) -> Asked:
        """What was asked for. Raises Hopeless where that cannot be said any more."""
        if isinstance(self.asked, str):
            raise Hopeless(self.asked)
        return self.asked

    def holds_for(self, seen: Seen) -> bool:
        """Whether the world is as it was seen by whoever approved this."""
        same = (seen.target.type, seen.target.id) == (self.proposal.target_type, self.proposal.target_id)
        return same and hash_of(seen.material) == self.proposal.state_hash

    def named(self) -> dict[str, str]:
        """For the log."""
        return {"account": self.account, "case": self.proposal.case_id, "proposal": self.proposal.id}


def hash_of(material: Mapping[str, Json]) -> str:
    """Of the world as an approval depends on it."""
    return digest(material).hex()


def new_token() -> str:
    return secrets.token_hex(8)


def key_of(proposal: Row[Any]) -> str:
    """Derived, so that whoever claims it again sends the same; only a person raises the epoch."""
    return f"rcl:{proposal.id}:v{proposal.version}:e{proposal.epoch}"


def claim_of(session: Session, seal: Seal, attempt: Row[Any]) -> Claim:
    """What this attempt is about. It bears our token already."""
    this = (PROPOSALS.c.id == attempt.proposal_id, PROPOSALS.c.version == attempt.version)
    proposal = session.execute(select(PROPOSALS).where(*this)).one()
    case = session.execute(select(CASES).where(CASES.c.id == proposal.case_id)).one()
    subject = Subject(proposal.account, case.subject_kind, case.subject_id)
    action = BY_NAME[proposal.action]
    return Claim(
        id=attempt.id,
        token=attempt.claim,
        until=attempt.claimed_until,
        attempt=attempt,
        proposal=proposal,
        subject=subject,
        action=action,
        asked=_asked(session, seal, proposal, subject, action),
    )


def _asked(session: Session, seal: Seal, proposal: Row[Any], subject: Subject, action: Action) -> Asked | str:
    place = Place(proposal.account, proposal.stripe_account, proposal.livemode, subject)
    try:
        details: Mapping[str, Json] = proposals.details_of(session, seal, proposal)
        return action.read(details, place)
    except (Erased, Unsealable, BadDetails) as problem:
        return str(problem)
