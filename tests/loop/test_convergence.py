"""The one property: once the world rests, the standing cases depend on its final state, not on how it came there."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from accounts.sandbox.server import Sandbox
from daemon.store.db import open_store
from tests.databases import Server
from tests.loop.histories import ACCOUNTS, CUSTOMERS, History, Step, end, steps
from tests.loop.rig import Rig
from tests.loop.whole import Whole
from tests.store.conftest import DATABASES

# What these say depends on when we began to watch: “after adoption”.
OF_OUR_OWN_TIME = {
    "dispute_update",
    "refund_failed",
    "payout_failed",
    "unapproved_money_move",
    "account_degraded",
    "event_gap",
}


# Who watched knows that a customer was deleted; who comes later, only that there is none.
KNOWN_BETTER = {"stripe_customer_missing"}


def said(rig: Rig) -> set[tuple[object, ...]]:
    """What stands, with all that is material."""
    return {
        (
            row.account,
            row.kind,
            row.fingerprint,
            (row.subject_kind, row.subject_id),
            row.severity,
            (row.due_at, row.due_order),
            None if row.kind in KNOWN_BETTER else (row.title, row.facts_hash),
        )
        for row in rig.standing()
        if row.kind not in OF_OUR_OWN_TIME
    }


@contextmanager
def databases(request: pytest.FixtureRequest, kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Two empty ones: for who lives through a history, and for who comes fresh."""
    if kind == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        paths = [folder / name for name in ("lived.db", "fresh.db")]
        for path in paths:
            shutil.copy(template, path)
        yield f"sqlite:///{paths[0]}", f"sqlite:///{paths[1]}"
        return
    server: Server = request.getfixturevalue("server")
    name: str = request.getfixturevalue("postgres_template")
    with server.database(name) as lived, server.database(name) as fresh:
        yield lived, fresh


# A history of each kind of change: cases that open, that change, and that resolve again, and a daemon that dies.
EVENTFUL = [
    Step("disputes", ("acme-eu", 1, 4, "heard")),
    Step("disputes", ("acme-eu", 4, 4, "lost")),
    *(Step("product", (row, {"plan": "team"})) for row in range(4)),
    Step("dies", ("look", "acme-eu", 2, False)),
    Step("time_passes", (60,)),
    Step("look", ()),
    Step("dispute_moves", ("acme-eu", "under_review", "twice")),
    *(Step("product", (row, {"plan": "gold"})) for row in range(4)),
    Step("dies", ("sweep", "acme-eu", 7, True)),
    Step("late_events_come", ()),
    Step("dies", ("product_pass", "acme-eu", 1, False)),
]

# A row that no account's list shows any more, and that is read by its key before a pass misses it.
NOBODYS = [
    Step("crm_pass", ()),
    Step("product", (4, {"stripe_account": None})),
    Step("gives_back", ("acme-eu", 3, "heard")),
]


@pytest.mark.parametrize("kind", DATABASES)
@settings(
    max_examples=int(os.environ.get("HISTORIES", "3")),
    derandomize="HISTORIES" not in os.environ,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
@example(history=EVENTFUL, seed=0)
@example(history=NOBODYS, seed=0)
@given(history=st.lists(steps, min_size=3, max_size=20), seed=st.integers(0, 3))
def test_the_cases_of_a_world_at_rest_do_not_depend_on_its_history(
    request: pytest.FixtureRequest, kind: str, history: list[Step], seed: int
) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="history-") as name,
        databases(request, kind, Path(name)) as (lived_url, fresh_url),
        Sandbox.start(seed, len(ACCOUNTS), CUSTOMERS) as sandbox,
        open_store(lived_url) as store,
        open_store(fresh_url) as other,
        ExitStack() as stack,
    ):
        rig = stack.enter_context(closing(Whole(sandbox, store, Path(name))))
        rig.rest()
        lived = History(rig)
        for step in history:
            step.take(lived)
        end(lived)
        fresh = stack.enter_context(closing(Whole(sandbox, other, Path(name))))
        fresh.rest()
        note(f"only after this history: {sorted(said(rig) - said(fresh), key=str)}")
        note(f"only for who comes fresh: {sorted(said(fresh) - said(rig), key=str)}")
        assert said(rig) == said(fresh)
