"""One line per thing that happened, with what it is about, and not the same line a thousand times."""

import asyncio
import json
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from daemon import logs
from daemon.engine.local import Kind, Runner
from daemon.serve import Site


def written(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_what_it_is_about_without_being_told() -> None:
    stream = StringIO()
    logs.configure("json", stream)
    with bound_contextvars(account="acme-eu", subject="customer cus_1"):
        structlog.get_logger("one").info("case_opened", rule="plan_mismatch")
    (line,) = written(stream)
    assert (line["account"], line["subject"], line["rule"]) == ("acme-eu", "customer cus_1", "plan_mismatch")


def test_a_line_of_a_run_says_which_run_it_was() -> None:
    stream = StringIO()
    logs.configure("json", stream)
    threads: list[threading.Thread] = []

    def start(name: str, run: Callable[[], None]) -> None:
        threads.append(threading.Thread(target=run, name=name))
        threads[-1].start()

    runner = Runner({"poll": Kind(lambda _: structlog.get_logger("one").info("polled"))}, start)
    runner.wake("poll", "acme-eu")
    assert runner.rest(10)
    runner.stop(10)
    for each in threads:
        each.join()
    (line,) = written(stream)
    assert (line["run"], line["key"]) == ("poll", "acme-eu")


def test_a_line_of_a_request_says_which_request_it_was() -> None:
    stream = StringIO()
    logs.configure("json", stream)

    async def face(*_: object) -> None:
        structlog.get_logger("one").info("asked")

    async def nothing(*_: object) -> Any:
        return {}

    site = Site(rest=face)
    for _ in range(2):
        asyncio.run(site({"path": "/v1/cases", "method": "GET"}, nothing, nothing))
    first, second = (line["request_id"] for line in written(stream))
    assert first != second


def test_what_repeats_itself_is_said_ten_times_a_minute_and_then_counted() -> None:
    clock = [0.0]
    repeats = logs.Repeats(lambda: clock[0])

    def said(level: str = "warning", **words: Any) -> dict[str, Any] | None:
        try:
            return dict(repeats(None, level, dict(words)))
        except structlog.DropEvent:
            return None

    passed = [said(event="source_not_read", source="crm:pretend", tries=number) for number in range(50)]
    assert [each is not None for each in passed] == [True] * 10 + [False] * 40
    assert said(event="source_not_read", source="entitlements:app") is not None, "another line"
    assert all(said("error", event="events_gap") for _ in range(50)), "errors are never left out"
    clock[0] += 60
    assert said(event="source_not_read", source="crm:pretend") == {
        "event": "source_not_read",
        "source": "crm:pretend",
        "left_out": 40,
    }
    assert said(event="source_not_read", source="crm:pretend") == {
        "event": "source_not_read",
        "source": "crm:pretend",
    }


def test_what_is_remembered_of_lines_is_bounded() -> None:
    repeats = logs.Repeats(lambda: 0.0)
    for number in range(3 * logs.REPEATS_KNOWN_MAX):
        repeats(None, "info", {"event": "class_swept", "account": f"account-{number}"})
    assert len(repeats._minutes) <= logs.REPEATS_KNOWN_MAX


def test_what_is_said_of_another_case_is_another_line_and_what_another_request_says_is_not() -> None:
    logs.configure("json", stream := StringIO())
    for number in range(2 * logs.REPEATS_MAX):
        with bound_contextvars(case=f"case_{number}"):
            structlog.get_logger("one").info("case_opened")
    assert len(written(stream)) == 2 * logs.REPEATS_MAX
    logs.configure("json", stream := StringIO())
    for number in range(2 * logs.REPEATS_MAX):
        with bound_contextvars(request_id=f"request_{number}"):
            structlog.get_logger("one").info("asked_too_often")
    assert len(written(stream)) == logs.REPEATS_MAX
