"""The kill switch: an admin, or whoever stands at the machine, stops all acting at once, and lets it go on."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from daemon.core.approval.principal import OWNER_ID, Principal
from daemon.core.canonical import Json
from daemon.desk.authority import authority
from daemon.desk.refusals import Refusal
from daemon.store import journal, stops
from daemon.store.db import Store
from daemon.store.journal import Note
from daemon.store.stops import EVERYWHERE, Stop


class Switch:
    def __init__(self, store: Store, now: Callable[[], datetime], accounts: Collection[str]) -> None:
        self._store = store
        self._now = now
        self._accounts = accounts

    def off(self, who: Principal, account: str | None = None) -> bool:
        """Stops acting, everywhere or in one account; whether it was not stopped before."""
        return self._flip(who, account, on=False)

    def on(self, who: Principal, account: str | None = None) -> bool:
        """Lets acting go on; whether it was stopped."""
        return self._flip(who, account, on=True)

    def stops(self, who: Principal) -> Mapping[str, Stop]:
        """Where it is stopped, as far as one may see; under an empty name: everywhere."""
        with self._store.reading() as session:
            found = stops.stops(session)
        return {
            account: stop for account, stop in found.items() if account == EVERYWHERE or who.sees(account)
        }

    def _flip(self, who: Principal, account: str | None, *, on: bool) -> bool:
        where = account if account is not None else EVERYWHERE
        self._require(who, where)
        with self._store.transaction() as session:
            now = self._now()
            changed = stops.go_on(session, where) if on else stops.stop(session, where, who.name, now)
            if changed:
                kind = "acting_resumed" if on else "acting_stopped"
                body: dict[str, Json] = {"authority": authority(who)}
                journal.append(session, Note(kind, who.name, body, account=account), now)
        return changed

    def _require(self, who: Principal, where: str) -> None:
        if where != EVERYWHERE and (where not in self._accounts or not who.sees(where)):
            raise Refusal("unknown_account", f"There is no account “{where[:60]}”.")
        if who.role != OWNER_ID and (who.role != "admin" or who.person is None):
            raise Refusal("role", "Only an admin stops acting, or lets it go on.")
        if where == EVERYWHERE and who.accounts is not None:
            raise Refusal(
                "role", "Only an admin of all accounts stops all of them; name yours with --account."
            )
