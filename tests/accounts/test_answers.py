"""Every way in which Stripe, or something in between, can answer: what it means, and that nothing worse happens."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.budget import Purpose
from accounts.errors import (
    Forbidden,
    Malformed,
    ObservationError,
    RateLimited,
    Refused,
    Unauthorized,
    Uncertain,
    Unreachable,
    WrongAccount,
)
from accounts.facts import Address
from accounts.stripe.answers import action_error, retry_after_s
from accounts.stripe.body import BODY_BYTES_MAX, BODY_S_MAX, read_body
from accounts.stripe.decoding import Deleted
from accounts.stripe.resources import BY_NAME
from metrics.catalog import REGISTRY
from tests.accounts.building import NOON, Clock, Handler, reader, refusal, respond

CUSTOMERS = BY_NAME["customers"]
CUSTOMER = Address("customer", "cus_1")
ONE = {"object": "customer", "id": "cus_1", "created": 1, "livemode": True}

FORBIDDEN = (
    "The provided key 'rk_live_*******read' does not have the required permissions for this endpoint on account "
    "'acct_1Here'. Having the 'rak_customer_read', 'rak_customer_write' permissions would allow this request."
)


def page(*objects: Any, has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(objects), "has_more": has_more, "url": "/v1/customers"}


def answering(content: bytes, status: int = 200, **headers: str) -> Handler:
    return lambda request: respond(content, status, **headers)


def outcome(handler: Handler) -> ObservationError:
    with pytest.raises(ObservationError) as raised:
        reader(handler).one(CUSTOMER, purpose=Purpose.LOOK)
    return raised.value


def counted(endpoint: str, how: str) -> float:
    return (
        REGISTRY.get_sample_value("reconciled_stripe_requests_total", {"endpoint": endpoint, "outcome": how})
        or 0.0
    )


@pytest.mark.parametrize(
    ("handler", "expected", "words"),
    [
        (refusal(401, None, "Invalid API Key"), Unauthorized, "revoked"),
        (refusal(401, "api_key_expired"), Unauthorized, "api_key_expired"),
        (refusal(403, "more_permissions_required", FORBIDDEN), Forbidden, "rak_customer_read or rak_customer_write"),
        (refusal(403, None, FORBIDDEN), Forbidden, "Add the permission"),
        (refusal(403, "account_invalid"), Forbidden, "Connect"),
        (refusal(400, "parameter_unknown", param="status"), Malformed, "parameter_unknown"),
        (refusal(404, None, "Unrecognized request URL"), Malformed, "Unrecognized"),
        (refusal(429, "lock_timeout"), RateLimited, "lock_timeout"),
        (refusal(500), Unreachable, "500"),
        (refusal(503), Unreachable, "503"),
        (answering(b"", 502), Unreachable, "502"),
        (answering(b"<html>404</html>", 404), Malformed, "not Stripe's"),
        (answering(b"<html>login</html>", 401), Malformed, "not Stripe's"),
        (answering(b"<html>blocked</html>", 403), Malformed, "not Stripe's"),
        (answering(b"<html>welcome</html>"), Malformed, "Nothing was concluded"),
        (answering(b"", 302, location="https://elsewhere.invalid/"), Malformed, "redirect"),
        (answering(b"slow down", 429), RateLimited, "no reason"),
        (answering(b'{"error": "a sentence"}', 400), Malformed, "not Stripe's"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_an_answer_means_what_stripe_says_and_nothing_more(
    handler: Handler, expected: type[ObservationError], words: str
) -> None:
    error = outcome(handler)
    assert type(error) is expected
    assert words in str(error)
    assert str(error).startswith("Account here: ")


def test_only_stripes_own_word_makes_an_object_absent() -> None:
    read = reader(refusal(404, "resource_missing", "No such customer: 'cus_1'", param="id"))
    assert read.one(CUSTOMER, purpose=Purpose.LOOK) is None


def test_a_deleted_customer_is_deleted_and_not_absent() -> None:
    read = reader(lambda request: respond({"id": "cus_1", "object": "customer", "deleted": True}))
    assert read.one(CUSTOMER, purpose=Purpose.LOOK) == Deleted("cus_1")


def test_a_refusal_names_the_permissions_and_the_account_of_the_key() -> None:
    error = outcome(refusal(403, "more_permissions_required", FORBIDDEN))
    assert isinstance(error, Forbidden)
    assert error.permissions == ("rak_customer_read", "rak_customer_write")
    assert (error.key_account, error.request_id) == ("acct_1Here", "req_1")


def test_a_key_in_an_error_of_stripes_is_not_repeated() -> None:
    error = outcome(
        refusal(400, "odd", "The key rk_live_51abcdefghijklmnop of mary@example.com is odd.\x1b[31m")
    )
    assert "51abcdef" not in str(error)
    assert "mary" not in str(error)
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    "reason",
    ["global-rate", "global-concurrency", "endpoint-rate", "endpoint-concurrency", "resource-specific"],
)
def test_a_rate_limit_says_which_one_it_was(reason: str) -> None:
    error = outcome(answering(b"{}", 429, stripe_rate_limited_reason=reason, retry_after="3"))
    assert isinstance(error, RateLimited)
    assert (error.reason, error.retry_after_s) == (reason, 3.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5.0), (" 5 ", 5.0), ("0", 0.0), ("Thu, 26 Nov 2026 12:00:30 GMT", 30.0), ("999999", 600.0),
        ("Thu, 26 Nov 2026 11:00:00 GMT", 0.0), ("soon", None), ("-5", None), ("", None), (None, None),
        ("9" * 5000, 600.0), ("Thu, 26 Nov 99999 12:00:00 GMT", None),
    ],
)  # fmt: skip
def test_both_forms_of_retry_after_are_understood(text: str | None, expected: float | None) -> None:
    assert retry_after_s(text, NOON) == expected


NESTED = b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
WHOLE = json.dumps(ONE).encode()


@pytest.mark.parametrize(
    "body",
    [
        WHOLE[:-9], b"", b"null", b"[]", b'"text"', b"{}", NESTED, WHOLE.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + WHOLE, WHOLE.replace(b"cus_1", b"cus_\xff"), WHOLE.replace(b"1,", b"1e999,"),
        WHOLE.replace(b"1,", b"9" * 5000 + b","), WHOLE.replace(b"1,", b"NaN,"), WHOLE + WHOLE,
        WHOLE.replace(b'"cus_1"', b'"cus_\\ud800"'), WHOLE.replace(b'"customer"', b'"charge"'),
        WHOLE.replace(b"cus_1", b"cus_2"), b'{"deleted":true}',
    ],
    ids=range(18),
)  # fmt: skip
def test_hostile_json_is_malformed(body: bytes) -> None:
    assert type(outcome(answering(body))) is Malformed


@settings(deadline=None, database=None)
@given(st.binary(max_size=200))
def test_no_body_at_all_leads_to_anything_but_malformed(body: bytes) -> None:
    assert type(outcome(answering(body))) is Malformed


def test_one_strange_object_does_not_hide_the_others_of_its_page() -> None:
    strange = ONE | {"id": "cus_2", "created": "yesterday"}
    objects = page(ONE, strange, ONE | {"id": "cus_3"}, ONE | {"id": "cus_4", "created": None}, has_more=True)
    read = reader(lambda request: respond(objects)).page(CUSTOMERS, purpose=Purpose.SWEEP)
    assert [one.id for one in read.items] == ["cus_1", "cus_3"]
    assert [one.id for one in read.unreadable] == ["cus_2", "cus_4"]
    assert (read.has_more, read.last_id) == (True, "cus_4")


def test_a_list_that_says_more_and_does_not_go_on_is_malformed() -> None:
    for objects in (page(has_more=True), page(ONE, has_more=True)):
        read = reader(lambda request, objects=objects: respond(objects))  # type: ignore[misc]
        with pytest.raises(Malformed, match="does not go on"):
            list(read.pages(CUSTOMERS, purpose=Purpose.SWEEP))


class Endless(httpx.SyncByteStream):
    """A body that does not end; counts what was taken of it."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk = chunk
        self.bytes_sent = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.bytes_sent += len(self.chunk)
            yield self.chunk


