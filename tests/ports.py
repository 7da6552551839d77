"""Ports for programs that have to be told theirs: what two that are started at once choose is never the same.

Asking the system for a free port and letting go of it is a race: before the program takes it, any connection may have
it. Those here are below the ports that the system gives to connections, and every process of the tests has its own.
"""

import itertools
import os
import socket
from typing import Final

FIRST: Final = 20_000
OF_A_PROCESS: Final = 200
PROCESSES: Final = 60  # up to 32,000, where the system's own begin

_numbers = itertools.count()


def free_port() -> int:
    """One that nobody listens on, and that nobody else who asks here is given."""
    mine = FIRST + os.getpid() % PROCESSES * OF_A_PROCESS
    for number in itertools.islice(_numbers, OF_A_PROCESS):
        port = mine + number % OF_A_PROCESS
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError(f"none of {OF_A_PROCESS} ports from {mine} on is free")
