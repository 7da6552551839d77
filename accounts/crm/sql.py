"""A CRM that is a table, or a query, in any database that SQLAlchemy speaks to."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from accounts.crm.configuration import CrmSql
from accounts.crm.shape import record_shape
from accounts.crm.task import Task
from accounts.errors import Refused
from accounts.facts import Record
from accounts.sources import Page
from accounts.sources.sql import SqlRows, change_parameters

NEEDED = ("key", "stripe_customer")  # columns without which no record can be compared


class SqlCrm:
    def __init__(self, source: str, crm: CrmSql, *, now: Callable[[], datetime]) -> None:
        self._source = source
        self._crm = crm
        self._rows = SqlRows(source, crm, NEEDED, record_shape(crm.amounts), now=now)
        self.per_account = self._rows.per_account
        self.reads_one = crm.read is not None
        self.updates = crm.write.update is not None
        self.tasks = crm.write.task is not None

    def pages(
        self, stripe_account: str, *, afresh: bool = False, kept: bool = True
    ) -> Iterator[Page[Record]]:
        return self._rows.pages(stripe_account)  # a query is always afresh

    def record(self, key: str, stripe_account: str) -> Record | None:
        return self._rows.one(key, stripe_account)

    def update(self, record: Record, changes: Mapping[str, object]) -> None:
        statement = self._crm.write.update
        if statement is None:
            raise Refused(
                f"{self._source}: it cannot be written to; configure write.update.", code="read_only"
            )
        self._rows.write(statement, change_parameters(self._source, statement, asdict(record), changes))

    def add_task(self, task: Task) -> None:
        if self._crm.write.task is None:
            raise Refused(f"{self._source}: it takes no tasks; configure write.task.", code="read_only")
        due_date = task.due.date().isoformat()
        self._rows.write(
            self._crm.write.task, {**asdict(task), "due": task.due.isoformat(), "due_date": due_date}
        )

    def close(self) -> None:
        """Nothing is held open between questions."""
