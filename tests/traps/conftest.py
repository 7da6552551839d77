"""A small pretend world that rests, watched by a daemon that the test itself moves on; on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store.db import Store
from tests.loop.rig import Rig, rigged
from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url
from tests.traps.scene import Scene, set_up

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Iterator[Rig]:
    with rigged(store, tmp_path, accounts=2, customers=12) as rig:
        rig.read_everything()
        rig.rest()
        rig.told()
        rig.sandbox.advance("30m")
        yield rig


@pytest.fixture
def scene(rig: Rig) -> Iterator[Scene]:
    with set_up(rig) as scene:
        yield scene
