"""Whether an approval still holds at the moment in which it is about to be used."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.core.approval import limits
from daemon.core.approval.matrix import AUTOMATIC
from daemon.desk.ground import Ground
from daemon.store import decisions, spending
from daemon.store.decisions import money_of


def why_not(session: Session, ground: Ground, row: Row[Any], now: datetime) -> str | None:
    """A sentence why it no longer holds: a voter lost the right, the policy asks for more, the day's limit is used up.

    The row is held by whoever asks.
    """
    policy = ground.policy_of(row.account)
    quorum = decisions.quorum(session, row, policy)
    if row.approvals_needed == AUTOMATIC and not quorum.reached:
        return "The policy no longer approves this by itself."
    if not quorum.reached:
        return (
            f"{quorum.have} of {quorum.need.approvers} approvals still count: somebody who approved it has lost the "
            f"right to, or the policy asks for more ({quorum.need.rule})."
        )
    # In the day in which it was approved: one that is done after midnight takes nothing from the day that begins.
    approved_at = [vote.decided_at for vote in decisions.votes(session, row.id, row.version)]
    day = limits.day_of(max(approved_at, default=row.created_at), ground.timezone)
    of_account = (f"Account {row.account}", spending.by_account(session, row.account, day, but=row.id))
    daily = decisions.limits_now(session, row, policy)
    objection = limits.of_day(daily, money_of(row), person=("", {}), account=of_account)
    return None if objection is None else objection.sentence
