"""Which names a scrape of the daemon shows, and what they are."""

from functools import cache

from metrics.catalog import REGISTRY
from metrics.state import SNAPSHOT_AT, STATE

PROCESS = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
)


@cache
def state_names() -> frozenset[str]:
    return frozenset(family.name for family in (*STATE, SNAPSHOT_AT))


@cache
def known_names() -> frozenset[str]:
    """Every sample that may be asked for."""
    found = set(state_names()) | set(PROCESS)
    for family in REGISTRY.collect():
        found |= {sample.name for sample in family.samples}
        found.add(family.name)
        match family.type:
            case "counter":
                found.add(f"{family.name}_total")
            case "histogram":
                found |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
            case "info":
                found.add(f"{family.name}_info")
    return frozenset(found)


def catalogue() -> list[str]:
    """Every family of ours as a row of the table in grafana/README.md: flow first, then state."""
    rows = []
    for collector in REGISTRY._collector_to_names:
        for family in collector.collect():
            if family.name.startswith("reconciled_"):
                name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
                labels = ", ".join(getattr(collector, "_labelnames", ()))
                rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    rows += [
        f"| `{family.name}` | state | {', '.join(family.labels)} | {family.help} |"
        for family in (*STATE, SNAPSHOT_AT)
    ]
    return rows
