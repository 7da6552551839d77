"""Which ids the counts bear, as whoever scrapes OpenMetrics reads them."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed

from metrics.exporter import exposition


def ids(name: str, **labels: str) -> dict[str, str]:
    """The newest that samples of this name with these labels bear: {"event_id": "evt_1"}, or nothing."""
    shown = exposition("application/openmetrics-text; version=1.0.0").body.decode()
    found = [
        sample.exemplar
        for family in parsed(shown)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.name == f"reconciled_{name}" and labels.items() <= sample.labels.items() and sample.exemplar
    ]
    return dict(max(found, key=lambda each: each.timestamp).labels) if found else {}
