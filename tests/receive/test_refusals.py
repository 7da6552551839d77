"""What is refused: each has its answer, its counter, and leaves nothing behind."""

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from prometheus_client import Counter

from accounts.secret import Secret
from accounts.stripe.signatures import TOLERANCE_S, sign
from daemon.receive.refusals import BODY_BYTES_MAX
from daemon.store.db import open_store
from metrics.catalog import REJECTION_REASONS, webhook_rejected
from tests.receive.rig import NOW, WAIT_S, Rig, code, counted, event, receiving

TEN_MINUTES_S = 600


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Rig]:
    path = tmp_path_factory.mktemp("refusals") / "reconciled.db"
    path.write_bytes(sqlite_template.read_bytes())
    with pytest.MonkeyPatch.context() as patch, open_store(f"sqlite:///{path}") as store:
        for name in ("EU", "EU_OLD", "US", "PLATFORM"):
            patch.setenv(name, f"whsec_{name}")
        with receiving(store) as rig:
            yield rig


@pytest.fixture
def rig(running: Rig) -> Rig:
    """One receiver for all of these, since hardly anything gets in."""
    running.forget()
    return running


def assert_nothing_happened(rig: Rig) -> None:
    assert rig.inbox() == {}
    assert rig.marks() == {}


def test_a_path_without_an_account_of_ours_is_unknown(rig: Rig) -> None:
    with counted(webhook_rejected, reason="unknown_account") as grown:
        for path in ("nobody", "acct_nobody", "", "eu/", "eu/more", "EU", "%65u%00", "\u00e9u"):
            response = rig.post(event(), path)
            assert (response.status_code, code(response)) == (404, "unknown_account"), path
    assert grown == [8]
    assert_nothing_happened(rig)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_answered(rig: Rig, method: str) -> None:
    with counted(webhook_rejected, reason="method") as grown:
        response = rig.client.request(method, "/webhooks/stripe/eu")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert grown == [1]


def test_a_body_of_a_mebibyte_is_taken_and_one_byte_more_is_not(rig: Rig) -> None:
    """Trap A17: a body that is too large."""
    whole = msgspec.json.encode(event())
    padded = whole[:-1] + b" " * (BODY_BYTES_MAX - len(whole)) + b"}"
    assert len(padded) == BODY_BYTES_MAX
    assert rig.post(padded).status_code == 200
    with counted(webhook_rejected, reason="too_large") as grown:
        response = rig.post(b" " + padded)
    assert (response.status_code, code(response)) == (413, "too_large")
    assert grown == [1]
    assert set(rig.inbox()) == {"evt_1"}


def test_who_says_all_before_listening_hears_that_it_was_too_much(rig: Rig) -> None:
    """Trap A17: senders that read nothing before they have said everything, and want the connection closed."""
    size = 8 * BODY_BYTES_MAX
    head = "POST /webhooks/stripe/eu HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", rig.server.port), timeout=WAIT_S) as connection:
            connection.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode() + b" " * size)
            assert connection.recv(64).startswith(b"HTTP/1.1 413 ")
    assert_nothing_happened(rig)


