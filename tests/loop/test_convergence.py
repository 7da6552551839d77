"""The one property: once the world rests, the standing cases depend on its final state, not on how it came there."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from daemon.store.db import open_store
from tests.loop.histories import CUSTOMERS, History, Step, end, steps
from tests.loop.rig import Rig, rigged

# What these say depends on when we began to watch: “after adoption”.
OF_OUR_OWN_TIME = {
    "dispute_update",
    "refund_failed",
    "payout_failed",
    "unapproved_money_move",
    "account_degraded",
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


@pytest.fixture(scope="module")
def empty(sqlite_template: Path) -> Path:
    return sqlite_template


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(history=st.lists(steps, min_size=3, max_size=20), seed=st.integers(0, 3))
def test_the_cases_of_a_world_at_rest_do_not_depend_on_its_history(
    empty: Path, history: list[Step], seed: int
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="history-"))
    try:
        for name in ("lived.db", "fresh.db"):
            shutil.copy(empty, folder / name)
        with (
            open_store(f"sqlite:///{folder / 'lived.db'}") as store,
            rigged(store, folder, seed=seed, accounts=2, customers=CUSTOMERS) as rig,
        ):
            rig.read_everything()
            rig.rest()
            lived = History(rig)
            for step in history:
                step.take(lived)
            end(lived)
            with open_store(f"sqlite:///{folder / 'fresh.db'}") as other:
                fresh = Rig(rig.sandbox, other, folder)
                fresh.read_everything()
                fresh.rest()
                note(f"only after this history: {sorted(said(rig) - said(fresh), key=str)}")
                note(f"only for who comes fresh: {sorted(said(fresh) - said(rig), key=str)}")
                assert said(rig) == said(fresh)
                fresh.works.systems.close()
    finally:
        shutil.rmtree(folder)
