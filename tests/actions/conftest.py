"""One sandbox for a module's tests, and an account of its own with hands for each test."""

from collections.abc import Iterator

import pytest

from accounts.sandbox.server import Sandbox
from tests.actions.rig import PRETEND_TOKENS, Neighbours, Rig, neighbours, rigged
from tests.sandbox.shop import open_shop


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=0, customers=0) as running:
        yield running


@pytest.fixture(scope="module")
def others(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    with pytest.MonkeyPatch.context() as patched:
        for name, token in PRETEND_TOKENS.items():
            patched.setenv(name, token)
        with neighbours(sandbox, tmp_path_factory.mktemp("sources")) as opened:
            yield opened


@pytest.fixture
def rig(others: Neighbours) -> Iterator[Rig]:
    with rigged(open_shop(others.sandbox), others) as one:
        yield one
