"""What every verb of the desk stands on: the store, the accounts, the policy in force, and eyes on the world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlmodel import Session
from structlog.contextvars import bind_contextvars

from accounts.callbacks import Allowed
from accounts.facts import Subject
from accounts.registry import Account
from daemon.actions.shape import Action, Hands, Place
from daemon.core.approval import roles
from daemon.core.approval.principal import Principal
from daemon.core.approval.roles import Verb
from daemon.core.model import Policy
from daemon.desk.refusals import Refusal, refused, unknown_case
from daemon.desk.waiting import Changes
from daemon.observe.landscape import Cartographer, Land
from daemon.settings import Approvals
from daemon.store import proposals, queue
from daemon.store.db import Store
from daemon.store.idling import Acts, why_idle
from daemon.store.personal import Seal


@dataclass(frozen=True, slots=True)
class Ground:
    store: Store
    seal: Seal
    accounts: Mapping[str, Account]  # by slug
    acts: Mapping[str, Acts]  # by slug: what keeps us from acting there
    approvals: Approvals
    callbacks: Allowed
    timezone: ZoneInfo
    public_url: str  # where people decide
    cartographer: Cartographer
    hands: Callable[[str], Hands]  # for reading alone
    policy_of: Callable[[str], Policy]
    actions: Mapping[str, Action]
    now: Callable[[], datetime]
    wake: Callable[[str, str], None]
    changes: Changes

    def account(self, who: Principal, slug: str) -> Account:
        """One that this person may see."""
        account = self.accounts.get(slug)
        if account is None or not who.sees(slug):
            raise Refusal("unknown_account", f"There is no account “{slug[:60]}”, or not for you.")
        return account

    def why_idle(self, session: Session, account: str) -> str | None:
        """Why nothing that is approved is done there at the moment, as a sentence; None where it is."""
        return why_idle(session, self.acts, account)

    def land(self, session: Session, account: str) -> Land:
        return self.cartographer.landscape(session).lands[account]

    def place(self, account: Account, subject: Subject | None = None) -> Place:
        return Place(account.id, account.stripe_account, account.livemode, subject)

    def case(self, session: Session, who: Principal, case_id: str, *, held: bool = True) -> Row[Any]:
        """A case that this person may see; held, unless one only wants to know."""
        found = None
        if case_id.isprintable():  # what holds a NUL is no text to a database
            found = proposals.hold(session, case_id) if held else queue.one(session, case_id)
        if found is None or not who.sees(found.account) or found.account not in self.accounts:
            raise unknown_case()
        subject = f"{found.subject_kind} {found.subject_id}"
        bind_contextvars(account=found.account, case=found.id, subject=subject)
        return found


def require(who: Principal, verb: Verb) -> None:
    objection = roles.objection(who, verb)
    if objection is not None:
        raise refused(objection)


def subject_of(case: Row[Any]) -> Subject:
    return Subject(case.account, case.subject_kind, case.subject_id)
