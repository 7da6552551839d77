"""Who comes in, how often and with how much; and that nothing hostile is answered with a fault."""

import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as some

from accounts.sandbox.server import Sandbox
from daemon import logs
from daemon.desk.credentials import make
from daemon.faces.door import BODY_BYTES_MAX
from daemon.faces.rates import Rates
from daemon.store import journal, schema
from daemon.store.db import open_store
from daemon.store.errors import Unavailable
from tests.faces.served import WAIT_S, Served, code

APPROVE = "/api/v1/cases/case_1/approve"


class Written(io.StringIO):
    """A log that one can wait for: the answer is sent before it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.something = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        self.something.set()
        return count


@pytest.fixture(scope="module")
def standing(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that many tests may throw things at: none of them changes it."""
    folder: Path = tmp_path_factory.mktemp("standing")
    address = f"sqlite:///{folder / 'reconciled.db'}"
    schema.upgrade(address)
    with open_store(address) as store, Served(sandbox, store, folder / "etc") as running:
        app_rates = Rates(per_s=1e6, burst=1e6)
        running.with_rates(app_rates)
        yield running


@pytest.fixture(scope="module")
def ana(standing: Served) -> httpx.Client:
    return standing.person("ana", "admin")


def test_nobody_comes_in_without_a_token(standing: Served) -> None:
    for path in (
        "/api/v1/cases",
        "/api/v1/me",
        "/api/v1/journal/head",
        "/api/v1/approvals/prp_1",
        "/api/v1/nowhere",
    ):
        answer = standing.client().get(path)
        assert code(answer) == (401, "token_missing")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert code(standing.client().post(APPROVE, json={})) == (401, "token_missing")
    assert code(standing.client("rcl_short").get("/api/v1/me")) == (401, "token_mistyped")
    assert code(standing.client(make("token")).get("/api/v1/me")) == (401, "token_unknown")
    basic = standing.client(authorization="Basic YWxpY2U6c2VjcmV0")
    assert code(basic.get("/api/v1/me")) == (401, "token_missing")


def test_both_headers_that_clients_use_are_understood(standing: Served, ana: httpx.Client) -> None:
    token = str(ana.headers["authorization"]).removeprefix("Bearer ")
    for headers in (
        {"authorization": f"bearer {token}"},
        {"x-api-key": token},
        {"X-API-Key": f"{token}"},
    ):
        answer = standing.client(**headers).get("/api/v1/me")
        assert answer.json()["name"] == "ana"
        assert answer.headers["cache-control"] == "no-store"


def test_whoever_asks_too_often_is_told_when_to_come_again(served: Served) -> None:
    clock = iter([0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 3.0])
    agent, other = served.program("shop"), served.program("other")
    served.with_rates(Rates(per_s=0.5, burst=2, clock=lambda: next(clock)))
    assert [agent.get("/api/v1/me").status_code for _ in range(2)] == [200, 200]
    refused = agent.get("/api/v1/me")
    assert code(refused) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == "2"
    assert other.get("/api/v1/me").status_code == 200, "each token has its own"
    assert agent.get("/api/v1/me").status_code == 429
    assert agent.get("/api/v1/me").status_code == 200


def test_the_idle_longest_bucket_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.faces.rates.KEYS_MAX", 2)
    rates = Rates(per_s=0.001, burst=1, clock=lambda: 0.0)
    assert [rates.wait_s(key) > 0 for key in ("a", "b", "a", "c", "a", "b")] == [
        False, False, True, False, True, False,
    ]  # fmt: skip


def test_what_changes_something_is_json_of_a_bounded_size(standing: Served, ana: httpx.Client) -> None:
    for declared in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = ana.post(APPROVE, content=b"{}", headers={"content-type": declared})
        assert code(answer) == (415, "not_json")
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    assert code(ana.post(APPROVE, content=b"{}", headers=packed)) == (415, "encoded_body")
    large = b'{"note": "' + b"x" * BODY_BYTES_MAX + b'"}'
    declared_json = {"content-type": "application/json"}
    assert code(ana.post(APPROVE, content=large, headers=declared_json)) == (413, "too_large")
    pieces = (large[n : n + 65_536] for n in range(0, len(large), 65_536))
    assert code(ana.post(APPROVE, content=pieces, headers=declared_json)) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "bad_request"),
        (b"{", "bad_body"),
        (b"\xff\xfe", "bad_body"),
        (b"[" * 100_000, "bad_body"),
        (b'{"a":' * 20 + b"1" + b"}" * 20, "bad_body"),
        (b'{"version":1,"version":2}', "bad_body"),
        (b'{"version":1.5}', "bad_number"),
        (b'{"version":1e3}', "bad_number"),
        (b'{"version":NaN}', "bad_number"),
        (b'{"version":9007199254740993}', "bad_number"),
        (b'{"version":' + b"9" * 5_000 + b"}", "bad_number"),
        (b'{"note":"\\u0000"}', "bad_text"),
        (b'{"note":"\\ud800"}', "bad_text"),
        (b"[]", "bad_request"),
        (b"null", "bad_request"),
        (b'{"version":"1","state_hash":"x"}', "bad_request"),
        (b'{"version":true,"state_hash":"' + b"0" * 64 + b'"}', "bad_request"),
        (b'{"version":1,"state_hash":"' + b"0" * 64 + b'","verson":1}', "bad_request"),
        (b'{"version":1,"state_hash":"' + b"0" * 64 + b'"}', "unknown_case"),
    ],
)
def test_a_body_that_cannot_be_meant_is_refused_in_words(
    ana: httpx.Client, body: bytes, expected: str
) -> None:
    answer = ana.post(APPROVE, content=body, headers={"content-type": "application/json"})
    assert code(answer)[1] == expected
    assert answer.status_code in {404, 422}


