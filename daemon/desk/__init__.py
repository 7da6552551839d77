"""The desk: the only door through which anything is decided. Every face speaks to it, and every check is behind it.

Each verb is one transaction, which ends with what the journal says of it: done and written down, or neither. What is
refused is a Refusal, with a word for programs and a sentence for people. Doing the same again changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlmodel import Session

from accounts.callbacks import Allowed
from daemon import views
from daemon.actions import BY_NAME
from daemon.actions.shape import Action, Hands
from daemon.core.approval.gate import Told
from daemon.core.approval.principal import Principal
from daemon.core.canonical import Json
from daemon.core.model import Policy
from daemon.desk import batch, caring, holding, proposing, staging, undoing, voting
from daemon.desk.ground import Ground, require
from daemon.desk.outcome import Outcome
from daemon.desk.refusals import Refusal, unknown_case
from daemon.desk.request import Execution, Request, Staged
from daemon.desk.voting import Ballot
from daemon.desk.waiting import Changes
from daemon.observe.landscape import Cartographer
from daemon.settings import Settings
from daemon.store import proposals
from daemon.store.db import Store
from daemon.store.personal import Seal
from daemon.views import gate as asked_at_gate

__all__ = ["Desk", "Outcome", "Refusal", "Request", "Staged"]


class Desk:
    """Safe for any number of threads."""

    def __init__(
        self,
        *,
        store: Store,
        seal: Seal,
        settings: Settings,
        cartographer: Cartographer,
        hands: Callable[[str], Hands],
        policy_of: Callable[[str], Policy],
        now: Callable[[], datetime],
        wake: Callable[[str, str], None],
        actions: Mapping[str, Action] = BY_NAME,
    ) -> None:
        self.ground = Ground(
            store=store,
            seal=seal,
            accounts={account.id: account for account in settings.accounts},
            approvals=settings.approvals,
            callbacks=Allowed(settings.callbacks.allow),
            timezone=ZoneInfo(settings.daemon.timezone),
            public_url=str(settings.daemon.public_url or f"http://{settings.daemon.listen}"),
            cartographer=cartographer,
            hands=hands,
            policy_of=policy_of,
            actions=actions,
            now=now,
            wake=wake,
            changes=Changes(),
        )
        self._verbs: Mapping[str, Callable[..., Outcome]] = {
            "approve": self.approve,
            "reject": self.reject,
            "request-changes": self.request_changes,
            "withdraw": self.withdraw,
            "dismiss": self.dismiss,
            "assign": self.assign,
        }

    def stage(self, who: Principal, request: Request, key: str | None = None) -> Staged:
        return staging.stage(self.ground, who, request, key)

    def propose(
        self,
        who: Principal,
        case_id: str,
        action: str | None = None,
        details: Mapping[str, Json] | None = None,
        justification: str | None = None,
        execution: Execution | None = None,
        version: int | None = None,
    ) -> Outcome:
        """A new version; with `version` an edit of exactly that one."""
        return proposing.propose(
            self.ground, who, case_id, action, details, justification, execution, version
        )

    def approve(
        self,
        who: Principal,
        case_id: str,
        version: int,
        state_hash: str,
        note: str | None = None,
        details: Mapping[str, Json] | None = None,
    ) -> Outcome:
        return voting.approve(
            self.ground, who, Ballot(case_id, version, "approve", state_hash, note, details)
        )

    def reject(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        return voting.turn_down(self.ground, who, Ballot(case_id, version, "reject", note=note))

    def request_changes(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        return voting.turn_down(self.ground, who, Ballot(case_id, version, "request_changes", note=note))

    def withdraw(self, who: Principal, case_id: str, version: int) -> Outcome:
        return undoing.withdraw(self.ground, who, case_id, version)

    def revoke(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        return undoing.revoke(self.ground, who, case_id, version, note)

    def retry(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        return undoing.retry(self.ground, who, case_id, version, note)

    def assign(self, who: Principal, case_id: str, to: str | None) -> Outcome:
        return caring.assign(self.ground, who, case_id, to)

    def snooze(self, who: Principal, case_id: str, until: datetime | None) -> Outcome:
        return caring.snooze(self.ground, who, case_id, until)

    def comment(self, who: Principal, case_id: str, text: str) -> Outcome:
        return caring.comment(self.ground, who, case_id, text)

    def dismiss(self, who: Principal, case_id: str, reason: str, until: datetime | None = None) -> Outcome:
        return caring.dismiss(self.ground, who, case_id, reason, until)

    def release(self, who: Principal, case_id: str) -> Outcome:
        return caring.release(self.ground, who, case_id)

    def batch(self, who: Principal, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Json]]:
        """Up to 25 rows of `{verb, case_id, …}`, each for itself; what each has come to, in their order."""
        return batch.each(rows, lambda verb, case_id, given: self._verbs[verb](who, case_id, **given))

    def approval(self, who: Principal, proposal_id: str) -> dict[str, Json]:
        """A proposal as its caller sees it. Raises Refusal where there is none that they may see."""
        require(who, "read")
        with self.ground.store.reading() as session:
            row = proposals.newest(session, proposal_id) if proposal_id.isprintable() else None
            if row is None or not who.sees(row.account):
                raise unknown_case()
            return views.approval(session, self.ground.seal, row, self.ground.public_url)

    def waiting(self, proposal_id: str, timeout_s: float) -> None:
        """Blocks until something may have changed about this proposal, or the time is over."""

        def look() -> tuple[int, str, bool] | None:
            with self.ground.store.reading() as session:
                row = proposals.newest(session, proposal_id)
            if row is None:
                return None
            executable = row.executable_at is not None and row.executable_at <= self.ground.now()
            return row.version, row.state, executable

        first = look()
        if first is not None:
            self.ground.changes.wait_for(look, lambda seen: seen != first, timeout_s)

    def told(self, who: Principal, proposal_id: str) -> Told:
        """The same for a caller at the gate that speaks another language: in its own names."""
        require(who, "read")
        with self.ground.store.reading() as session:
            row = proposals.newest(session, proposal_id) if proposal_id.isprintable() else None
            if row is None or not who.sees(row.account):
                raise unknown_case()
            return asked_at_gate.told(session, self.ground.seal, row)

    def holds(self, session: Session, row: Row[Any], now: datetime) -> str | None:
        """Why an approval no longer holds, as a sentence; None where it does. `row` is held by whoever asks."""
        return holding.why_not(session, self.ground, row, now)

    def changed(self) -> None:
        """To be called when something else has moved a proposal: whoever waits for it looks again."""
        self.ground.changes.tell()
