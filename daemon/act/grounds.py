"""Whether something approved may be done at this moment: asked in the transaction that claims it, or sends it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.actions import BY_NAME
from daemon.store.idling import Acts, why_idle

__all__ = ["Acts", "Grounds", "Holds"]

Holds = Callable[[Session, Row[Any], datetime], str | None]  # why an approval no longer holds, as a sentence


@dataclass(frozen=True, slots=True)
class Grounds:
    accounts: Mapping[str, Acts]
    holds: Holds

    def waits(self, session: Session, row: Row[Any], *, claiming: bool = False) -> str | None:
        """Why it has to wait; None where it need not."""
        return why_idle(session, self.accounts, row.account, claiming=claiming)

    def foreign(self, row: Row[Any]) -> str | None:
        """Why it cannot be meant for the account of this name as it is configured now."""
        account = self.accounts[row.account]
        if (account.stripe_account, account.livemode) == (row.stripe_account, row.livemode):
            return None
        modes = {True: "live", False: "test"}
        return (
            f"It was approved for {row.stripe_account} ({modes[row.livemode]}), and {row.account} is now "
            f"{account.stripe_account} ({modes[account.livemode]}). Nothing was sent."
        )

    def void(self, session: Session, row: Row[Any], now: datetime) -> str | None:
        """Why its approval holds no longer."""
        action = BY_NAME.get(row.action)
        if action is None or action.caller_only:
            return f"“{row.action}” is not executed by us."
        return self.holds(session, row, now)
