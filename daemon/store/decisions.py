"""Decisions: who voted what on which version, and whether that is enough. Written once, never changed.

A vote counts for as long as whoever gave it could give it today: not disabled, in the role, on the account. So what
was approved by somebody who has lost the right since is not approved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal

from sqlalchemy import Row, insert, select
from sqlmodel import Session

from accounts.money import Money
from daemon.core.approval import limits
from daemon.core.approval.matrix import AUTOMATIC, Need, auto_line, need_of, stricter
from daemon.core.canonical import Json
from daemon.core.model import Limits, Policy
from daemon.core.policy import read_policy
from daemon.store import people
from daemon.store.tables import table

DECISIONS = table("decisions")
POLICIES = table("policies")

POLICIES_REMEMBERED: Final = 32  # versions; each takes some milliseconds to read
SOLO: Final = "solo"  # in a vote's authority: the maker's own, for want of anybody else

Verdict = Literal["approve", "reject", "request_changes"]


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many votes count now, of how many that are needed."""

    have: int
    need: Need
    voters: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        return self.have >= self.need.approvers


def votes(session: Session, proposal_id: str, version: int | None = None) -> Sequence[Row[Any]]:
    """On one version, or on all of them, in the order in which they were given."""
    query = select(DECISIONS).where(DECISIONS.c.proposal_id == proposal_id)
    if version is not None:
        query = query.where(DECISIONS.c.version == version)
    return session.execute(query.order_by(DECISIONS.c.decided_at, DECISIONS.c.person)).all()


def vote_of(session: Session, proposal_id: str, version: int, person: str) -> Row[Any] | None:
    mine = (DECISIONS.c.version == version, DECISIONS.c.person == person)
    return session.execute(select(DECISIONS).where(DECISIONS.c.proposal_id == proposal_id, *mine)).first()


def cast(
    session: Session,
    row: Row[Any],
    *,
    person: str,
    verdict: Verdict,
    state_hash: str,
    authority: Json,
    policy: Policy,
    rule: str,
    note_digest: str | None,
    now: datetime,
) -> None:
    session.execute(
        insert(DECISIONS).values(
            proposal_id=row.id,
            version=row.version,
            person=person,
            verdict=verdict,
            state_hash=state_hash,
            authority=authority,
            policy_version=policy.version,
            policy_rule=rule,
            note_digest=note_digest,
            decided_at=now,
        )
    )


def money_of(row: Row[Any]) -> Money | None:
    return None if row.amount is None else Money(row.amount, row.currency)


def need_now(session: Session, row: Row[Any], policy: Policy) -> Need:
    """What this version needs: the stricter of what it was proposed under and of what is in force."""
    money = money_of(row)
    now = need_of(policy, row.action, row.account, money)
    if row.policy_version == policy.version or row.approvals_needed == AUTOMATIC:
        return now
    text = _text_of(session, row)
    if text is None:
        return stricter(Need(row.approvals_needed, now.roles, row.policy_rule), now)
    return stricter(need_of(_read(text), row.action, row.account, money), now)


def limits_now(session: Session, row: Row[Any], policy: Policy) -> Limits:
    """The daily limits that hold for this version: in each currency the lower of then and now."""
    text = None if row.policy_version == policy.version else _text_of(session, row)
    if text is None:
        return policy.limits
    return limits.stricter(_read(text).for_account(row.account).limits, policy.limits)


def quorum(session: Session, row: Row[Any], policy: Policy) -> Quorum:
    """How far this version's approval has come, counted anew."""
    if row.approvals_needed == AUTOMATIC:
        return _automatic(session, row, policy)
    need = need_now(session, row, policy)
    counted, solo = [], False
    for vote in votes(session, row.id, row.version):
        if vote.verdict == "approve" and _counts(session, vote, row, need):
            counted.append(vote.person)
            solo = solo or bool(vote.authority.get(SOLO))
    if solo:
        need = Need(1, need.roles, need.rule)
    return Quorum(len(counted), need, tuple(counted))


def policy_in_force(session: Session, row: Row[Any]) -> Policy:
    """The active version of the policy that this was proposed under, for those who only read."""
    under = select(POLICIES.c.name).where(POLICIES.c.hash == row.policy_version).limit(1).scalar_subquery()
    text = session.scalar(
        select(POLICIES.c.text).where(POLICIES.c.name == under, POLICIES.c.active.is_(True))
    )
    return (Policy() if text is None else _read(text)).for_account(row.account)


def two_admins_agreed(session: Session, policy: Policy) -> bool:
    """Whether a second admin confirmed this version of the policy."""
    confirmed = select(POLICIES.c.confirmed_by).where(
        POLICIES.c.hash == policy.version, POLICIES.c.active.is_(True), POLICIES.c.confirmed_by.is_not(None)
    )
    return session.scalar(confirmed.limit(1)) is not None


def _text_of(session: Session, row: Row[Any]) -> str | None:
    """The policy under which this version was proposed."""
    found = session.scalar(select(POLICIES.c.text).where(POLICIES.c.hash == row.policy_version).limit(1))
    return None if found is None else str(found)


def _automatic(session: Session, row: Row[Any], policy: Policy) -> Quorum:
    """Approved by the policy: that holds while the policy still says so."""
    found = auto_line(policy, row.action, row.account, money_of(row))
    if found is not None and (row.amount is None or two_admins_agreed(session, policy)):
        return Quorum(0, Need(AUTOMATIC, (), found[0]))
    return Quorum(0, need_of(policy, row.action, row.account, money_of(row)))


def _counts(session: Session, vote: Row[Any], row: Row[Any], need: Need) -> bool:
    person = people.one(session, vote.person)
    if person is None or person.disabled_at is not None:
        return False
    allowed = person.role in need.roles and person.sees(row.account)
    allowed = allowed and limits.reach(person.limits, money_of(row))
    return allowed and (vote.person not in row.makers or bool(vote.authority.get(SOLO)))


@lru_cache(POLICIES_REMEMBERED)
def _read(text: str) -> Policy:
    return read_policy(text)
