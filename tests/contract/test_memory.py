"""Memory does not grow with the source: 50,000 rows take what 2,000 take."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract import memory

GROWTH_BYTES_MAX = 8 * 1024**2  # what an allocator may scatter; the rows themselves would be 40 MiB


@pytest.mark.parametrize("kind", memory.SOURCES)
def test_memory_is_flat_between_few_rows_and_many(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.contract.memory", kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    found = json.loads(done.stdout)
    assert (found["few"], found["many"]) == (memory.FEW, memory.MANY)
    assert found["grown_bytes"] < GROWTH_BYTES_MAX
