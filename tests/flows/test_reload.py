"""A reload that takes an account away, in the middle of what is done for it."""

import threading
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from accounts.budget import Purpose
from accounts.sandbox.server import Sandbox
from accounts.stripe.reads import Page, Reader
from accounts.stripe.resources import Resource
from daemon.store import passes
from daemon.store.db import Store
from daemon.sweep.classes import CLASSES
from tests.cli.pretend import PATIENCE_S, configured, daemon_of, until

GONE = "acme-us"


def without(text: str, account: str) -> str:
    head, *accounts = text.split("[[accounts]]")
    return "[[accounts]]".join([head, *(each for each in accounts if f'id = "{account}"' not in each)])


def complete(store: Store, account: str) -> set[str]:
    """The classes of which a pass has ended."""
    with store.reading() as session:
        return {each.class_name for each in passes.complete(session) if each.account == account}


def test_a_sweep_of_an_account_that_a_reload_took_away_ends_quietly_and_goes_on_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, arrived, away = Reader.page, threading.Event(), threading.Event()
    asked: list[str] = []

    def held(reader: Reader, resource: Resource, **query: Any) -> Page:
        if reader.account == GONE and query["purpose"] is Purpose.SWEEP:
            asked.append(resource.name)
            arrived.set()
            assert away.wait(PATIENCE_S)
        return page(reader, resource, **query)

    monkeypatch.setattr(Reader, "page", held)
    with Sandbox.start(accounts=2, customers=10) as sandbox, capture_logs() as lines:

        def said(event: str) -> list[Any]:
            return [line for line in lines if line["event"] == event and line.get("account") == GONE]

        file = Path(configured(sandbox, tmp_path))
        whole = file.read_text()
        with daemon_of(str(file)) as daemon:
            assert arrived.wait(PATIENCE_S)
            file.write_text(without(whole, GONE))
            daemon.reload()
            under_way = len(asked)
            away.set()
            until(lambda: said("sweep_ended"))
            until(lambda: daemon.runner.rest(0))
            assert len(asked) - under_way <= 8, "each thread may have been about to ask"
            classes = {each.resource.name for each in CLASSES}
            assert not classes <= complete(daemon.store, GONE)
            file.write_text(whole)
            daemon.reload()
            until(lambda: classes <= complete(daemon.store, GONE))
    assert len(said("sweep_ended")) == 1
    assert [line for line in lines if line["log_level"] in ("error", "critical")] == []
