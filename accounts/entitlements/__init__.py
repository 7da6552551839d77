"""The entitlement store: what the product gives to whom, and the few things that may be changed there.

`type` in the configuration chooses a connector; all of them answer to `Entitlements`. To add one is a file and
a line in CONNECTORS, and one contract test runs over all.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import httpx

from accounts.entitlements.configuration import (
    EntitlementCsv,
    EntitlementHttp,
    EntitlementSource,
    EntitlementSql,
)
from accounts.entitlements.csv import CsvEntitlements
from accounts.entitlements.http import HttpEntitlements
from accounts.entitlements.sql import SqlEntitlements
from accounts.facts import Entitlement
from accounts.sources import Page

__all__ = ["CONNECTORS", "EntitlementSource", "Entitlements", "open_entitlements"]

CONNECTORS = (HttpEntitlements, SqlEntitlements, CsvEntitlements)


class Entitlements(Protocol):
    """Reads raise ObservationErrors, writes raise ActionErrors. Nothing else comes out."""

    per_account: bool  # False: every account is answered the same, so one pass serves all
    reads_one: bool  # whether `entitlement` can be asked; without it, absence takes two complete passes
    updates: bool
    inserts: bool

    def pages(
        self, stripe_account: str, *, afresh: bool = False, kept: bool = True
    ) -> Iterator[Page[Entitlement]]:
        """All of them. Asking for the next page says that this one is kept; `afresh` forgets what was kept.

        Who only looks and keeps nothing says so: `kept` is False, and no later pass builds on this one.
        """

    def entitlement(self, key: str, stripe_account: str) -> Entitlement | None:
        """One of them; None only where the product is known not to have it."""

    def update(self, entitlement: Entitlement, changes: Mapping[str, object]) -> None:
        """Changes these fields of the entitlement that was read. Raises Refused or Uncertain."""

    def insert(self, entitlement: Entitlement) -> None:
        """Gives a new one. Raises Refused or Uncertain."""

    def close(self) -> None: ...


def open_entitlements(
    name: str,
    source: EntitlementSource,
    *,
    now: Callable[[], datetime],
    monotonic: Callable[[], float] = time.monotonic,
    transport: httpx.BaseTransport | None = None,
) -> Entitlements:
    """The connector for [entitlements.NAME]. Connects when it is first asked."""
    known = f"Entitlements {name}"
    match source:
        case EntitlementHttp():
            return HttpEntitlements(known, source, now=now, monotonic=monotonic, transport=transport)
        case EntitlementSql():
            return SqlEntitlements(known, source, now=now)
        case EntitlementCsv():
            return CsvEntitlements(known, source, now=now)
