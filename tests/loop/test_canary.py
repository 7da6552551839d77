"""The canary comes through every stage, and is missed where one of them stands still."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.canary import LANE
from daemon.store.db import Store
from metrics.catalog import REGISTRY
from tests.loop.rig import Rig, rigged


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Iterator[Rig]:
    with rigged(store, tmp_path, accounts=1, customers=3) as rig:
        yield rig


def came(stage: str) -> float | None:
    return REGISTRY.get_sample_value("reconciled_canary_timestamp_seconds", {"stage": stage})


def test_the_scan_finds_it_and_a_look_lets_it_go(rig: Rig) -> None:
    rig.works.canary.fly()
    assert rig.turns.run() == 0  # nobody told the engine
    rig.rest()
    stages = [came(stage) for stage in ("marked", "taken", "done")]
    assert stages == sorted(each for each in stages if each)
    assert rig.works.canary.missing() is None


def test_it_is_missed_while_nothing_is_looked_at(rig: Rig) -> None:
    rig.works.canary.fly()
    rig.sandbox.advance("10m")
    missing = rig.works.canary.missing()
    assert missing is not None
    assert "600" in missing or "601" in missing
    rig.turns.wake("look", LANE)
    rig.turns.run()
    assert rig.works.canary.missing() is None
