"""The hands that act: the act_key of each account, read and proven when something is to be done, and kept here only."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from accounts.budget import ReadBudget
from accounts.configuration import SecretUnreadable
from accounts.errors import ObservationError, Unreachable, WrongAccount
from accounts.facts import Address
from accounts.limits import Limiter
from accounts.registry import Account, KeyOwner, KeyRefused
from accounts.stripe.connection import open_client
from accounts.stripe.identity import prove
from accounts.stripe.permissions import Permissions
from accounts.stripe.reads import Reader
from accounts.stripe.writes import WriteClient, Writer
from daemon.observe.asking import KeyUnreadable
from daemon.settings import Settings
from daemon.wiring import Outside
from metrics.catalog import invariant_violations

TRY_AGAIN_AFTER: Final = timedelta(seconds=60)  # a key that does not work is mended by a person
TRY_AGAIN_SOON: Final = timedelta(seconds=2)  # a connection that broke mends itself

Known = Callable[[str], Address | None]


@dataclass(frozen=True, slots=True)
class Grip:
    """Reads and writes one account, both with its act_key: what is read is what that key will change."""

    reader: Reader
    writer: Writer


class Acting:
    """Safe for any number of threads; an account whose key cannot be had keeps no other waiting."""

    def __init__(
        self,
        settings: Settings,
        outside: Outside,
        known: Known,
        budget: Callable[[KeyOwner], ReadBudget],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._outside = outside
        self._known = known
        self._budget = budget
        self._now = now
        self._accounts = {account.id: account for account in settings.accounts}
        self._locks = {account.id: threading.Lock() for account in settings.accounts}
        self._grips: dict[str, Grip] = {}
        self._refused: dict[str, tuple[ObservationError, datetime]] = {}
        self._opening = threading.Lock()
        self._open = ExitStack()

    def grip(self, account: str) -> Grip:
        """Raises an ObservationError that says why there is none, without asking each time."""
        with self._locks[account]:
            refused = self._refused.get(account)
            if refused is not None and self._now() < refused[1]:
                raise copy(refused[0])
            if account not in self._grips or refused is not None:
                try:
                    self._grips[account] = self._proven(self._accounts[account])
                except ObservationError as problem:
                    self._refuse(account, problem)
                    raise
                self._refused.pop(account, None)
            return self._grips[account]

    def doubt(self, account: str, problem: ObservationError) -> None:
        """The key was good and is no more: it is read and proven again, but not at once."""
        with self._locks[account]:
            self._refuse(account, problem)

    def close(self) -> None:
        self._open.close()

    def _refuse(self, account: str, problem: ObservationError) -> None:
        passing = isinstance(problem, Unreachable)
        self._refused[account] = (problem, self._now() + (TRY_AGAIN_SOON if passing else TRY_AGAIN_AFTER))

    def _proven(self, account: Account) -> Grip:
        try:
            key = self._settings.registry().key(account, "act_key")
        except (SecretUnreadable, KeyRefused) as problem:
            raise KeyUnreadable(f"The act key cannot be used: {problem}.", account=account.id) from None
        if key is None:
            raise KeyUnreadable("There is no act_key, so nothing is executed.", account=account.id)
        limiter = Limiter(account.livemode, account.read_share)
        with self._opening:
            http = self._open.enter_context(open_client())
            writes = WriteClient()
            self._open.callback(writes.close)
        connection = self._outside.connection(account, key, self._budget(key.owner), http, limiter)
        try:
            proven = prove(connection, account.stripe_account, self._known(account.id))
        except WrongAccount:
            invariant_violations.labels("cross_account_key").inc()
            raise
        reader = Reader(connection, proven, Permissions(account.id), self._outside.decoding)
        return Grip(reader, Writer(proven, account.stripe_api, writes, limiter, now=self._now))
