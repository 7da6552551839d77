"""Keeps the daemon's threads: one that ends before it was asked to takes the process with it, loudly.

A daemon that lives on without its clock or its receiver looks healthy and does nothing; one that ends is started
again by whoever watches it. The main thread waits here for signals: SIGTERM and SIGINT end the process in order,
SIGHUP reloads the configuration.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

log = structlog.get_logger(__name__)

STOP, RELOAD, DIED = b"s", b"r", b"d"
MEANS = {signal.SIGTERM: STOP, signal.SIGINT: STOP, signal.SIGHUP: RELOAD}
OK, BROKEN = 0, 70  # exit codes; 70 is what sysexits.h calls an internal fault


class Supervisor:
    def __init__(self) -> None:
        self.stop = threading.Event()  # every loop looks at it
        self._threads: list[threading.Thread] = []
        self._died: str | None = None
        # A signal handler may not take locks; a byte in a pipe wakes the main thread without any.
        self._ears, self._mouth = os.pipe()

    def start(self, name: str, run: Callable[[], None]) -> None:
        """Begins a thread that runs until `stop` is set."""
        thread = threading.Thread(target=self._watched, args=(name, run), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self, reload: Callable[[], None] = lambda: None) -> int:
        """Blocks until the process should end, with `stop` set; gives the exit code. For the main thread only."""
        with self._listening():
            while (word := os.read(self._ears, 1)) == RELOAD:
                log.info("reload_asked_for")
                reload()
        self.stop.set()
        log.info("stopping", because=self._died or "asked to")
        return OK if word == STOP else BROKEN

    def end(self) -> None:
        """Ends `wait` as a signal would."""
        os.write(self._mouth, STOP)

    @property
    def died(self) -> str | None:
        """The thread that ended of itself, if one did: then the process is not healthy."""
        return self._died

    def join(self, patience_s: float) -> list[str]:
        """Waits for the threads after `stop`; the names of those that did not end in time."""
        for thread in self._threads:
            thread.join(patience_s)
        return [thread.name for thread in self._threads if thread.is_alive()]

    def close(self) -> None:
        os.close(self._ears)
        os.close(self._mouth)

    def _watched(self, name: str, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException:
            log.exception("thread_died", thread=name)
        if not self.stop.is_set():
            self._died = name
            log.error("thread_ended_too_early", thread=name)
            os.write(self._mouth, DIED)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        def hear(number: int, frame: FrameType | None) -> None:
            os.write(self._mouth, MEANS[signal.Signals(number)])

        before = {number: signal.signal(number, hear) for number in MEANS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