def test_a_page_of_100_mb_is_malformed_and_not_read_to_its_end() -> None:
    stream = Endless(b" " * 65_536)
    assert type(outcome(lambda request: httpx.Response(200, stream=stream))) is Malformed
    assert stream.bytes_sent <= BODY_BYTES_MAX + 2 * 65_536


def test_a_gzip_bomb_is_malformed_before_it_is_large() -> None:
    bomb = gzip.compress(b" " * (BODY_BYTES_MAX * 4))
    assert len(bomb) < 200_000
    assert type(outcome(answering(bomb, content_encoding="gzip"))) is Malformed


def test_gzip_is_understood_and_only_gzip() -> None:
    assert reader(answering(gzip.compress(WHOLE), content_encoding="gzip")).one(
        CUSTOMER, purpose=Purpose.LOOK
    )
    assert reader(answering(zlib.compress(WHOLE), content_encoding="deflate")).one(
        CUSTOMER, purpose=Purpose.LOOK
    )
    for encoding in ("br", "gzip, gzip", "zstd"):
        assert type(outcome(answering(gzip.compress(WHOLE), content_encoding=encoding))) is Malformed
    assert type(outcome(answering(WHOLE, content_encoding="gzip"))) is Malformed
    assert type(outcome(answering(gzip.compress(WHOLE)[:-9], content_encoding="gzip"))) is Unreachable


def test_an_answer_that_drips_for_ever_is_given_up() -> None:
    seconds = iter([0.0, 1.0, BODY_S_MAX + 1.0])
    with pytest.raises(Unreachable, match="did not end"):
        read_body(httpx.Response(200, stream=Endless(b" ")), account="here", clock=lambda: next(seconds))


