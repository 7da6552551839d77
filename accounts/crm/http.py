"""A CRM with an HTTP interface; HubSpot and Salesforce are presets of it (`presets.py`)."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from accounts.crm.configuration import CrmHttp
from accounts.crm.shape import record_shape
from accounts.crm.task import Task
from accounts.errors import Refused
from accounts.facts import Record
from accounts.sources import Page
from accounts.sources.web import WebRows


class HttpCrm:
    def __init__(
        self,
        source: str,
        crm: CrmHttp,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._source = source
        self._crm = crm
        self._rows = WebRows(
            source,
            crm,
            crm.fields.named(),
            record_shape(crm.amounts),
            now=now,
            monotonic=monotonic,
            transport=transport,
        )
        self.per_account = self._rows.per_account
        self.reads_one = crm.read is not None
        self.updates = crm.write.update is not None
        self.tasks = crm.write.task is not None

    def pages(
        self, stripe_account: str, *, afresh: bool = False, kept: bool = True
    ) -> Iterator[Page[Record]]:
        return self._rows.pages(stripe_account, afresh=afresh, kept=kept)

    def record(self, key: str, stripe_account: str) -> Record | None:
        return self._rows.one(key, stripe_account)

    def update(self, record: Record, changes: Mapping[str, object]) -> None:
        if self._crm.write.update is None:
            raise Refused(
                f"{self._source}: it cannot be written to; configure write.update.", code="read_only"
            )
        self._rows.change(self._crm.write.update, record.key, changes)

    def add_task(self, task: Task) -> None:
        if self._crm.write.task is None:
            raise Refused(f"{self._source}: it takes no tasks; configure write.task.", code="read_only")
        due = task.due.astimezone(UTC)
        values = {
            "key": task.key,
            "title": task.title,
            "body": task.body,
            "due": due.isoformat().replace("+00:00", "Z"),
            "due_date": due.date().isoformat(),
        }
        self._rows.send(self._crm.write.task, task.key, _filled(self._crm.write.task_body, values))

    def close(self) -> None:
        self._rows.close()


def _filled(template: Any, values: Mapping[str, str]) -> Any:
    """The template with every text that is exactly a place, such as `{title}`, replaced. Nothing is composed, so
    what people and agents write into a task cannot become structure."""
    match template:
        case dict():
            return {name: _filled(part, values) for name, part in template.items()}
        case list() | tuple():
            return [_filled(part, values) for part in template]
        case str() if template[:1] == "{" and template[-1:] == "}":
            return values.get(template[1:-1], template)
        case _:
            return template
