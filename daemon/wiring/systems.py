"""The other systems, as looks, polls and sweeps ask them: opened when first needed, and kept."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from copy import copy
from datetime import datetime, timedelta
from typing import Final

import httpx

from accounts.budget import ReadBudget
from accounts.configuration import SecretUnreadable
from accounts.crm import Crm, open_crm
from accounts.entitlements import Entitlements, open_entitlements
from accounts.errors import ObservationError, Unreachable
from accounts.facts import Address
from accounts.registry import Account, KeyOwner, KeyRefused
from accounts.stripe.connection import open_client
from accounts.stripe.reads import Reader
from daemon.actions.shape import Hands
from daemon.observe.asking import KeyUnreadable
from daemon.settings import Settings
from daemon.wiring import Outside
from daemon.wiring.acting import Acting

TRY_AGAIN_AFTER: Final = timedelta(seconds=60)  # a key that does not work is mended by a person
TRY_AGAIN_SOON: Final = timedelta(seconds=2)  # a connection that broke mends itself

Known = Callable[[str], Address | None]


class Systems:
    """Stripe, every CRM and every product of the settings. Safe for any number of threads."""

    def __init__(
        self, settings: Settings, outside: Outside, known: Known, now: Callable[[], datetime]
    ) -> None:
        """`known` gives an object that was read of an account before, by which its key can be proven."""
        self._settings = settings
        self._outside = outside
        self._known = known
        self._now = now
        self._accounts = {account.id: account for account in settings.accounts}
        self._locks = {account.id: threading.Lock() for account in settings.accounts}
        self._sources = threading.Lock()
        self._clients: dict[str, httpx.Client] = {}
        self._readers: dict[str, Reader] = {}
        self._refused: dict[str, tuple[ObservationError, datetime]] = {}
        self._budgets: dict[KeyOwner, ReadBudget] = {}
        self._crms: dict[str, Crm] = {}
        self._products: dict[str, Entitlements] = {}
        self._open = ExitStack()
        self.acting = Acting(settings, outside, known, self.budget, now)

    def hands(self, account: str, *, writing: bool = False) -> Hands:
        """What an action may touch: to look with the read key, or to look and act with the act_key.

        Raises the ObservationError that says why not.
        """
        own = self._accounts[account]
        grip = self.acting.grip(account) if writing else None
        return Hands(
            reader=grip.reader if grip else self.reader(account),
            now=self._now(),
            writer=grip.writer if grip else None,
            crm=self.crm(own.crm) if own.crm else None,
            entitlements=self.entitlements(own.entitlements) if own.entitlements else None,
        )

    def reader(self, account: str) -> Reader:
        """Reads the account with a key that is proven to be its. Raises why it cannot be, without asking each time."""
        with self._locks[account]:
            refused = self._refused.get(account)
            if refused is not None and self._now() < refused[1]:
                raise copy(refused[0])
            reader = self._readers.get(account)
            if reader is not None and refused is None:
                return reader
            try:
                reader = self._readers[account] = self._open_reader(self._accounts[account])
            except ObservationError as problem:
                passing = isinstance(problem, Unreachable)
                again = TRY_AGAIN_SOON if passing else TRY_AGAIN_AFTER
                self._refused[account] = (problem, self._now() + again)
                raise
            self._refused.pop(account, None)
            return reader

    def doubt(self, account: str, problem: ObservationError) -> None:
        """The key was good and is no more: it is read and proven again, but not at once."""
        with self._locks[account]:
            self._refused[account] = (problem, self._now() + TRY_AGAIN_AFTER)

    def crm(self, name: str) -> Crm:
        with self._sources:
            if name not in self._crms:
                crm = open_crm(name, self._settings.crm[name], now=self._now)
                self._open.callback(crm.close)
                self._crms[name] = crm
            return self._crms[name]

    def entitlements(self, name: str) -> Entitlements:
        with self._sources:
            if name not in self._products:
                product = open_entitlements(name, self._settings.entitlements[name], now=self._now)
                self._open.callback(product.close)
                self._products[name] = product
            return self._products[name]

    def budget(self, owner: KeyOwner) -> ReadBudget:
        """Of a key's owner; a platform's accounts share one."""
        with self._sources:
            if owner not in self._budgets:
                self._budgets[owner] = self._outside.budget(owner)
            return self._budgets[owner]

    def close(self) -> None:
        self.acting.close()
        for budget in self._budgets.values():
            budget.flush()
        self._open.close()

    def _open_reader(self, account: Account) -> Reader:
        try:
            key = self._settings.registry().key(account)
        except (SecretUnreadable, KeyRefused) as problem:
            raise KeyUnreadable(f"The read key cannot be used: {problem}.", account=account.id) from None
        assert key is not None, "an account without a read key is refused with the configuration"
        if account.id not in self._clients:
            self._clients[account.id] = self._open.enter_context(open_client())
        http = self._clients[account.id]
        connection = self._outside.connection(account, key, self.budget(key.owner), http)
        return self._outside.reader(account, connection, self._known(account.id))
