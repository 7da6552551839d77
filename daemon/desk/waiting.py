"""Waiting for a decision: bounded, woken by what this process decides and does, and looking now and then for others."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

WAIT_S_MAX: Final = 55.0  # below the minute after which proxies and clients hang up
OTHERS_LOOK_EVERY_S: Final = 1.0  # for what another process decided, and for what time alone changes


class Changes:
    """Tells everybody who waits that something about some proposal has changed."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._number = 0

    def tell(self) -> None:
        with self._condition:
            self._number += 1
            self._condition.notify_all()

    def wait_for(self, look: Callable[[], T], is_it: Callable[[T], bool], timeout_s: float) -> T:
        """The first look that is it, or the last one before the time is over."""
        until = time.monotonic() + min(timeout_s, WAIT_S_MAX)
        while True:
            with self._condition:
                number = self._number  # before the look: what changes during it ends the wait
            seen = look()
            left_s = until - time.monotonic()
            if is_it(seen) or left_s <= 0:
                return seen
            with self._condition:
                self._condition.wait_for(
                    lambda known=number: self._number != known,  # type: ignore[misc]
                    min(left_s, OTHERS_LOOK_EVERY_S),
                )
