"""One sandbox for a module's tests, and a stocked account of it for each test."""

from collections.abc import Iterator

import pytest

from accounts.sandbox.server import Sandbox
from tests.accounts.building import Opened, opened
from tests.sandbox.shop import Shop, open_shop


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=0, customers=0) as running:
        yield running


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    return open_shop(sandbox)


@pytest.fixture
def here(shop: Shop) -> Iterator[Opened]:
    with opened(shop.sandbox.url, shop.account.id, shop.key) as one:
        yield one
