"""The desk itself: one verb for each thing that can be decided about a case, safe for any number of threads."""

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
from daemon.desk.lines import said
from daemon.desk.outcome import Outcome
from daemon.desk.refusals import unknown_case
from daemon.desk.request import Execution, Request, Staged
from daemon.desk.voting import Ballot
from daemon.desk.waiting import Changes
from daemon.observe.landscape import Cartographer
from daemon.settings import Settings
from daemon.store import proposals
from daemon.store.db import Store
from daemon.store.idling import acts_of
from daemon.store.personal import Seal
from daemon.views import gate as asked_at_gate


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
            acts=acts_of(settings),
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
        return said("stage", who, lambda: staging.stage(self.ground, who, request, key))

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
        asked = (case_id, action, details, justification, execution, version)
        return said("propose", who, lambda: proposing.propose(self.ground, who, *asked))

    def approve(
        self,
        who: Principal,
        case_id: str,
        version: int,
        state_hash: str,
        note: str | None = None,
        details: Mapping[str, Json] | None = None,
    ) -> Outcome:
        ballot = Ballot(case_id, version, "approve", state_hash, note, details)
        return said("approve", who, lambda: voting.approve(self.ground, who, ballot))

    def reject(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        ballot = Ballot(case_id, version, "reject", note=note)
        return said("reject", who, lambda: voting.turn_down(self.ground, who, ballot))

    def request_changes(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        ballot = Ballot(case_id, version, "request_changes", note=note)
        return said("request-changes", who, lambda: voting.turn_down(self.ground, who, ballot))

    def withdraw(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        return said("withdraw", who, lambda: undoing.withdraw(self.ground, who, case_id, version, note))

    def revoke(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        return said("revoke", who, lambda: undoing.revoke(self.ground, who, case_id, version, note))

    def retry(self, who: Principal, case_id: str, version: int, note: str | None = None) -> Outcome:
        return said("retry", who, lambda: undoing.retry(self.ground, who, case_id, version, note))

    def assign(self, who: Principal, case_id: str, to: str | None) -> Outcome:
        return said("assign", who, lambda: caring.assign(self.ground, who, case_id, to))

    def snooze(self, who: Principal, case_id: str, until: datetime | None) -> Outcome:
        return said("snooze", who, lambda: caring.snooze(self.ground, who, case_id, until))

    def comment(self, who: Principal, case_id: str, text: str) -> Outcome:
        return said("comment", who, lambda: caring.comment(self.ground, who, case_id, text))

    def dismiss(self, who: Principal, case_id: str, reason: str, until: datetime | None = None) -> Outcome:
        return said("dismiss", who, lambda: caring.dismiss(self.ground, who, case_id, reason, until))

    def release(self, who: Principal, case_id: str) -> Outcome:
        return said("release", who, lambda: caring.release(self.ground, who, case_id))

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
            shown = views.approval(session, self.ground.seal, row, self.ground.public_url)
            return shown | {"waits_because": views.waits_because(session, row, self.ground.why_idle)}

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
