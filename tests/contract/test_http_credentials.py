"""Credentials of sources over HTTP: tokens that end, secrets that are missing or rotated."""

from pathlib import Path

import httpx
import pytest

from accounts.crm import open_crm
from accounts.errors import Malformed, ObservationError, RateLimited, Refused, Unauthorized, Unreachable
from accounts.facts import Record
from tests.contract.rigs import parsed_crm
from tests.contract.web import OAUTH, TABLE, TOKEN, Clock, opened, page, read, reply, row, saying
from tests.contract.world import now


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
