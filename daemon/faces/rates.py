"""How often somebody may ask: a bucket for each token, which fills slowly and is emptied by requests."""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

# A person's page asks ten things at once, fifty agents behind one token poll every second; more than this is a loop
# that went wrong, and still leaves nine tenths of the server to others.
REQUESTS_PER_S: Final = 50.0
BURST: Final = 1_000.0
KEYS_MAX: Final = 10_000  # whoever was idle longest is forgotten, which only gives them a full bucket


class Rates:
    """Safe for any number of threads."""

    def __init__(
        self,
        per_s: float = REQUESTS_PER_S,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[
            str, tuple[float, float]
        ] = {}  # what is left, and when that was so; idle ones first

    def wait_s(self, key: str) -> int:
        """Takes one request out of this bucket; where it is empty, after how many whole seconds to come again."""
        with self._lock:
            now = self._clock()
            left, since = self._buckets.pop(key, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._per_s)
            allowed = left >= 1
            self._buckets[key] = (left - 1 if allowed else left, now)
            if len(self._buckets) > KEYS_MAX:
                del self._buckets[next(iter(self._buckets))]
        return 0 if allowed else math.ceil((1 - left) / self._per_s)
