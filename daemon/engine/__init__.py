"""Who does the work, and when it is thought of: a runner of wakes, a clock that fires them, a supervisor of threads.

The tables say *what* is to be done; the engine knows nothing but `wake(kind, key)`. A wake carries no payload and no
delay, and nothing is retried here: what must happen again stands in a column, and `deadline_scan` finds it.
"""

from typing import Protocol


class Engine(Protocol):
    """At most one run of a kind and key at a time, and after a wake at least one that began later than the wake."""

    def wake(self, kind: str, key: str) -> None: ...
