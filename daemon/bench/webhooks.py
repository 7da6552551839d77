"""How many webhooks are acknowledged and durable a second, beside the least that does the same; and what follows.

Our receiver and the bare one have a process and a database of their own, and a third process sends to them in turns.
SQLite syncs every commit. Then thousands of requests come at once, each on a connection of its own. What happens
after an acknowledgement is measured with a whole daemon: see `daemon.bench.live`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

import msgspec
from sqlalchemy import select

from daemon.bench import live
from daemon.bench.crowd import Outcome
from daemon.bench.places import Place, migrated
from daemon.bench.programs import running, told
from daemon.bench.receiver import PATH
from daemon.bench.result import Result
from daemon.store.db import open_store
from daemon.store.inbox import INBOX

SECRET: Final = "whsec_" + "bench" * 6
FLOOR: Final = "a bare ASGI callable under uvicorn that checks the HMAC and commits the same rows in groups"
OURS, BARE = "daemon.bench.receiver", "daemon.bench.bare_receiver"
RATIO_MIN: Final = 0.8
BURST_P99_MS_MAX: Final = 1_000.0
START_S: Final = 30.0
RUN_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Sizes:
    requests: int = 4_000
    connections: int = 32
    rounds: int = 7
    burst: int = 5_000
    after: live.Sizes = live.FULL


QUICK: Final = Sizes(requests=200, connections=8, rounds=1, burst=100, after=live.QUICK)


def measure(place: Place, sizes: Sizes) -> Iterator[Result]:
    ours, bare = migrated(place), migrated(place)
    with serving(OURS, ours) as our_port, serving(BARE, bare) as bare_port:
        for port in (our_port, bare_port):
            send(port, sizes.requests // 4, sizes.connections, 0)
        pairs = []
        for seed in range(1, sizes.rounds + 1):
            # In turns, and taking turns at being first: whatever else the machine does disturbs both.
            order = (our_port, bare_port) if seed % 2 else (bare_port, our_port)
            sent = {port: send(port, sizes.requests, sizes.connections, seed) for port in order}
            pairs.append((sent[our_port], sent[bare_port]))
        storm = send(our_port, sizes.burst, sizes.burst, sizes.rounds + 1)
    known = stored(ours)
    yield _acknowledged(place, pairs, known)
    yield _burst(place, storm, known)
    yield from live.measure(place, sizes.after)


@contextmanager
def serving(module: str, database: str) -> Iterator[int]:
    """The port of a receiver that runs in a process of its own."""
    with running(module, database, SECRET, start_s=START_S) as said:
        yield int(said)


def send(port: int, requests: int, connections: int, seed: int) -> Outcome:
    found = told("daemon.bench.crowd", port, PATH, SECRET, requests, connections, seed, within_s=RUN_S)
    return msgspec.convert(found, Outcome)


def stored(database: str) -> set[str]:
    with open_store(database) as store, store.reading() as session:
        return set(session.scalars(select(INBOX.c.event_id)))


def _acknowledged(place: Place, pairs: list[tuple[Outcome, Outcome]], known: set[str]) -> Result:
    ratio = median(ours.per_s / bare.per_s for ours, bare in pairs)
    whole = _whole([ours for ours, _ in pairs], known)
    return Result(
        "webhooks",
        "acknowledged and durable",
        {
            "requests": sum(ours.requests for ours, _ in pairs),
            "per_s": round(median(ours.per_s for ours, _ in pairs)),
            "floor_per_s": round(median(bare.per_s for _, bare in pairs)),
            "p50_ms": median(ours.p50_ms for ours, _ in pairs),
            "p99_ms": median(ours.p99_ms for ours, _ in pairs),
            "floor_p99_ms": median(bare.p99_ms for _, bare in pairs),
            **whole,
        },
        place.name,
        ratio=ratio,
        floor=FLOOR,
        mark=f"ratio >= {RATIO_MIN}, none lost",
        met=ratio >= RATIO_MIN and not any(whole.values()),
    )


def _burst(place: Place, storm: Outcome, known: set[str]) -> Result:
    whole = _whole([storm], known)
    return Result(
        "webhooks",
        "a burst, each request on a connection of its own",
        {"requests": storm.requests, "p50_ms": storm.p50_ms, "p99_ms": storm.p99_ms, **whole},
        place.name,
        mark=f"p99_ms < {BURST_P99_MS_MAX:.0f}, none lost",
        met=storm.p99_ms < BURST_P99_MS_MAX and not any(whole.values()),
    )


def _whole(runs: list[Outcome], known: set[str]) -> dict[str, int]:
    """What was not acknowledged, and what was and is not there: both should be none."""
    return {
        "not_acknowledged": sum(run.requests - run.acknowledged for run in runs),
        "lost": len({event for run in runs for event in run.events} - known),
    }
