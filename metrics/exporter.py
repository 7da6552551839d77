"""Shows the metrics to whoever scrapes: Prometheus text, or OpenMetrics where the scraper asks for it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder

from metrics.catalog import REGISTRY


@dataclass(frozen=True, slots=True)
class Exposition:
    content_type: str
    body: bytes


def exposition(accept: str = "", names: Collection[str] = ()) -> Exposition:
    """All metrics, or only those that are named, in the form that the Accept header asks for."""
    encode, content_type = choose_encoder(accept)
    return Exposition(content_type, encode(_Named(names) if names else REGISTRY))


class _Named(CollectorRegistry):
    """Whole families, by their own name or by that of any of their samples.

    The client's own restriction knows neither what is computed from the database nor a histogram by its name.
    """

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = frozenset(names)

    def collect(self) -> Iterator[Metric]:
        for family in REGISTRY.collect():
            if not self._names.isdisjoint({family.name, *(each.name for each in family.samples)}):
                yield family
