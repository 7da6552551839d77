"""One reading of a pretend Stripe, in a process of its own, so that its memory and its processor time are its own.

    python -m daemon.bench.reading pages|bare|sweep|bare-sweep URL ACCOUNT KEY [DATABASE]

It prints one line of JSON: how many objects, how long it took, and the most memory that it had.
"""

import logging
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from accounts.budget import Purpose
from accounts.stripe.resources import BY_NAME
from daemon import logs
from daemon.bench import bare_reading
from daemon.bench.account import SLUG, Account, now, opened
from daemon.bench.programs import told
from daemon.bench.world import World
from daemon.core.model import AccountFacts, Policy
from daemon.judging import Judging
from daemon.observe.landscape import Cartographer
from daemon.observe.observer import Observer
from daemon.rejudge import Rejudging
from daemon.serve import keep_for_good
from daemon.store.db import Store, open_store
from daemon.sweep.stripe import StripeSweep

READ_S: Final = 900.0  # for one reading of two hundred thousand on a machine that does other things as well
BYTES_PER_UNIT: Final = 1 if sys.platform == "darwin" else 1024  # macOS counts its peak in bytes
POLICY: Final = Policy(version="bench")


class Taken(msgspec.Struct, frozen=True):
    objects: int
    elapsed_s: float
    cpu_s: float  # of the reader alone: what the sandbox and the database take hides nothing here
    peak_mib: float
    kept_s: float  # until everything was in the store, and not yet judged


def run(how: str, world: World, database: str = "") -> Taken:
    found = told("daemon.bench.reading", how, world.url, world.account, world.key, database, within_s=READ_S)
    return msgspec.convert(found, Taken)


def pages(world: World, database: str, kept: Callable[[], None]) -> int:
    """Our reader alone."""
    with opened(world) as account:
        every = account.reader(SLUG).pages(BY_NAME["subscriptions"], purpose=Purpose.SWEEP)
        return sum(len(page.items) for page in every)


def bare(world: World, database: str, kept: Callable[[], None]) -> int:
    return bare_reading.read(world, bare_reading.nowhere)


def bare_sweep(world: World, database: str, kept: Callable[[], None]) -> int:
    with bare_reading.upserting(database) as keep:
        return bare_reading.read(world, keep)


def sweep(world: World, database: str, kept: Callable[[], None]) -> int:
    """A first pass over everything, and then everybody judged: what a new account goes through."""
    with opened(world) as account, open_store(database) as store:
        return _sweep(store, account, world.account, kept)


def _sweep(store: Store, account: Account, stripe_account: str, kept: Callable[[], None]) -> int:
    cartographer = Cartographer([AccountFacts(SLUG, stripe_account, livemode=True)])
    observer = Observer(store, cartographer, account, now)
    judging = Judging(store, observer, lambda slug: POLICY, now)
    rejudging = Rejudging(store, cartographer, observer, judging, now)
    sweeping = StripeSweep(
        store,
        cartographer,
        account,
        listen=_nobody,
        after_pass=rejudging.after_pass,
        wake=_nobody,
        now=now,
        stop=threading.Event(),
    )
    swept = sweeping.sweep(SLUG)
    kept()
    while rejudging.step(SLUG):
        pass
    return swept.complete["subscriptions"]


def _nobody(_: str) -> None:
    """There is nobody else whom a wake could reach."""


HOW: Final = {"pages": pages, "bare": bare, "sweep": sweep, "bare-sweep": bare_sweep}


def _peak_mib() -> float:
    # Linux counts what a process had before it became this program as its own, but for this line.
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].removesuffix("kB")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_UNIT / 2**20


def main(how: str, url: str, account: str, key: str, database: str) -> None:
    logs.configure("json", level=logging.WARNING)
    keep_for_good()  # as a daemon does at its start, and so that its floor has the same
    kept_at: list[float] = []
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    count = HOW[how](World(url, account, key), database, lambda: kept_at.append(time.perf_counter()))
    ended_s, cpu_s = time.perf_counter(), time.process_time() - started_cpu_s
    kept_s = (kept_at[0] if kept_at else ended_s) - started_s
    taken = Taken(count, ended_s - started_s, cpu_s, _peak_mib(), kept_s)
    sys.stdout.write(msgspec.json.encode(taken).decode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5])
