"""What the server answers beside webhooks: whether it lives, whether it can work, and what it did."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from daemon import serve
from daemon.asgi import Receive, Scope, Send, answer
from daemon.serve import CannotListen, Server, Site
from tests.receive.rig import WAIT_S, code


@contextmanager
def serving(site: Site) -> Iterator[httpx.Client]:
    server = Server("127.0.0.1:0", site)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=WAIT_S) as client:
            yield client
    finally:
        server.stop()
        thread.join(WAIT_S)
    assert not thread.is_alive()


def test_a_process_that_lives_says_so() -> None:
    with serving(Site()) as client:
        response = client.get("/healthz")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        assert client.head("/healthz").status_code == 200


def test_a_process_that_is_broken_says_what_broke() -> None:
    with serving(Site(alive=lambda: "The thread poll ended.")) as client:
        response = client.get("/healthz")
    assert (response.status_code, code(response)) == (503, "broken")
    assert response.json()["detail"] == "The thread poll ended."


def test_it_is_ready_when_every_check_passes() -> None:
    wrong: dict[str, str | None] = {"database": None, "clock": None}
    checks: dict[str, Callable[[], str | None]] = {
        "database": lambda: wrong["database"],
        "clock": lambda: wrong["clock"],
    }
    with serving(Site(checks=checks)) as client:
        response = client.get("/readyz")
        assert (response.status_code, response.json()["checked"]) == (200, ["database", "clock"])
        wrong |= {"database": "The database does not answer.", "clock": "The clock stands still."}
        response = client.get("/readyz")
        assert (response.status_code, code(response)) == (503, "not_ready")
        assert response.json()["detail"] == "The database does not answer. The clock stands still."


def test_a_check_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "CHECKS_S", 0.05)
    over = threading.Event()

    def hang() -> None:
        over.wait(WAIT_S)

    with serving(Site(checks={"database": hang})) as client:
        assert code(client.get("/readyz")) == "not_ready"
        assert client.get("/healthz").status_code == 200
        over.set()


@pytest.mark.parametrize(
    ("accept", "parse", "content_type"),
    [
        ("*/*", prometheus, "text/plain"),
        ("application/openmetrics-text; version=1.0.0", openmetrics, "application/openmetrics-text"),
    ],
)
def test_metrics_come_in_the_form_that_was_asked_for(accept: str, parse: Any, content_type: str) -> None:
    with serving(Site(metrics=True)) as client:
        response = client.get("/metrics", headers={"accept": accept})
    assert response.headers["content-type"].startswith(content_type)
    names = {family.name for family in parse(response.text)}
    assert "reconciled_webhook_rejected" in names
    assert "reconciled_events_received" in names


def test_metrics_can_be_asked_for_by_name() -> None:
    with serving(Site(metrics=True)) as client:
        response = client.get("/metrics", params={"name[]": "reconciled_events_duplicate_total"})
    assert {family.name for family in prometheus(response.text)} == {"reconciled_events_duplicate"}


def test_what_is_not_served_is_not_there() -> None:
    with serving(Site()) as client:
        for path in ("/", "/metrics", "/readyz", "/webhooks/stripe/eu", "/healthz/more"):
            assert (client.get(path).status_code, code(client.get(path))) == (404, "unknown_path")


def test_what_is_read_is_not_written() -> None:
    with serving(Site(metrics=True)) as client:
        for path in ("/healthz", "/metrics"):
            response = client.post(path)
            assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


def test_webhooks_come_before_everything_else_and_a_framework_after() -> None:
    def named(name: str) -> Any:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await answer(200, name.encode(), b"text/plain").send(send)

        return app

    with serving(Site(webhooks=named("webhooks"), rest=named("rest"))) as client:
        assert client.post("/webhooks/stripe/eu").text == "webhooks"
        assert client.get("/webhooks/stripe").text == "rest"
        assert client.get("/api/v1/cases").text == "rest"
        assert client.get("/healthz").json() == {"status": "ok"}


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port} cannot be listened on"):
            Server(f"127.0.0.1:{port}", Site())
