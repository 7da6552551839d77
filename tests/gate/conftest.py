"""A gate on loopback with a pretend Stripe behind it; `gate_everywhere` is one on either database."""

from collections.abc import Iterator

import pytest

from tests.faces.conftest import (
    empty_url,
    everywhere,
    postgres_template,
    sandbox,
    served,
    server,
    sqlite_template,
    store,
    url,
)
from tests.faces.served import Served
from tests.gate.shop import Gate

__all__ = [
    "empty_url", "everywhere", "postgres_template", "sandbox", "served", "server", "sqlite_template", "store", "url",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client heeds the environment's proxies, and none leads to loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def gate(served: Served) -> Iterator[Gate]:
    with Gate(served) as opened:
        yield opened


@pytest.fixture
def gate_everywhere(everywhere: Served) -> Iterator[Gate]:
    with Gate(everywhere) as opened:
        yield opened
