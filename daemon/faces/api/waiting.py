"""Waiting for a decision: for a while, and in threads of its own, so that nobody else is served later for it."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

WAIT_S_MAX: Final = 55  # clients and whatever stands between give up at a minute
WAITERS_MAX: Final = 64  # each holds a thread that sleeps
WAITERS_EACH_MAX: Final = 16  # of one token: a swarm of agents leaves room for the others
SLICE_S: Final = 1.0  # so soon a daemon that ends is no longer waited in

Wait = Callable[[float], bool]  # for so many seconds; whether something changed


class Waiting:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(WAITERS_MAX, thread_name_prefix="waiting")
        self._lock = threading.Lock()
        self._waiters: Counter[str] = Counter()
        self._closed = threading.Event()

    async def for_a_while(self, key: str, wait: Wait, seconds: float) -> None:
        """Until something changed or the time is over; at once where too many wait already."""
        if seconds <= 0 or not self._admit(key):
            return
        try:
            loop = asyncio.get_running_loop()
            until = loop.time() + min(seconds, WAIT_S_MAX)
            while not self._closed.is_set() and (left := until - loop.time()) > 0:
                if await loop.run_in_executor(self._threads, wait, min(left, SLICE_S)):
                    return
        finally:
            self._leave(key)

    def close(self) -> None:
        """Whoever waits is answered with what there is."""
        self._closed.set()
        self._threads.shutdown(wait=False)

    def _admit(self, key: str) -> bool:
        with self._lock:
            if self._waiters.total() >= WAITERS_MAX or self._waiters[key] >= WAITERS_EACH_MAX:
                return False
            self._waiters[key] += 1
            return True

    def _leave(self, key: str) -> None:
        with self._lock:
            self._waiters[key] -= 1
            if not self._waiters[key]:
                del self._waiters[key]
