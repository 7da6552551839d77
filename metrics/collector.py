"""Shows the state metrics: the last picture of the database that could be taken, for as long as it is believed.

A scrape never asks the database: a picture is taken now and then by whoever owns it. If no new one comes, the old one
is shown for three intervals and then nothing, so that trouble is seen as absence and not as a healthy standstill.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from metrics.state import SNAPSHOT_AT, STATE, Family, Snapshot

EVERY_S: Final = 15.0  # as often as Prometheus usually asks
SHOWN_S: Final = 3 * EVERY_S


class StateCollector(Collector):
    """Handed a `snapshot` that reads the database. `take` may raise; `collect` never does."""

    def __init__(self, snapshot: Callable[[], Snapshot], now: Callable[[], datetime]) -> None:
        self._snapshot = snapshot
        self._now = now
        self._lock = threading.Lock()
        self._taken: tuple[datetime, Snapshot] | None = None

    def take(self) -> None:
        """Takes a new picture; where that fails, the old one stays and grows old."""
        at = self._now()
        taken = self._snapshot()
        with self._lock:
            self._taken = (at, taken)

    def describe(self) -> list[Metric]:
        return []  # so that registering does not collect

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            taken = self._taken
        if taken is None:
            return
        at, snapshot = taken
        yield _family(SNAPSHOT_AT, [((), at.timestamp())])
        if (self._now() - at).total_seconds() > SHOWN_S:
            return
        for family in STATE:
            yield _family(family, snapshot.get(family.name, ()))


def _family(family: Family, samples: Sequence[tuple[tuple[str, ...], float]]) -> Metric:
    shown = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in samples:
        shown.add_metric(labels, value)
    return shown