def test_what_was_typed_is_never_repeated(ana: httpx.Client) -> None:
    planted = "rk_live_PLANTED00000000"
    for body in ({"version": planted}, {planted: 1}, {"version": 1, "state_hash": planted, "note": 3}):
        assert "PLANTED" not in ana.post(APPROVE, json=body).text
    assert "PLANTED" not in ana.get("/api/v1/cases", params={"limit": planted}).text


def test_a_nul_in_an_address_is_refused(ana: httpx.Client) -> None:
    for path in ("/api/v1/cases/a%00b", "/api/v1/cases?q=%00", "/api/v1/accounts/%00"):
        assert code(ana.get(path)) == (400, "bad_text")


def test_a_method_that_a_path_does_not_have_is_named(ana: httpx.Client) -> None:
    answer = ana.get("/api/v1/cases/case_1/approve")
    assert code(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    assert code(ana.put("/api/v1/cases", json={})) == (405, "method_not_allowed")
    assert code(ana.get("/api/v1/nowhere")) == (404, "unknown_path")
    assert code(ana.get("/nowhere")) == (404, "unknown_path")


def test_a_fault_of_ours_shows_nothing_of_itself(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, written = served.program("shop"), Written()
    logs.configure("json", written)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("rk_live_PLANTED00000000 in /etc/secret.py")

    monkeypatch.setattr("daemon.overview.standing", broken)
    answer = agent.get("/api/v1/stats")
    assert code(answer) == (500, "internal")
    assert "PLANTED" not in answer.text
    assert "secret.py" not in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert written.something.wait(WAIT_S)
    assert "request_failed" in written.getvalue()
    assert "PLANTED" not in written.getvalue()


def test_a_database_that_does_not_answer_is_no_fault(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = served.program("shop")

    def away(*_: object) -> None:
        raise Unavailable("The database reconciled.db does not answer.")

    monkeypatch.setattr("daemon.overview.standing", away)
    monkeypatch.setattr("daemon.store.tokens.touch", away)
    assert agent.get("/api/v1/me").status_code == 200, "that a token was used may be noted later"
    for broken in ("daemon.overview.standing", "daemon.store.tokens.of_digest"):
        monkeypatch.setattr(broken, away)
        answer = agent.get("/api/v1/stats")
        assert code(answer) == (503, "store_unavailable")
        assert answer.headers["retry-after"]
        assert "reconciled.db" not in answer.text


def test_whoever_hangs_up_in_the_middle_harms_nobody(standing: Served, ana: httpx.Client) -> None:
    token = str(ana.headers["authorization"])
    with socket.create_connection(("127.0.0.1", standing.server.port)) as line:
        head = f"POST {APPROVE} HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n"
        line.sendall((head + "content-type: application/json\r\ncontent-length: 100\r\n\r\n{").encode())
    assert ana.get("/api/v1/me").status_code == 200


def test_reading_changes_nothing(standing: Served, ana: httpx.Client) -> None:
    def head() -> journal.ExportedHead:
        with standing.store.reading() as session:
            return journal.head(session)

    before = head()
    for path in _paths(ana, "get"):
        assert ana.get(path).status_code in {200, 404}, path
    assert head() == before


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)
LIKELY = some.fixed_dictionaries(
    {},
    optional={
        "version": some.integers() | JSON,
        "state_hash": some.just("0" * 64) | JSON,
        "details": some.dictionaries(some.sampled_from(["charge", "amount", "currency", "reason"]), JSON) | JSON,
        "account": some.just("eu-1") | JSON,
        "action": some.sampled_from(["refund", "message", "crm_update"]) | JSON,
        "rows": some.lists(JSON, max_size=3),
        "to": JSON, "until": JSON, "text": JSON, "reason": JSON, "note": JSON, "key": JSON, "code": JSON,
        "name": JSON, "user": JSON, "role": JSON, "accounts": JSON, "state": JSON, "expires_in": JSON,
        "callback_url": JSON, "execution": JSON,
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def posts(ana: httpx.Client) -> list[str]:
    return _paths(ana, "post")


@given(some.data())
@how(max_examples=150, deadline=None, database=None)
def test_no_body_and_no_path_is_answered_with_a_fault(ana: httpx.Client, posts: list[str], data: Any) -> None:
    path = data.draw(some.sampled_from(posts))
    body = data.draw(LIKELY | JSON)
    content = json.dumps(body).encode()
    answer = ana.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code < 500 or answer.json()["code"] == "unreadable", (path, body, answer.text)


@given(
    some.sampled_from(["q", "cursor", "limit", "sort", "due_before", "amount_min", "kind", "wait"]),
    some.text(),
)
@how(max_examples=100, deadline=None, database=None)
def test_no_query_is_answered_with_a_fault(ana: httpx.Client, name: str, value: str) -> None:
    for path in ("/api/v1/cases", "/api/v1/journal", "/api/v1/approvals/prp_1"):
        answer = ana.get(path, params={name: value.encode("utf-8", "replace")})
        assert answer.status_code < 500, (path, name, value, answer.text)


def _paths(client: httpx.Client, method: str) -> list[str]:
    """Every path of this method, with something in place of its names."""
    paths = client.get("/openapi.json").json()["paths"]
    found = [path for path, methods in paths.items() if method in methods]
    return sorted(
        path.replace("{id}", "case_1").replace("{source}", "hubspot").replace("{name}", "default")
        .replace("{version}", "0" * 64)
        for path in found
        if path not in {"/api/v1/login", "/api/v1/actions"}
    )  # fmt: skip
