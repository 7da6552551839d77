"""A real PostgreSQL for the commands that share one, and an installation whose pretend world was read once."""

from pathlib import Path

import pytest

from accounts.sandbox.server import Sandbox
from daemon import cli
from tests.cli.pretend import configured
from tests.store.conftest import postgres_template, server

__all__ = ["postgres_template", "server"]


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> str:
    path = configured(sandbox, tmp_path)
    assert cli.run(["--config", path, "sweep"]) == 0
    return path
