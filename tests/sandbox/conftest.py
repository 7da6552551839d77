"""A sandbox for the tests of one module, and a freshly stocked shop for each test."""

from collections.abc import Iterator

import pytest
import stripe

from accounts.sandbox.server import Sandbox
from tests.sandbox.shop import Shop, open_shop


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    stripe.enable_telemetry = False
    with Sandbox.start(accounts=0, customers=0) as running:
        yield running


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    return open_shop(sandbox)
