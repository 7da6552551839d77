"""Packages of npm: exactly those that a lock names, in the folder of the tools."""

import fcntl
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from tests.grafana.tools import TOOLS, tool

FILES: Final = ("package.json", "package-lock.json")
INSTALL_S: Final = 600.0  # eight seconds for the schema, 40 for the components, where the registry is near


@cache
def installed(pinned: Path) -> Path:
    """Where they are: once for all who need them at the same time, and without running anything of them."""
    tool("node")
    folder = TOOLS / pinned.name
    wanted = [(pinned / name).read_text("utf-8") for name in FILES]
    complete = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if complete.exists() and complete.read_text("utf-8") == "".join(wanted):
            return folder
        for name, text in zip(FILES, wanted, strict=True):
            (folder / name).write_text(text, "utf-8")
        words = [tool("npm"), "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_S
        )
        assert done.returncode == 0, done.stderr
        complete.write_text("".join(wanted), "utf-8")
    return folder
