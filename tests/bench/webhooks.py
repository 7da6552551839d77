"""How many webhooks are acknowledged and durable a second, beside the least that does the same, on both databases.

`python -m tests.bench.webhooks` starts our receiver and the bare one, each in a process and on a database of its own,
and a third process that sends to them in turns. SQLite syncs every commit; PostgreSQL runs as it would in service.
Then 5,000 requests come at once, each on a connection of its own. One line of JSON for each database.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from sqlalchemy import select

from daemon.store import schema
from daemon.store.db import open_store
from daemon.store.inbox import INBOX
from tests.bench.load import Outcome
from tests.bench.receiving import PATH
from tests.databases import postgres_server

SECRET = "whsec_" + "bench" * 6
REQUESTS, CONNECTIONS, ROUNDS = 4_000, 32, 7
BURST = 5_000
RUN_S = 120


@contextmanager
def serving(module: str, database: str) -> Iterator[int]:
    """The port of a receiver that runs in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, database, SECRET],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=RUN_S)


def send(port: int, requests: int, connections: int, seed: int) -> Outcome:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.bench.load",
            str(port),
            PATH,
            SECRET,
            str(requests),
            str(connections),
            str(seed),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    return Outcome(**json.loads(done.stdout))


def measure(
    name: str, ours: str, bare: str, rounds: int = ROUNDS, requests: int = REQUESTS, burst: int = BURST
) -> dict[str, object]:
    """Both databases are empty and of the current schema."""
    with serving("tests.bench.receiving", ours) as our_port, serving("tests.bench.bare", bare) as bare_port:
        for port in (our_port, bare_port):
            send(port, requests // 4, CONNECTIONS, 0)
        pairs = []
        for seed in range(1, rounds + 1):
            # In turns, and taking turns at being first: whatever else the machine does disturbs both.
            order = (our_port, bare_port) if seed % 2 else (bare_port, our_port)
            sent = {port: send(port, requests, CONNECTIONS, seed) for port in order}
            pairs.append((sent[our_port], sent[bare_port]))
        storm = send(our_port, burst, burst, rounds + 1)
    runs = [storm, *(ours for ours, _ in pairs)]
    return {
        "bench": "webhooks",
        "database": name,
        "ratio": round(median(ours.per_s / bare.per_s for ours, bare in pairs), 3),
        "per_s": round(median(ours.per_s for ours, _ in pairs)),
        "bare_per_s": round(median(bare.per_s for _, bare in pairs)),
        "p50_ms": round(median(ours.p50_ms for ours, _ in pairs), 1),
        "p99_ms": round(median(ours.p99_ms for ours, _ in pairs), 1),
        "bare_p99_ms": round(median(bare.p99_ms for _, bare in pairs), 1),
        "burst": burst,
        "burst_p50_ms": round(storm.p50_ms, 1),
        "burst_p99_ms": round(storm.p99_ms, 1),
        "not_acknowledged": sum(run.requests - run.acknowledged for run in runs),
        "lost": len({event for run in runs for event in run.events} - stored(ours)),
    }


def stored(database: str) -> set[str]:
    with open_store(database) as store, store.reading() as session:
        return set(session.scalars(select(INBOX.c.event_id)))


@contextmanager
def sqlite() -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ours, bare = (f"sqlite:///{Path(folder) / name}.db" for name in ("ours", "bare"))
        yield ours, bare


@contextmanager
def postgresql() -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        for setting in ("fsync", "full_page_writes"):  # which tests do without
            server.execute(f"ALTER SYSTEM RESET {setting}")
        server.execute("SELECT pg_reload_conf()")
        yield stack.enter_context(server.database()), stack.enter_context(server.database())


DATABASES = {"sqlite": sqlite, "postgresql": postgresql}


def main() -> None:
    for name, places in DATABASES.items():
        with places() as (ours, bare):
            schema.upgrade(ours)
            schema.upgrade(bare)
            print(json.dumps(measure(name, ours, bare)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
