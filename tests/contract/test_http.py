"""Sources over HTTP: hostile answers, paging, conditional requests, limits, credentials."""

import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from json import dumps, loads
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.crm import Crm, Task, open_crm
from accounts.errors import (
    Forbidden,
    Malformed,
    ObservationError,
    RateLimited,
    Refused,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from accounts.facts import Record
from accounts.sources import Page, wire
from tests.contract.rigs import CRM_TABLES, SECRETS, parsed_crm, pretend
from tests.contract.world import ACCOUNT, now

Respond = Callable[[httpx.Request], httpx.Response]

TOKEN = "token-that-nobody-may-see"
TABLE: dict[str, Any] = {
    "type": "http",
    "url": "https://crm.example.com/accounts?account={stripe_account}&cursor={cursor}",
    "headers": {"Authorization": {"env": "TEST_TOKEN", "format": "Bearer {}"}},
    "items": "data",
    "next": "paging.next",
    "read": "GET /accounts/{key}",
    "write": {"update": "PATCH /accounts/{key}", "task": "POST /tasks"},
    "fields": {
        "key": "id",
        "stripe_customer": "customer",
        "plan": "plan",
        "mrr": "mrr",
        "owner": "owners.0.name",
    },
}
OAUTH = {
    "oauth2": {
        "token_url": "https://login.example.com/token",
        "client_id": "id",
        "client_secret": {"env": "TEST_TOKEN"},
    }
}


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", TOKEN)


class Body(httpx.SyncByteStream):
    """A body as it comes from a network: piece by piece, and not read beforehand."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def reply(
    status: int,
    content: bytes | Iterator[bytes] = b"",
    json: object = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    body = dumps(json).encode() if json is not None else content
    return httpx.Response(status, headers=headers, stream=Body([body] if isinstance(body, bytes) else body))


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def opened(respond: Respond, monotonic: Callable[[], float] = lambda: 0.0, **changes: Any) -> Crm:
    source = parsed_crm({**TABLE, **changes}, Path("/"))
    return open_crm("web", source, now=now, monotonic=monotonic, transport=httpx.MockTransport(respond))


def saying(status: int = 200, body: bytes = b"{}", **headers: str) -> Respond:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: reply(status, content=body, headers=named)


def page(*rows: dict[str, Any], following: object = None) -> bytes:
    return dumps({"data": rows, "paging": {"next": following}}).encode()


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "customer": f"cus_{number}", "plan": "pro", "mrr": 149.90, **more}


def read(crm: Crm) -> list[Record]:
    return [record for each in crm.pages(ACCOUNT) for record in each.rows]


NESTED = b'{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
ROW_OF_TWO_MEANINGS = b'{"data": [{"id": "1", "customer": "cus_1"}], "data": []}'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(page(row(1))[:-9], id="truncated"),
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>back soon</html>", id="html"),
        pytest.param(NESTED, id="deeply nested"),
        pytest.param(page(row(1)).decode().encode("utf-16"), id="utf-16"),
        pytest.param(b'{"data": [{"id": "1", "customer": "\xff\xfe"}]}', id="not utf-8"),
        pytest.param(b'{"data": [{"id": "1", "customer": "cus_1", "mrr": NaN}]}', id="NaN"),
        pytest.param(b'{"data": [{"id": "1", "customer": "cus_1", "mrr": -Infinity}]}', id="Infinity"),
        pytest.param(b'{"data": [{"id": ' + b"9" * 5000 + b"}]}", id="a number of 5000 digits"),
        pytest.param(
            b'{"data": [{"id": "1", "customer": "cus_1", "mrr": 1e999999999999999999999}]}', id="1e999…"
        ),
        pytest.param(ROW_OF_TWO_MEANINGS, id="a name twice"),
        pytest.param(page(row(1), row(1, plan="basic")), id="a key twice"),
        pytest.param(b'{"rows": []}', id="no items"),
        pytest.param(b'{"data": null}', id="null items"),
        pytest.param(b'{"data": {"id": "1"}}', id="items that are no list"),
        pytest.param(b'"data"', id="a text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(page(7), id="a row that is none"),  # type: ignore[arg-type]
        pytest.param(page({"customer": "cus_1"}), id="no key"),
        pytest.param(page(row(1, id={"a": 1})), id="a key that is a table"),
        pytest.param(page(row(1, id=True)), id="a key that is a yes"),
        pytest.param(page(row(1, id="a\x00b")), id="a key with a zero byte"),
        pytest.param(page(row(1, customer="cus_1 (old)")), id="a customer that is no id"),
        pytest.param(page(row(1, mrr="1,490")), id="an amount with a comma"),
        pytest.param(page(row(1, mrr=10**30)), id="a huge amount"),
        pytest.param(page(row(1, plan=["pro"])), id="a plan that is a list"),
        pytest.param(page(row(1, owners="me")), id="a text where a list belongs"),
        pytest.param(page(row(1), following={"a": 1}), id="a cursor that is a table"),
        pytest.param(page(row(1), following=True), id="a cursor that is a yes"),
    ],
)
def test_a_hostile_page_is_a_sentence_and_never_an_absence(body: bytes) -> None:
    with pytest.raises(Malformed) as found:
        read(opened(saying(body=body)))
    sentence = str(found.value)
    assert re.fullmatch(r"CRM web: .{10,400}\.", sentence), sentence
    assert sentence.isprintable()
    with pytest.raises(ObservationError):
        opened(saying(body=body)).record("1", ACCOUNT)


def test_a_bad_row_is_named_with_its_field_and_value() -> None:
    with pytest.raises(Malformed, match=r"record “2”: mrr is “n/a”, not an amount\. Correct it there"):
        read(opened(saying(body=page(row(1), row(2, mrr="n/a")))))


def test_a_page_of_a_hundred_megabytes_is_left_unread() -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"data": ["'
        while sent < 100 * 1024**2:
            sent += 1024**2
            yield b"x" * 1024**2

    with pytest.raises(Malformed, match="16 MiB"):
        read(opened(lambda request: reply(200, content=endless())))
    assert sent <= 20 * 1024**2


def test_a_small_answer_that_unpacks_to_a_large_one_is_left_unread() -> None:
    bomb = gzip.compress(b" " * 100 * 1024**2)
    with pytest.raises(Malformed, match="16 MiB"):
        read(opened(saying(body=bomb, content_encoding="gzip")))


def test_packed_answers_are_read_and_broken_ones_are_not() -> None:
    packed = gzip.compress(page(row(1)))
    assert len(read(opened(saying(body=packed, content_encoding="gzip")))) == 1
    with pytest.raises(Unreachable, match="cut off"):
        read(opened(saying(body=packed[:-9], content_encoding="gzip")))
    with pytest.raises(Malformed, match="unpacked"):
        read(opened(saying(body=b"not gzip", content_encoding="gzip")))
    with pytest.raises(Malformed, match="did not ask"):
        read(opened(saying(body=packed, content_encoding="br")))


def test_an_answer_that_drips_in_is_given_up() -> None:
    clock = Clock()

    def dripping() -> Iterator[bytes]:
        for _ in range(100):
            clock.s += 29
            yield b" "

    with pytest.raises(Unreachable, match="longer than 120 s"):
        read(opened(lambda request: reply(200, content=dripping()), clock))


@pytest.mark.parametrize(
    ("status", "headers", "error", "says"),
    [
        (401, {}, Unauthorized, "credentials"),
        (403, {}, Forbidden, "may not read"),
        (404, {}, Malformed, "status 404"),
        (400, {}, Malformed, "answered 400"),
        (302, {"location": "https://elsewhere.example.com"}, Malformed, "redirects"),
        (304, {}, Malformed, "status 304"),
        (500, {}, Unreachable, "answered 500"),
        (503, {}, Unreachable, "answered 503"),
        (503, {"retry_after": "20"}, RateLimited, "in 20 s"),
        (429, {}, RateLimited, "later"),
        (429, {"retry_after": "3"}, RateLimited, "in 3 s"),
        (429, {"retry_after": "Sat, 10 Jan 2026 12:01:00 GMT"}, RateLimited, "in 60 s"),
        (429, {"retry_after": "soon"}, RateLimited, "later"),
        (429, {"retry_after": "-5"}, RateLimited, "later"),
        (204, {}, Malformed, "answered 204"),
    ],
)
def test_every_status_is_one_of_our_errors(
    status: int, headers: dict[str, str], error: type[ObservationError], says: str
) -> None:
    with pytest.raises(error, match=says) as found:
        read(opened(saying(status, b"", **headers)))
    assert type(found.value) is error


def test_their_own_words_are_repeated_without_our_secrets() -> None:
    body = dumps({"message": f"no scope \x1b[31mfor {TOKEN}" + "x" * 1000}).encode()
    with pytest.raises(Forbidden, match="said “no scope") as found:
        read(opened(saying(403, body)))
    assert TOKEN not in str(found.value)
    assert "\x1b" not in str(found.value)
    assert len(str(found.value)) < 400


def test_both_limits_of_hubspot_and_salesforce_are_understood() -> None:
    hubspot = {"status": "error", "message": "You have reached your daily limit.", "policyName": "DAILY"}
    with pytest.raises(RateLimited) as daily:
        read(opened(saying(429, dumps(hubspot).encode())))
    assert daily.value.reason == "DAILY"
    salesforce = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    with pytest.raises(RateLimited) as total:
        read(opened(saying(403, dumps(salesforce).encode())))
    assert total.value.reason == "REQUEST_LIMIT_EXCEEDED"


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


def test_a_token_is_kept_until_shortly_before_it_ends_and_renewed_once_after_a_401() -> None:
    clock, issued, revoked = Clock(), 0, set[str]()

    def respond(request: httpx.Request) -> httpx.Response:
        nonlocal issued
        if request.url.host == "login.example.com":
            assert "authorization" not in request.headers
            issued += 1
            return reply(200, json={"access_token": f"t{issued}", "expires_in": 3600})
        sent = request.headers["authorization"]
        return reply(401) if sent in revoked else reply(200, content=page(row(1)))

    table = {**TABLE, "auth": OAUTH}
    del table["headers"]
    crm = open_crm(
        "web", parsed_crm(table, Path("/")), now=now, monotonic=clock, transport=httpx.MockTransport(respond)
    )
    read(crm)
    clock.s = 3539
    read(crm)
    assert issued == 1
    clock.s = 3540
    read(crm)
    assert issued == 2
    revoked.add("Bearer t2")
    read(crm)
    crm.update(Record("1"), {"plan": "basic"})
    assert issued == 3
    revoked |= {"Bearer t3", "Bearer t4"}
    with pytest.raises(Unauthorized):
        read(crm)
    assert issued == 4


def test_a_refresh_token_that_is_replaced_is_replaced() -> None:
    forms: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == "login.example.com":
            forms.append(request.content.decode())
            return reply(200, json={"access_token": "t", "refresh_token": f"r{len(forms)}"})
        return reply(401)

    auth = {"oauth2": {**OAUTH["oauth2"], "refresh_token": {"env": "TEST_TOKEN"}, "scope": "crm read"}}
    crm = opened(respond, headers={}, auth=auth)
    with pytest.raises(Unauthorized):
        read(crm)
    assert f"refresh_token={TOKEN}" in forms[0]
    assert "scope=crm+read" in forms[0]
    assert "refresh_token=r1" in forms[1]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "invalid_grant"}', Unauthorized), (401, b"", Unauthorized), (500, b"", Unreachable),
        (200, b"{}", Malformed), (200, b"<html>", Malformed), (200, b'{"access_token": "a b"}', Malformed),
        (200, b'{"access_token": "a\\r\\nb"}', Malformed), (302, b"", Malformed), (429, b"", RateLimited),
    ],
)  # fmt: skip
def test_a_token_that_does_not_come_is_one_of_our_errors(
    status: int, body: bytes, error: type[ObservationError]
) -> None:
    crm = opened(saying(status, body), headers={}, auth=OAUTH)
    with pytest.raises(error) as found:
        read(crm)
    assert TOKEN not in str(found.value)
    with pytest.raises(Refused) as refused:
        crm.update(Record("1"), {"plan": "x"})
    assert refused.value.code == "not_sent"


def test_basic_authentication_is_sent_as_it_is_written_everywhere() -> None:
    sent: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return reply(200, content=page())

    read(opened(respond, headers={}, auth={"basic": {"username": "me", "password": {"env": "TEST_TOKEN"}}}))
    assert sent == ["Basic bWU6dG9rZW4tdGhhdC1ub2JvZHktbWF5LXNlZQ=="]


def test_a_secret_that_is_missing_troubles_its_own_source_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_TOKEN")
    crm = opened(saying(body=page()))
    with pytest.raises(Unauthorized, match="TEST_TOKEN is not set"):
        read(crm)
    monkeypatch.setenv("TEST_TOKEN", "späte")
    with pytest.raises(Unauthorized, match="cannot be sent"):
        read(crm)
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
    assert read(crm) == []


def test_a_rotated_secret_is_picked_up_after_a_401(monkeypatch: pytest.MonkeyPatch) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        fresh = request.headers["authorization"] == "Bearer new"
        return reply(200, content=page()) if fresh else reply(401)

    crm = opened(respond)
    with pytest.raises(Unauthorized):
        read(crm)
    monkeypatch.setenv("TEST_TOKEN", "new")
    assert read(crm) == []


@pytest.mark.parametrize("kind", ["hubspot", "salesforce"])
def test_a_preset_meets_its_own_limits_and_refusals_over_real_http(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with pretend() as sandbox:
        crm = open_crm("web", parsed_crm(CRM_TABLES[kind](sandbox.url), Path("/")), now=now)
        dials = sandbox.world.crm_dials
        for fault, error in (("limited", RateLimited), ("unauthorized", Unauthorized), ("forbidden", Forbidden),
                             ("down", Unreachable), ("error", Unreachable), ("half", Unreachable),
                             ("garbled", Malformed)):  # fmt: skip
            dials.fault = fault  # type: ignore[assignment]
            with pytest.raises(error):
                read(crm)
        dials.fault = None
        sandbox.on_loop(dials.tokens.clear)
        assert len(read(crm)) == 30
        crm.close()


def test_a_source_that_is_too_slow_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ANSWER_S", 0.2)
    monkeypatch.setenv("CRM_TOKEN", SECRETS["CRM_TOKEN"])
    with pretend() as sandbox:
        crm = open_crm("web", parsed_crm(CRM_TABLES["http"](sandbox.url), Path("/")), now=now)
        sandbox.world.crm_dials.slow_s = 1.0
        with pytest.raises(Unreachable, match="no answer within"):
            read(crm)
        with pytest.raises(Uncertain):
            crm.update(Record("1001"), {"plan": "basic"})
        crm.close()
