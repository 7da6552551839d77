"""Grafana's own types as JSON schemas, made by Node from the package that Grafana publishes them in."""

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.grafana.packages import installed
from tests.grafana.tools import tool

PINNED: Final = Path(__file__).parent / "node"
TYPES: Final = "node_modules/@grafana/schema/dist/types/raw"

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
    packages = installed(PINNED)
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
    done = subprocess.run(words, cwd=packages, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made: Schema = json.loads(done.stdout)
    return made
