"""A product's own table of entitlements, in any database that SQLAlchemy speaks to."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from accounts.entitlements.configuration import EntitlementSql
from accounts.entitlements.shape import ENTITLEMENT_SHAPE
from accounts.errors import Refused
from accounts.facts import Entitlement
from accounts.sources import Page
from accounts.sources.sql import SqlRows, change_parameters

NEEDED = ("stripe_customer", "status")  # columns without which no entitlement can be compared


class SqlEntitlements:
    def __init__(self, source: str, product: EntitlementSql, *, now: Callable[[], datetime]) -> None:
        self._source = source
        self._write = product.write
        self._rows = SqlRows(source, product, NEEDED, ENTITLEMENT_SHAPE, now=now)
        self.per_account = self._rows.per_account
        self.reads_one = product.read is not None
        self.updates = product.write.update is not None
        self.inserts = product.write.insert is not None

    def pages(
        self, stripe_account: str, *, afresh: bool = False, kept: bool = True
    ) -> Iterator[Page[Entitlement]]:
        return self._rows.pages(stripe_account)  # a query is always afresh

    def entitlement(self, key: str, stripe_account: str) -> Entitlement | None:
        return self._rows.one(key, stripe_account)

    def update(self, entitlement: Entitlement, changes: Mapping[str, object]) -> None:
        statement = self._write.update
        if statement is None:
            raise Refused(
                f"{self._source}: it cannot be written to; configure write.update.", code="read_only"
            )
        self._rows.write(statement, change_parameters(self._source, statement, asdict(entitlement), changes))

    def insert(self, entitlement: Entitlement) -> None:
        if self._write.insert is None:
            raise Refused(f"{self._source}: it takes nothing new; configure write.insert.", code="read_only")
        self._rows.write(self._write.insert, asdict(entitlement))

    def close(self) -> None:
        """Nothing is held open between questions."""
