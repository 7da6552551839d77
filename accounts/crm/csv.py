"""A CRM that is exported to a CSV file. It is read whole, never by key, and never written."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from accounts.crm.configuration import CrmCsv
from accounts.crm.shape import record_shape
from accounts.crm.task import Task
from accounts.errors import Malformed, Refused
from accounts.facts import Record
from accounts.sources import Page
from accounts.sources.csv import CsvRows

NEEDED = ("key", "stripe_customer")  # columns without which no record can be compared


class CsvCrm:
    per_account = False
    reads_one = False
    updates = False
    tasks = False

    def __init__(self, source: str, crm: CrmCsv, *, now: Callable[[], datetime]) -> None:
        self._source = source
        fields = crm.fields.named() if crm.fields else None
        self._rows = CsvRows(source, crm, fields, NEEDED, record_shape(crm.amounts), now=now)

    def pages(
        self, stripe_account: str, *, afresh: bool = False, kept: bool = True
    ) -> Iterator[Page[Record]]:
        return self._rows.pages()  # a file is always afresh

    def record(self, key: str, stripe_account: str) -> Record | None:
        raise Malformed(f"{self._source}: a CSV file cannot be asked for one record; read its pages.")

    def update(self, record: Record, changes: Mapping[str, object]) -> None:
        raise Refused(f"{self._source}: a CSV file is not written to.", code="read_only")

    def add_task(self, task: Task) -> None:
        raise Refused(f"{self._source}: a CSV file takes no tasks.", code="read_only")

    def close(self) -> None:
        """Nothing is held open between passes."""
