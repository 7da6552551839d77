"""Shows the metrics to whoever scrapes: Prometheus text, or OpenMetrics where the scraper asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.exposition import choose_encoder

from metrics.catalog import REGISTRY


@dataclass(frozen=True, slots=True)
class Exposition:
    content_type: str
    body: bytes


def exposition(accept: str = "", names: Sequence[str] = ()) -> Exposition:
    """All metrics, or only those that are named, in the form that the Accept header asks for."""
    encode, content_type = choose_encoder(accept)
    shown = REGISTRY.restricted_registry(names) if names else REGISTRY
    return Exposition(content_type, encode(shown))
