"""A CRM or a product says that a row has changed: it is read again, and whoever it is about is looked at again."""

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.approval.principal import Principal
from daemon.desk.refusals import Refusal
from daemon.observe.landscape import Cartographer
from daemon.observe.owners import CUSTOMER
from daemon.store import passes, records, worklist
from daemon.store.db import Store


class Pushing:
    def __init__(
        self,
        store: Store,
        cartographer: Cartographer,
        *,
        note: Callable[[Session, str, str], None],
        wake_source: Callable[[str], None],
        wake: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        """`note` remembers a row of a source to be read; the wakes say that something is, there or in an account."""
        self._store = store
        self._cartographer = cartographer
        self._note = note
        self._wake_source = wake_source
        self._wake = wake
        self._now = now

    def look_again(self, who: Principal, source: str, key: str) -> int:
        """How many are looked at again at once: none for a row that we do not know before it is read.

        Raises Refusal for a source that no account has which this principal may see.
        """
        with self._store.transaction() as session:
            landscape = self._cartographer.landscape(session)
            of_crm, of_product = landscape.users_of_crm(source), landscape.users_of_entitlements(source)
            users = {each.slug for each in (*of_crm, *of_product) if who.sees(each.slug)}
            if not users:
                raise Refusal(
                    "unknown_source", f"No account of yours has a CRM or product called {source[:60]}."
                )
            named = [passes.crm(source)] * bool(of_crm) + [passes.entitlements(source)] * bool(of_product)
            for each in named:
                self._note(session, each, key)
            marked = set()
            for row in records.of_key(session, source, key):
                for account in landscape.meant(row.stripe_account, sorted(users)):
                    if account in users and row.stripe_customer is not None:
                        marked.add(Subject(account, CUSTOMER, row.stripe_customer))
            worklist.mark(session, marked, self._now())
        for each in named:
            self._wake_source(each)
        for account in sorted({each.account for each in marked}):
            self._wake(account)
        return len(marked)