@pytest.mark.parametrize(
    "problem",
    [
        httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError,
        httpx.PoolTimeout, httpx.WriteError, httpx.ProxyError,
    ],
)  # fmt: skip
def test_no_answer_is_unreachable(problem: type[httpx.HTTPError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise problem("rk_live_secretsecret is what I was sent")

    before = counted("customers", "network")
    error = outcome(fail)
    assert type(error) is Unreachable
    assert "secretsecret" not in str(error)
    assert counted("customers", "network") == before + 1


@pytest.mark.parametrize(
    "id_", ["", "../charges", "cus_1/x", "cus 1", "cus_1?x=1", "ü", "c" * 256, "cus_1\n"]
)
def test_an_id_that_is_none_never_reaches_a_url(id_: str) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return respond(ONE)

    with pytest.raises(Malformed):
        reader(handler).one(Address("customer", id_), purpose=Purpose.LOOK)
    with pytest.raises(Malformed):
        reader(handler).page(CUSTOMERS, purpose=Purpose.SWEEP, starting_after=id_)
    assert asked == []


def test_objects_of_the_other_mode_are_refused() -> None:
    test_one = ONE | {"livemode": False}
    with pytest.raises(WrongAccount, match="not live"):
        reader(lambda request: respond(test_one)).one(CUSTOMER, purpose=Purpose.LOOK)
    with pytest.raises(WrongAccount, match="not live"):
        reader(lambda request: respond(page(ONE, test_one))).page(CUSTOMERS, purpose=Purpose.SWEEP)


def test_a_request_says_which_version_and_takes_no_redirect() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return respond(page(ONE))

    reader(handler).page(
        BY_NAME["subscriptions"], purpose=Purpose.SWEEP, created_gte=5, created_lt=9, customer="cus_1"
    )
    [request] = seen
    assert request.headers["stripe-version"] == "2026-10-28.endive"
    assert request.headers["authorization"] == "Bearer rk_live_readerreader"
    assert "stripe-account" not in request.headers
    assert dict(request.url.params) == {
        "limit": "100", "status": "all", "customer": "cus_1", "created[gte]": "5", "created[lt]": "9",
        "expand[]": "data.discounts.source.coupon",
    }  # fmt: skip
    assert request.extensions["timeout"] == {"connect": 5.0, "read": 30.0, "write": 10.0, "pool": 30.0}


def test_a_lost_cursor_is_continued_by_a_fresh_query_at_its_second() -> None:
    """Trap B5: the object that the cursor stands on is deleted while the list is read."""
    asked: list[dict[str, str]] = []
    newer = page(ONE | {"id": "cus_3", "created": 30}, ONE | {"id": "cus_2", "created": 20}, has_more=True)
    lost = refusal(400, "resource_missing", "No such customer: 'cus_2'", param="starting_after")

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        if "starting_after" in request.url.params:
            return lost(request)
        older = request.url.params.get("created[lt]") == "21"
        return respond(page(ONE | {"id": "cus_1", "created": 10}) if older else newer)

    pages = list(reader(handler).pages(CUSTOMERS, purpose=Purpose.SWEEP, created_gte=5))
    assert [one.id for read in pages for one in read.items] == ["cus_3", "cus_2", "cus_1"]
    assert asked[-1] == {
        "limit": "100", "created[gte]": "5", "created[lt]": "21", "expand[]": "data.discount.source.coupon",
    }  # fmt: skip


ERROR = {"error": {"type": "invalid_request_error", "code": "charge_already_refunded", "message": "Already."}}
BODY = json.dumps(ERROR).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected", "words"),
    [
        (400, {}, BODY, Refused, "Already"),
        (402, {}, b'{"error":{"code":"card_declined","decline_code":"do_not_honor"}}', Refused, "do_not_honor"),
        (404, {}, b'{"error":{"code":"resource_missing"}}', Refused, "resource_missing"),
        (400, {}, b'{"error":{"type":"idempotency_error","message":"Other parameters."}}', Refused, "Other"),
        (401, {}, BODY, Refused, "act_key"),
        (403, {}, b'{"error":{"message":"Having the \'rak_refund_write\' permission"}}', Refused, "rak_refund_write"),
        (409, {}, BODY, Uncertain, "still running"),
        (429, {}, BODY, Uncertain, "same key"),
        (500, {}, BODY, Uncertain, "500"),
        (500, {"idempotent-replayed": "true"}, BODY, Uncertain, "repeats the failure"),
        (503, {}, b"", Uncertain, "503"),
        (400, {}, b"<html>", Uncertain, "400"),
        (404, {}, b"<html>", Uncertain, "404"),
        (302, {}, b"", Uncertain, "302"),
        (200, {}, b"not json", Uncertain, "200"),
        (None, {}, b"", Uncertain, "may have been done"),
    ],
)  # fmt: skip
def test_a_write_is_refused_only_where_stripe_says_that_nothing_was_done(
    status: int | None, headers: dict[str, str], body: bytes, expected: type, words: str
) -> None:
    error = action_error(status, headers, body, account="here", action="refund")
    assert type(error) is expected
    assert words in str(error)


def test_a_clock_that_stands_still_is_enough_to_read() -> None:
    clock = Clock()
    read = reader(lambda request: respond(page(ONE)), clock=clock)
    assert read.page(CUSTOMERS, purpose=Purpose.SWEEP).started_at == clock.now()
