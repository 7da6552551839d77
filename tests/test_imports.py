"""The import contracts hold, and each of them has been seen to break."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONTRACTS = [
    c["name"]
    for c in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]

# What somebody might write one day, and the contract that stops it.
VIOLATIONS = {
    "The folders are layers: the daemon judges, the accounts speak to the world, the metrics know neither": (
        "metrics/catalog.py",
        "import accounts.money",
    ),
    "Inside the daemon, what is decided never depends on who asks": (
        "daemon/settings.py",
        "import daemon.store.db",
    ),
    "The core is pure: no clock, no network, no disk": ("daemon/core/canonical.py", "import time"),
    "Only accounts.stripe knows Stripe's SDK": ("daemon/check.py", "import stripe"),
    "Tables and their language stay inside the store": ("daemon/cli.py", "import sqlmodel"),
    "Faces speak to the desk and the views, never to the store": (
        "daemon/faces/door.py",
        "import daemon.store.db",
    ),
    "The CRM, the product and Stripe do not know each other": (
        "accounts/crm/__init__.py",
        "import accounts.stripe.reads",
    ),
    "The real world does not know the pretend one": ("accounts/registry.py", "import accounts.sandbox.world"),
    "Threads, not async, outside the sandbox": ("accounts/limits.py", "import asyncio"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", "COLUMNS": "250"},
    )


def test_every_contract_is_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


def test_every_contract_has_a_violation_to_be_seen_breaking() -> None:
    assert set(VIOLATIONS) == set(CONTRACTS)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_contract_breaks_when_it_is_violated(contract: str, tmp_path: Path) -> None:
    for folder in ("accounts", "daemon", "metrics"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, line = VIOLATIONS[contract]
    with (tmp_path / file).open("a") as module:
        module.write(f"\n{line}\n")

    result = lint(tmp_path)

    assert result.returncode != 0
    assert f"{contract} BROKEN" in " ".join(result.stdout.split())
