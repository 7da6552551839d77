"""Passes over much: what they take of memory does not depend on how much there is."""

import gc
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.sandbox.server import Sandbox
from daemon.store.db import Store
from daemon.sweep.classes import CLASSES
from tests.flows.rig import DAY_S, Rig

FEW, MANY = 600, 6_000
KEPT_BYTES_MAX = (
    200  # of each object; a row has more than 1,000. The pretend Stripe in this process takes some 80
)


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Iterator[Rig]:
    with Sandbox.start(accounts=1, customers=0) as sandbox, Rig(sandbox, store, tmp_path / "etc") as built:
        yield built


def test_a_sweep_of_ten_times_as_much_takes_no_more_memory(rig: Rig) -> None:
    """Trap B11: read, stored and compared page by page; the first time, and when nothing has changed."""
    rig.start([each for each in CLASSES if each.resource.name == "customers"], slices=1)

    def peak(count: int) -> int:
        rig.advance(timedelta(seconds=2))
        rig.sweep.demand(rig.slug, whole=True)
        gc.collect()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert rig.sweep.sweep(rig.slug).complete == {"customers": count}
        return tracemalloc.get_traced_memory()[1] - before

    rig.customers(*range(0, FEW * DAY_S, DAY_S), prefix="cus_few")
    tracemalloc.start()
    try:
        peak(FEW)  # what is allocated once
        few = peak(FEW)
        rig.customers(*range(0, (MANY - FEW) * 3_600, 3_600), prefix="cus_many")
        new, unchanged = peak(MANY), peak(MANY)
    finally:
        tracemalloc.stop()
    assert max(new, unchanged) - few < KEPT_BYTES_MAX * (MANY - FEW)
