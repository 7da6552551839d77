"""Where the programs of others are: installed, or unpacked by `make .venv/.tools`."""

import os
import shutil
import sys
from pathlib import Path

import pytest

TOOLS = Path(sys.prefix) / "tools"
UNPACKED = TOOLS / "usr" / "bin"


def tool(name: str) -> str:
    """Its path. Without it the test is skipped, which in CI is a failure."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{UNPACKED}")
    if found is None:
        pytest.skip(f"{name} is not here; `make .venv/.tools` unpacks it, or says what to install")
    return found


def started(name: str) -> list[str]:
    """The words that start it, also where it was unpacked and not installed.

    Debian's Alertmanager looks for its templates under /usr/share, wherever it lies itself: one that was unpacked sees
    its own there, and nobody else does. The others are told where their libraries are, and Chromium is started without
    the script that would look for it under /usr/lib.
    """
    path = tool(name)
    if not path.startswith(str(UNPACKED)):
        return [path]
    if name == "prometheus-alertmanager":
        see = f'mount --bind "{TOOLS / "usr" / "share"}" /usr/share && exec "$0" "$@"'
        return [tool("unshare"), "--map-root-user", "--mount", "sh", "-c", see, path]
    lies = TOOLS / "usr" / "lib"
    libraries = [*lies.glob("*-linux-gnu"), *lies.glob("*-linux-gnu/pulseaudio")]
    program = str(lies / name / name) if name == "chromium" else path
    return [tool("env"), f"LD_LIBRARY_PATH={':'.join(map(str, libraries))}", program]
