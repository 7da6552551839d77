"""What a key has turned out not to open: per account and resource, never more, and forgotten when it opens.

A missing permission pauses one resource of one account and is tried again now and then. A key that Stripe no
longer knows is not used again at all; a new key begins with a clean sheet.
"""

import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

from accounts.errors import Forbidden, Unauthorized
from metrics.catalog import account_key_usable

RETRY_S = 900.0  # a permission is added by a person; four needless reads an hour are nothing beside the rest


@dataclass(frozen=True, slots=True)
class Missing:
    """One resource that the key may not read."""

    resource: str
    permissions: tuple[str, ...]  # any one of them would do
    sentence: str


class Permissions:
    """The state of one account's key. Safe for any number of threads."""

    def __init__(self, account: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.account = account
        self._clock = clock
        self._lock = threading.Lock()
        self._missing: dict[str, tuple[Forbidden, float]] = {}
        self._stopped: Unauthorized | None = None

    def admit(self, resource: str) -> None:
        """Raises what is known to come of asking, without asking. Whoever is due to try again passes."""
        with self._lock:
            if self._stopped is not None:
                raise copy(self._stopped)
            known = self._missing.get(resource)
            if known is None:
                return
            forbidden, retry_at = known
            if self._clock() < retry_at:
                raise copy(forbidden)
            self._missing[resource] = (forbidden, self._clock() + RETRY_S)  # one tries, the others wait

    def admits(self, resource: str) -> bool:
        """The same as a question."""
        try:
            self.admit(resource)
        except Forbidden:
            return False
        return True

    def refused(self, resource: str, forbidden: Forbidden) -> None:
        with self._lock:
            self._missing[resource] = (forbidden, self._clock() + RETRY_S)

    def granted(self, resource: str) -> None:
        if resource in self._missing:
            with self._lock:
                self._missing.pop(resource, None)

    def stop(self, unauthorized: Unauthorized) -> None:
        """Stripe does not know the key any more."""
        with self._lock:
            self._stopped = unauthorized
        account_key_usable.labels(self.account).set(0)

    @property
    def usable(self) -> bool:
        return self._stopped is None

    def missing(self) -> tuple[Missing, ...]:
        """What to tell a person, by name of the resource."""
        with self._lock:
            known = sorted(self._missing.items())
        return tuple(Missing(name, error.permissions, str(error)) for name, (error, _) in known)
