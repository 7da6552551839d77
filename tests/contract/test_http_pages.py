"""Reading sources over HTTP: pages, conditional requests, and when a row is absent."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from json import dumps
from pathlib import Path

import httpx
import pytest

from accounts.crm import open_crm
from accounts.errors import Malformed, Unreachable
from accounts.facts import Record
from accounts.sources import Page
from tests.contract.rigs import parsed_crm
from tests.contract.web import TABLE, Respond, opened, page, read, reply, row, saying
from tests.contract.world import ACCOUNT, now


def test_the_first_page_is_asked_for_without_a_cursor_and_the_next_with_it() -> None:
    asked: list[str] = []

    def pages(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return reply(200, content=page(row(len(asked)), following="a&b=c" if len(asked) == 1 else ""))

    assert len(read(opened(pages))) == 2
    base = f"https://crm.example.com/accounts?account={ACCOUNT}"
    assert asked == [base, f"{base}&cursor=a%26b%3Dc"]


def test_a_cursor_that_comes_again_is_an_error() -> None:
    seen = 0

    def circle(request: httpx.Request) -> httpx.Response:
        nonlocal seen
        seen += 1
        assert seen < 10, "it runs in circles"
        return reply(200, content=page(row(seen), following=["a", "b", "c", "b"][min(seen - 1, 3)]))

    with pytest.raises(Malformed, match="in circles"):
        read(opened(circle))
    assert seen == 4


def test_the_next_page_by_address_stays_on_the_same_host() -> None:
    def pages(following: str) -> Respond:
        return lambda request: reply(
            200, content=page(row(1)) if request.url.query == b"p=2" else page(row(2), following=following)
        )

    url = "https://crm.example.com/accounts"
    for same in ("/accounts?p=2", "?p=2", "https://crm.example.com/accounts?p=2"):
        assert len(read(opened(pages(same), url=url))) == 2
    for other in ("https://evil.example.com/?p=2", "//evil.example.com/?p=2", "http://crm.example.com/?p=2",
                  "https://crm.example.com.evil.example.com/?p=2", "https://crm.example.com@evil.example.com/?p=2",
                  "https://crm.example.com:8443/?p=2", "/a\r\nb"):  # fmt: skip
        with pytest.raises(Malformed):
            read(opened(pages(other), url=url))


def test_a_last_page_that_does_not_say_so_is_an_error_where_the_source_says_it() -> None:
    body = dumps({"data": [row(1)], "done": False}).encode()
    with pytest.raises(Malformed, match="cut off"):
        read(opened(saying(body=body), complete="done"))
    assert len(read(opened(saying(body=body.replace(b"false", b"true")), complete="done"))) == 1


def test_what_is_on_a_page_was_observed_before_its_request_left() -> None:
    clock = now()
    asked_at: list[datetime] = []

    def slow(request: httpx.Request) -> httpx.Response:
        nonlocal clock
        asked_at.append(clock)
        clock += timedelta(seconds=20)  # whatever changes there meanwhile may or may not be in the answer
        following = "2" if len(asked_at) == 1 else None
        return reply(200, page(row(len(asked_at)), following=following))

    source = parsed_crm(TABLE, Path("/"))
    crm = open_crm("web", source, now=lambda: clock, transport=httpx.MockTransport(slow))
    assert [each.observed_at for each in crm.pages(ACCOUNT)] == asked_at


def test_an_unchanged_page_is_asked_for_conditionally_and_names_its_keys() -> None:
    full = 0

    def pages(request: httpx.Request) -> httpx.Response:
        nonlocal full
        second = b"cursor=2" in request.url.query
        tag = '"b"' if second else '"a"'
        if request.headers.get("if-none-match") == tag:
            return reply(304)
        full += 1
        return reply(
            200, headers={"ETag": tag}, content=page(row(2)) if second else page(row(1), following=2)
        )

    crm = opened(pages)
    assert len(read(crm)) == 2
    again = list(crm.pages(ACCOUNT))
    assert [(each.keys, each.rows, each.unchanged) for each in again] == [
        (("1",), (), True),
        (("2",), (), True),
    ]
    assert full == 2
    assert len([record for each in crm.pages(ACCOUNT, afresh=True) for record in each.rows]) == 2
    assert full == 4


def test_a_page_that_was_not_kept_is_read_again() -> None:
    def tagged(request: httpx.Request) -> httpx.Response:
        if "if-none-match" in request.headers:
            return reply(304)
        return reply(200, headers={"ETag": '"a"'}, content=page(row(1)))

    crm = opened(tagged)
    dropped: Iterator[Page[Record]] = crm.pages(ACCOUNT)
    next(dropped)  # and the transaction that was to keep it failed
    del dropped
    assert len(read(crm)) == 1


def test_a_404_is_absence_only_where_another_row_is_found() -> None:
    rows = {"1": row(1), "2": row(2)}
    broken = False

    def respond(request: httpx.Request) -> httpx.Response:
        key = request.url.path.rpartition("/")[2]
        if key == "accounts":
            return reply(200, content=page(*rows.values()))
        return reply(404) if broken or key not in rows else reply(200, json=rows[key])

    crm = opened(respond)
    with pytest.raises(Unreachable, match="address may be wrong"):
        crm.record("9", ACCOUNT)
    read(crm)
    assert crm.record("9", ACCOUNT) is None
    broken = True
    with pytest.raises(Unreachable):
        crm.record("9", ACCOUNT)
    broken = False
    rows.clear()
    assert read(crm) == []
    assert crm.record("1", ACCOUNT) is None  # the list said so, too


def test_a_row_that_says_it_is_deleted_is_absent() -> None:
    crm = opened(saying(body=page(row(1, archived=True), row(2, archived=False))), deleted="archived")
    assert [record.key for record in read(crm)] == ["2"]
    assert (
        opened(saying(body=dumps(row(1, archived=True)).encode()), deleted="archived").record("1", ACCOUNT)
        is None
    )


def test_an_answer_about_another_record_is_not_believed() -> None:
    with pytest.raises(Malformed, match="answered with “2”"):
        opened(saying(body=dumps(row(2)).encode())).record("1", ACCOUNT)


def test_dots_reach_into_tables_and_lists_and_may_be_part_of_a_name() -> None:
    body = page(
        row(1, owners=[{"name": "Ada"}]), row(2, owners=[]), row(3), {**row(4), "owners.0.name": "Bo"}
    )
    assert [record.owner for record in read(opened(saying(body=body)))] == ["Ada", None, None, "Bo"]
