"""The CRM: what it has on record about a customer, and the few things that may be changed there.

`type` in the configuration chooses a connector; all of them answer to `Crm`. To add one is a file and a line
in CONNECTORS, and one contract test runs over all.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import httpx

from accounts.crm.configuration import CrmCsv, CrmHttp, CrmSource, CrmSql
from accounts.crm.csv import CsvCrm
from accounts.crm.http import HttpCrm
from accounts.crm.sql import SqlCrm
from accounts.crm.task import Task
from accounts.facts import Record
from accounts.sources import Page

__all__ = ["CONNECTORS", "Crm", "CrmSource", "Task", "open_crm"]

CONNECTORS = (HttpCrm, SqlCrm, CsvCrm)


class Crm(Protocol):
    """Reads raise ObservationErrors, writes raise ActionErrors. Nothing else comes out."""

    per_account: bool  # False: every account is answered the same, so one pass serves all
    reads_one: bool  # whether `record` can be asked; without it, absence takes two complete passes
    updates: bool
    tasks: bool

    def pages(
        self, stripe_account: str, *, afresh: bool = False, kept: bool = True
    ) -> Iterator[Page[Record]]:
        """All records. Asking for the next page says that this one is kept; `afresh` forgets what was kept.

        Who only looks and keeps nothing says so: `kept` is False, and no later pass builds on this one.
        """

    def record(self, key: str, stripe_account: str) -> Record | None:
        """One record; None only where the CRM is known not to have it."""

    def update(self, record: Record, changes: Mapping[str, object]) -> None:
        """Changes these fields of the record that was read. Raises Refused or Uncertain."""

    def add_task(self, task: Task) -> None:
        """Raises Refused or Uncertain."""

    def close(self) -> None: ...


def open_crm(
    name: str,
    source: CrmSource,
    *,
    now: Callable[[], datetime],
    monotonic: Callable[[], float] = time.monotonic,
    transport: httpx.BaseTransport | None = None,
) -> Crm:
    """The connector for [crm.NAME]. Connects when it is first asked."""
    known = f"CRM {name}"
    match source:
        case CrmHttp():
            return HttpCrm(known, source, now=now, monotonic=monotonic, transport=transport)
        case CrmSql():
            return SqlCrm(known, source, now=now)
        case CrmCsv():
            return CsvCrm(known, source, now=now)