def test_a_body_without_an_end_is_refused_before_it_ends(rig: Rig) -> None:
    """Trap A17: a body whose size nobody says."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = b"POST /webhooks/stripe/eu HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", rig.server.port), timeout=WAIT_S) as connection:
        connection.sendall(head)
        for _ in range(BODY_BYTES_MAX // 0x10000 + 1):
            connection.sendall(chunk)
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")
    assert_nothing_happened(rig)


def test_a_sender_who_goes_away_in_the_middle_leaves_nothing(rig: Rig) -> None:
    with socket.create_connection(("127.0.0.1", rig.server.port), timeout=WAIT_S) as connection:
        connection.sendall(b"POST /webhooks/stripe/eu HTTP/1.1\r\nHost: here\r\nContent-Length: 900\r\n\r\n{")
    assert rig.post(event("evt_2")).status_code == 200
    assert set(rig.inbox()) == {"evt_2"}


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_a_compressed_body_is_refused_and_told_so(rig: Rig, encoding: str) -> None:
    """Trap A17: a compressed body."""
    body = msgspec.json.encode(event())
    packed = gzip.compress(body) if encoding == "gzip" else body
    with counted(webhook_rejected, reason="encoded") as grown:
        response = rig.post(packed, content_encoding=encoding)
    assert (response.status_code, code(response)) == (400, "encoded_body")
    assert grown == [1]
    assert_nothing_happened(rig)


def test_a_signed_body_that_is_not_utf_8_is_refused(rig: Rig) -> None:
    """Trap A17: a body that is no text."""
    with counted(webhook_rejected, reason="not_utf8") as grown:
        response = rig.post(msgspec.json.encode(event())[:-1] + b',"name":"\xff\xfe"}')
    assert (response.status_code, code(response)) == (400, "bad_body")
    assert grown == [1]
    assert_nothing_happened(rig)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b"not json",
        msgspec.json.encode(event(object="charge")),
        msgspec.json.encode(event(id="evt 1")),
        msgspec.json.encode(event(id="../evt_1")),
        msgspec.json.encode(event(id="")),
        msgspec.json.encode(event(id="e" * 256)),
        msgspec.json.encode(event(type="a\u0000b")),
        msgspec.json.encode(event(created="never")),
        msgspec.json.encode(event(created="9999-12-31T23:59:59-14:00")),
        msgspec.json.encode(event(created=10**30)),
        msgspec.json.encode(event(livemode="yes")),
        msgspec.json.encode(event())[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_a_signed_body_that_is_no_event_is_refused(rig: Rig, body: bytes) -> None:
    with counted(webhook_rejected, reason="not_an_event") as grown:
        response = rig.post(body)
    assert (response.status_code, code(response)) == (400, "bad_body")
    assert grown == [1]
    assert_nothing_happened(rig)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("", "no_header"),
        ("nonsense", "malformed"),
        ("t=1795262400", "malformed"),
        ("v1=" + "a" * 64, "malformed"),
        ("t=1795262400,v1=" + "a" * 64, "forged"),
        ("t=1795262400," + ",".join(["v1=" + "a" * 64] * 17), "malformed"),
    ],
)
def test_a_signature_that_is_none_is_refused(rig: Rig, signature: str, reason: str) -> None:
    with counted(webhook_rejected, reason=reason) as grown:
        response = rig.post(event(), signature=signature)
    assert (response.status_code, code(response)) == (400, "bad_signature")
    assert grown == [1]
    assert_nothing_happened(rig)


def test_a_request_without_a_signature_is_refused(rig: Rig) -> None:
    with counted(webhook_rejected, reason="no_header") as grown:
        response = rig.client.post("/webhooks/stripe/eu", json=event())
    assert (response.status_code, code(response)) == (400, "bad_signature")
    assert grown == [1]


@pytest.mark.parametrize(
    ("skew_s", "reason"),
    [
        (-TOLERANCE_S - 1, "stale"), (TOLERANCE_S + 1, "future"),
        (-TEN_MINUTES_S, "stale"), (TEN_MINUTES_S, "future"),
    ],
)  # fmt: skip
def test_a_clock_that_is_wrong_is_named_and_counted(rig: Rig, skew_s: int, reason: str) -> None:
    """Trap A17: a clock that is ten minutes off, either way."""
    with counted(webhook_rejected, reason=reason) as grown:
        response = rig.post(event(), skew_s=skew_s)
    assert (response.status_code, code(response)) == (400, "bad_signature")
    assert "clock" in response.json()["detail"]
    assert grown == [1]
    assert_nothing_happened(rig)


@pytest.mark.parametrize("skew_s", [-TOLERANCE_S, TOLERANCE_S])
def test_a_clock_that_is_a_little_wrong_does_no_harm(rig: Rig, skew_s: int) -> None:
    assert rig.post(event(), skew_s=skew_s).status_code == 200


def test_a_changed_body_is_forged(rig: Rig) -> None:
    signed = sign(msgspec.json.encode(event()), Secret("whsec_EU"), int(NOW.timestamp()))
    with counted(webhook_rejected, reason="forged") as grown:
        response = rig.post(event("evt_2"), signature=signed)
    assert (response.status_code, code(response)) == (400, "bad_signature")
    assert grown == [1]


def test_a_body_is_not_looked_into_unless_its_signature_is_right(rig: Rig) -> None:
    """Trap A10: all signatures wrong: 400, and no look at the body."""
    response = rig.post(b"{ not even json", secret="whsec_WRONG")
    assert (response.status_code, code(response)) == (400, "bad_signature")


def test_a_refusal_tells_nothing_of_a_secret(rig: Rig) -> None:
    for response in (rig.post(event(), secret="whsec_WRONG"), rig.post(event(), "mute", secret="")):
        assert "whsec_E" not in response.text
        assert "whsec_W" not in response.text


def test_every_reason_is_counted_from_nought() -> None:
    assert reasons(webhook_rejected) == set(REJECTION_REASONS)


def test_a_connection_that_was_refused_can_be_used_again(rig: Rig) -> None:
    assert rig.post(b"x" * (BODY_BYTES_MAX + 1)).status_code == 413
    assert rig.post(event()).status_code == 200


def reasons(counter: Counter) -> set[str]:
    return {sample.labels["reason"] for family in counter.collect() for sample in family.samples}


def test_what_is_refused_reads_as_a_problem(rig: Rig) -> None:
    response: httpx.Response = rig.post(event(), "nobody")
    assert response.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "unknown_account",
        "detail": "No account or platform of this name is configured. The path ends in its id or its acct_… .",
    }
