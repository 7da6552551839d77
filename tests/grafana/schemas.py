"""Grafana's own types as JSON schemas, made by Node from the package that Grafana publishes them in."""

import fcntl
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.grafana.tools import TOOLS, tool

PINNED: Final = Path(__file__).parent / "node"
FILES: Final = ("package.json", "package-lock.json")
INSTALLED: Final = TOOLS / "node"
TYPES: Final = "node_modules/@grafana/schema/dist/types/raw"
INSTALL_S: Final = 300.0  # eight seconds where the registry is near

Schema = Mapping[str, Any]


@cache
def of_dashboard() -> Schema:
    return _made("dashboard/x", "Dashboard")


@cache
def of_options(kind: str) -> Schema:
    """What a panel of this kind may be told as a whole."""
    return _made(f"composable/{kind}/panelcfg/x", "Options")


@cache
def of_fields(kind: str) -> Schema:
    """What it may be told about each of its fields."""
    return _made(f"composable/{kind}/panelcfg/x", "FieldConfig")


def _made(folder: str, name: str) -> Schema:
    """Closed: a key that is misspelt is one that nobody reads."""
    _install()
    generator = "node_modules/ts-json-schema-generator/bin/ts-json-schema-generator.js"
    words = [
        tool("node"),
        generator,
        "--path",
        f"{TYPES}/{folder}/types.gen.d.ts",
        "--type",
        name,
        "--no-type-check",
    ]
    done = subprocess.run(words, cwd=INSTALLED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made: Schema = json.loads(done.stdout)
    return made


@cache
def _install() -> None:
    """Exactly what the lock names, once for all who test at the same time, and without running anything of it."""
    tool("node")
    wanted = [(PINNED / name).read_text("utf-8") for name in FILES]
    complete = INSTALLED / "complete"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if complete.exists() and complete.read_text("utf-8") == "".join(wanted):
            return
        for name, text in zip(FILES, wanted, strict=True):
            (INSTALLED / name).write_text(text, "utf-8")
        words = [tool("npm"), "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            words, cwd=INSTALLED, capture_output=True, text=True, check=False, timeout=INSTALL_S
        )
        assert done.returncode == 0, done.stderr
        complete.write_text("".join(wanted), "utf-8")
