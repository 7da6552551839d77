"""The sandbox's clock: follows real time from its start, can be moved ahead, and calls what is due on the way."""

import heapq
import itertools
import re
import time
from collections.abc import Callable

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Clock:
    def __init__(self, start: int, real: Callable[[], float] = time.monotonic) -> None:
        self._real = real
        self._offset = start - real()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def now(self) -> int:
        """Unix seconds."""
        return int(self.exact())

    def exact(self) -> float:
        return self._real() + self._offset

    def at(self, when: float, what: Callable[[], object]) -> None:
        """Calls `what` once the clock has passed `when`; at the next tick if it already has."""
        heapq.heappush(self._due, (when, next(self._order), what))

    def after(self, seconds: float, what: Callable[[], object]) -> None:
        self.at(self.exact() + seconds, what)

    def tick(self) -> None:
        """Calls whatever is due; the server does this many times a second."""
        self._until(self.exact())

    def advance(self, seconds: float) -> None:
        """Moves ahead. What falls due on the way sees the clock at its own time, in the order of the times."""
        self._until(self.exact() + seconds)

    def _until(self, end: float) -> None:
        while self._due and self._due[0][0] <= end:
            when, _, what = heapq.heappop(self._due)
            self._forward_to(when)
            what()
        self._forward_to(end)

    def _forward_to(self, when: float) -> None:
        self._offset += max(0.0, when - self.exact())


def seconds(duration: str) -> int:
    """Reads `90s`, `15m`, `25h` or `30d`; raises ValueError for anything else."""
    found = re.fullmatch(r"(\d+)([smhd])", duration.strip())
    if found is None:
        raise ValueError(f"“{duration}” is not a duration; write 90s, 15m, 25h or 30d")
    return int(found[1]) * SECONDS[found[2]]
