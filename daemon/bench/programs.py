"""Programs of a measurement, each in a process of its own: so that its memory and its processor time are its own."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from accounts.errors import Explained

END_S: Final = 20.0  # for a program that was asked to end


class Broken(Explained):
    """A measurement did not come to its end; the message says which part."""


@contextmanager
def running(module: str, *arguments: object, start_s: float) -> Iterator[str]:
    """The first line that it says, which is where it can be reached. It is ended with the block."""
    with subprocess.Popen(
        _command(module, arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        late = threading.Timer(start_s, process.kill)
        late.start()
        try:
            said = process.stdout.readline().strip()
            late.cancel()
            if not said:
                raise Broken(f"{module} has not started within {start_s:.0f} s, or died.")
            yield said
        finally:
            late.cancel()
            process.terminate()
            try:
                process.communicate(timeout=END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def told(module: str, *arguments: object, within_s: float) -> dict[str, Any]:
    """What it found, as the JSON that it printed at its end."""
    try:
        done = subprocess.run(
            _command(module, arguments), stdout=subprocess.PIPE, check=True, timeout=within_s
        )
        found: dict[str, Any] = msgspec.json.decode(done.stdout)
    except subprocess.TimeoutExpired:
        raise Broken(f"{module} has not ended within {within_s:.0f} s.") from None
    except (subprocess.CalledProcessError, msgspec.DecodeError) as problem:
        raise Broken(f"{module} failed: {problem}.") from None
    return found


def _command(module: str, arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]
