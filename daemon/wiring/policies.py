"""Which policy is in force for an account: the active version in the store, or at first the file that is configured."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlmodel import Session

from daemon.core.model import Policy
from daemon.core.policy import read_policy
from daemon.settings import Settings
from daemon.store import journal, policies
from daemon.store.db import Store
from daemon.store.journal import Note

AT_START: Final = "configuration"  # the actor of what nobody had to confirm


class Policies:
    def __init__(self, settings: Settings, store: Store, now: Callable[[], datetime]) -> None:
        """Takes the files of names that have no active version. Raises UnusablePolicy or OSError."""
        self._names = {account.id: account.policy for account in settings.accounts}
        self._lock = threading.Lock()
        self._versions: dict[str, str] = {}  # by name
        self._policies: dict[str, Policy] = {}  # by account
        with store.transaction() as session:
            taken = []
            for name in sorted(set(self._names.values())):
                if policies.active(session, name) is None:
                    taken.append(_take(session, name, settings.policies[name].read_text("utf-8"), now()))
            self.refresh(session)
            journal.append_all(session, taken, now())

    def of(self, account: str) -> Policy:
        """As it applies to this account."""
        return self._policies[account]

    def outdated(self, session: Session) -> bool:
        """Whether another version of any of them is in force by now."""
        found = {name: policies.active(session, name) for name in self._versions}
        return any(version and version.hash != self._versions[name] for name, version in found.items())

    def refresh(self, session: Session) -> Sequence[str]:
        """Reads what is in force now; the accounts for which that has changed."""
        changed = []
        with self._lock:
            for name in sorted(set(self._names.values())):
                version = policies.active(session, name)
                assert version is not None, "a policy once in force is only ever replaced"
                if self._versions.get(name) == version.hash:
                    continue
                policy = read_policy(version.text)
                users = [account for account, used in self._names.items() if used == name]
                self._policies |= {account: policy.for_account(account) for account in users}
                self._versions[name] = version.hash
                changed += users
        return changed


def _take(session: Session, name: str, text: str, now: datetime) -> Note:
    read_policy(text)
    version = policies.add(session, name, text, now)
    policies.activate(session, name, version.hash, now)
    return Note("policy_activated", AT_START, {"policy": name, "version": version.hash, "instead_of": None})
