"""Entitlements that are exported to a CSV file. It is read whole, never by key, and never written."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from accounts.entitlements.configuration import EntitlementCsv
from accounts.entitlements.shape import ENTITLEMENT_SHAPE
from accounts.errors import Malformed, Refused
from accounts.facts import Entitlement
from accounts.sources import Page
from accounts.sources.csv import CsvRows

NEEDED = ("stripe_customer", "status")  # columns without which no entitlement can be compared


class CsvEntitlements:
    per_account = False
    reads_one = False
    updates = False
    inserts = False

    def __init__(self, source: str, product: EntitlementCsv, *, now: Callable[[], datetime]) -> None:
        self._source = source
        fields = product.fields.named() if product.fields else None
        self._rows = CsvRows(source, product, fields, NEEDED, ENTITLEMENT_SHAPE, now=now)

    def pages(
        self, stripe_account: str, *, afresh: bool = False, kept: bool = True
    ) -> Iterator[Page[Entitlement]]:
        return self._rows.pages()  # a file is always afresh

    def entitlement(self, key: str, stripe_account: str) -> Entitlement | None:
        raise Malformed(f"{self._source}: a CSV file cannot be asked for one entitlement; read its pages.")

    def update(self, entitlement: Entitlement, changes: Mapping[str, object]) -> None:
        raise Refused(f"{self._source}: a CSV file is not written to.", code="read_only")

    def insert(self, entitlement: Entitlement) -> None:
        raise Refused(f"{self._source}: a CSV file is not written to.", code="read_only")

    def close(self) -> None:
        """Nothing is held open between passes."""
