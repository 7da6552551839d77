"""Sources over HTTP: hostile answers, every status, and limits."""

import gzip
import re
from collections.abc import Iterator
from json import dumps
from pathlib import Path

import pytest

from accounts.crm import open_crm
from accounts.errors import (
    Forbidden,
    Malformed,
    ObservationError,
    RateLimited,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from accounts.facts import Record
from accounts.sources import wire
from tests.contract.rigs import CRM_TABLES, SECRETS, parsed_crm, pretend
from tests.contract.web import TOKEN, Clock, opened, page, read, reply, row, saying
from tests.contract.world import ACCOUNT, now

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
    with pytest.raises(
        Malformed, match=r"record “2”: stripe_customer is “n/a”, not an id of Stripe\. Correct it there"
    ):
        read(opened(saying(body=page(row(1), row(2, customer="n/a")))))


def test_one_cell_that_nobody_understands_takes_nothing_from_the_other_rows() -> None:
    rows = page(
        row(1, mrr="20"), row(2, mrr="n/a"), row(3, mrr="20", plan=["pro"]), row(4, mrr="20", plan="pro")
    )
    found = {record.key: record for record in read(opened(saying(body=rows)))}
    assert {key: record.mrr for key, record in found.items()} == {"1": 20, "2": None, "3": 20, "4": 20}
    assert (found["3"].plan, found["4"].plan) == (None, "pro")


def test_where_no_row_is_understood_the_configuration_is_wrong() -> None:
    with pytest.raises(
        Malformed, match=r"record “1”: mrr is “n/a”, not an amount\. Correct it there, or the field's"
    ):
        read(opened(saying(body=page(row(1, mrr="n/a"), row(2, mrr="none")))))


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


@pytest.mark.parametrize("before", range(0, 400, 5))
def test_no_half_of_a_secret_is_left_where_their_words_are_cut_off(before: int) -> None:
    body = dumps({"message": "-" * before + TOKEN}).encode()
    with pytest.raises(Forbidden) as found:
        read(opened(saying(403, body)))
    assert TOKEN[:4] not in str(found.value)


def test_both_limits_of_hubspot_and_salesforce_are_understood() -> None:
    hubspot = {"status": "error", "message": "You have reached your daily limit.", "policyName": "DAILY"}
    with pytest.raises(RateLimited) as daily:
        read(opened(saying(429, dumps(hubspot).encode())))
    assert daily.value.reason == "DAILY"
    salesforce = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    with pytest.raises(RateLimited) as total:
        read(opened(saying(403, dumps(salesforce).encode())))
    assert total.value.reason == "REQUEST_LIMIT_EXCEEDED"


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
