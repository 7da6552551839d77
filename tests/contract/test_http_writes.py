"""Writing to a source over HTTP: what was refused, what may have happened, and what is sent."""

from datetime import UTC, datetime
from json import loads
from typing import Any

import httpx
import pytest

from accounts.crm import Task
from accounts.errors import Malformed, Refused, Uncertain, Unreachable
from accounts.facts import Record
from tests.contract.web import opened, read, reply, saying
from tests.contract.world import ACCOUNT


@pytest.mark.parametrize(
    ("failure", "before", "after"),
    [
        (httpx.ConnectError("x"), Unreachable, Refused),
        (httpx.ConnectTimeout("x"), Unreachable, Refused),
        (httpx.ReadTimeout("x"), Unreachable, Uncertain),
        (httpx.WriteTimeout("x"), Unreachable, Uncertain),
        (httpx.RemoteProtocolError("x"), Unreachable, Uncertain),
        (httpx.ReadError("x"), Unreachable, Uncertain),
    ],
)
def test_a_write_is_uncertain_once_it_may_have_left(
    failure: httpx.TransportError, before: type[Exception], after: type[Exception]
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(before):
        read(opened(fail))
    with pytest.raises(after):
        opened(fail).update(Record("1"), {"plan": "basic"})


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, b"", Refused), (401, b"", Refused), (403, b"", Refused), (404, b"", Refused), (409, b"", Refused),
        (429, b"", Refused), (200, b'{"success": false}', Refused), (302, b"", Uncertain), (408, b"", Uncertain),
        (500, b"", Uncertain), (503, b"", Uncertain),
    ],
)  # fmt: skip
def test_every_status_of_a_write_is_refused_or_uncertain(
    status: int, body: bytes, outcome: type[Exception]
) -> None:
    with pytest.raises(outcome) as found:
        opened(saying(status, body)).update(Record("1"), {"plan": "basic"})
    assert str(found.value).startswith("CRM web: ")


@pytest.mark.parametrize(("status", "body"), [(200, b"{}"), (200, b"ok"), (201, b""), (202, b""), (204, b"")])
def test_every_success_of_a_write_is_one(status: int, body: bytes) -> None:
    opened(saying(status, body)).update(Record("1"), {"plan": "basic"})


def test_what_is_written_has_their_names_and_numbers() -> None:
    sent: list[tuple[str, str, Any]] = []

    def note(request: httpx.Request) -> httpx.Response:
        sent.append((request.method, str(request.url), loads(request.content)))
        return reply(204)

    crm = opened(note, fields={"key": "id", "stripe_customer": "customer", "plan": "props.plan", "mrr": "props.mrr",
                               "renewal": "renewal"})  # fmt: skip
    crm.update(Record("a/b ?c"), {"plan": None, "mrr": 5, "renewal": datetime(2026, 2, 1, 9, 30, tzinfo=UTC)})
    crm.add_task(Task("7", "{body} {", 'x "y"', datetime(2026, 2, 1, tzinfo=UTC)))
    assert sent == [
        ("PATCH", "https://crm.example.com/accounts/a%2Fb%20%3Fc",
         {"props": {"plan": None, "mrr": 5}, "renewal": "2026-02-01T09:30:00Z"}),
        ("POST", "https://crm.example.com/tasks",
         {"key": "7", "title": "{body} {", "body": 'x "y"', "due": "2026-02-01T00:00:00Z"}),
    ]  # fmt: skip


def test_a_key_that_would_be_another_path_is_not_asked_for() -> None:
    asked: list[str] = []
    crm = opened(lambda request: asked.append(str(request.url)) or reply(404))  # type: ignore[func-returns-value]
    with pytest.raises(Malformed):
        crm.record("..", ACCOUNT)
    with pytest.raises(Refused):
        crm.update(Record(".."), {"plan": "x"})
    assert asked == []
