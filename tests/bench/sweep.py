"""How fast 200,000 subscriptions get from Stripe into the store, beside the least that does it, on both databases.

`python -m tests.bench.sweep` starts a sandbox in a process of its own and reads it in turns: as a sweep does, with
checkpoints, comparison and marks, and bare: fetch, decode, upsert, a transaction for each page. Each reading has a
process of its own, so that its memory is its own. Prints a line of JSON for each database.
"""

import json
import multiprocessing
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import httpx
import psycopg
from sqlmodel import Session

from accounts.budget import ReadBudget
from accounts.errors import ObservationError
from accounts.stripe.connection import API_VERSION
from accounts.stripe.decoding import Decoding, stored
from accounts.stripe.reads import Reader
from accounts.stripe.shapes import Subscription
from daemon import logs
from daemon.core.model import AccountFacts
from daemon.observe.landscape import Cartographer
from daemon.store import schema
from daemon.store.db import Store, open_store
from daemon.sweep.classes import CLASSES
from daemon.sweep.stripe import StripeSweep
from tests.accounts.building import HASH_KEY, Opened, opened
from tests.bench.reads import ACCOUNT, START_S, _serve
from tests.databases import postgres_server
from tests.sandbox.reading import KEY

FEW, MANY = 20_000, 200_000
ROUNDS = 3
READ_S = 900
RSS_PER_KIB = 1024 if sys.platform == "darwin" else 1  # macOS counts bytes
SUBSCRIPTIONS = tuple(each for each in CLASSES if each.resource.name == "subscriptions")
BARE_TABLE = """
    CREATE TABLE bare (account text, class_name text, id text, customer text, status text, created bigint, body {blob},
    PRIMARY KEY (account, class_name, id))
"""
BARE_UPSERT = """
    INSERT INTO bare VALUES ({places}) ON CONFLICT (account, class_name, id) DO UPDATE SET
    customer = excluded.customer, status = excluded.status, created = excluded.created, body = excluded.body
"""


@dataclass(frozen=True, slots=True)
class Taken:
    objects: int
    elapsed_s: float
    cpu_s: float  # of the reader alone: what the sandbox and the database take hides nothing here
    peak_mib: float


class _One:
    """The one account, as a sweep asks about it."""

    def __init__(self, one: Opened) -> None:
        self._reader = one.reader()
        self._budget = ReadBudget(one.connection.key.owner, one.ledger, lambda: datetime.now(UTC))

    def names(self) -> Sequence[str]:
        return ("here",)

    def reader(self, account: str) -> Reader:
        return self._reader

    def doubt(self, account: str, problem: ObservationError) -> None:
        raise problem

    def budget(self, account: str) -> ReadBudget:
        return self._budget

    def sweep_every(self, account: str) -> timedelta:
        return timedelta(hours=6)

    def sharing_budget(self, account: str) -> Sequence[str]:
        return ("here",)


def sweep(url: str, database: str) -> int:
    """A first pass, and the marks at its end."""
    with opened(url, ACCOUNT, KEY, raised=1_000.0) as one, open_store(database, upgrade=True) as store:
        return _sweep(store, one)


def _sweep(store: Store, one: Opened) -> int:
    facts = AccountFacts("here", ACCOUNT, livemode=True)

    def after_pass(session: Session, account: str) -> Sequence[str]:
        return (account,)

    sweeping = StripeSweep(
        store,
        Cartographer([facts]),
        _One(one),
        listen=lambda account: None,
        after_pass=after_pass,
        wake=lambda account: None,
        now=lambda: datetime.now(UTC),
        stop=threading.Event(),
        classes=SUBSCRIPTIONS,
    )
    swept = sweeping.sweep("here")
    return swept.complete["subscriptions"]


def bare(url: str, database: str) -> int:
    """One client, one cursor, the same decoding, and one statement for each page."""
    decoding = Decoding(HASH_KEY)
    query = {"limit": "100", "status": "all", "expand[]": "data.discounts.source.coupon"}
    headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": API_VERSION}
    count, more = 0, True
    with httpx.Client(headers=headers, timeout=30) as client, _upserting(database) as upsert:
        while more:
            response = client.get(f"{url}/v1/subscriptions?{urlencode(query, safe='[]')}")
            page = decoding.page(Subscription, response.content)
            upsert(
                [
                    ("here", "subscription", one.id, one.customer, one.status, one.created, stored(one))
                    for one in page.items
                ]
            )
            count += len(page.items)
            more = page.has_more
            query["starting_after"] = page.last_id or ""
    return count


Rows = list[tuple[str, str, str, str | None, str, int, bytes]]


@contextmanager
def _upserting(database: str) -> Iterator[Callable[[Rows], None]]:
    if database.startswith("sqlite"):
        lite = sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)
        lite.execute("PRAGMA journal_mode = WAL")
        lite.execute("PRAGMA synchronous = NORMAL")
        lite.execute(BARE_TABLE.format(blob="blob"))

        def into_file(rows: Rows) -> None:
            lite.execute("BEGIN IMMEDIATE")
            lite.executemany(BARE_UPSERT.format(places="?, ?, ?, ?, ?, ?, ?"), rows)
            lite.execute("COMMIT")

        yield into_file
        lite.close()
        return
    with psycopg.connect(database) as server:
        server.execute(BARE_TABLE.format(blob="bytea"))

        def onto_server(rows: Rows) -> None:
            with server.cursor() as cursor:
                cursor.executemany(BARE_UPSERT.format(places="%s, %s, %s, %s, %s, %s, %s"), rows)
            server.commit()

        yield onto_server


def run(how: str, url: str, database: str) -> Taken:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.sweep", how, url, database],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=READ_S,
    )
    return Taken(**json.loads(done.stdout))


@contextmanager
def serving(many: int) -> Iterator[str]:
    """A sandbox with so many subscriptions."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, many), daemon=True)
    process.start()
    try:
        if not here.poll(START_S):
            raise TimeoutError("the sandbox did not start")
        yield here.recv()
    finally:
        here.send("end")
        process.join(30)


@contextmanager
def databases(kind: str) -> Iterator[Callable[[], str]]:
    """Gives the address of an empty database each time."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
            numbers = iter(range(1_000))
            yield lambda: f"sqlite:///{Path(folder) / f'{next(numbers)}.db'}"
        return
    with postgres_server() as server:

        def fresh() -> str:
            name = f"sweep_{time.monotonic_ns()}"
            server.execute("CREATE DATABASE {} TEMPLATE template0", name)
            return server.url(name)

        yield fresh


def measure(kind: str, few: int = FEW, many: int = MANY, rounds: int = ROUNDS) -> dict[str, object]:
    with databases(kind) as fresh:
        with serving(few) as url:
            swept_few = run("sweep", url, fresh())
        with serving(many) as url:
            # In turns, so that whatever else the machine does disturbs both.
            pairs = [(run("sweep", url, fresh()), run("bare", url, fresh())) for _ in range(rounds)]
    return {
        "bench": "sweep",
        "database": kind,
        "subscriptions": pairs[0][0].objects,
        "complete": all(each.objects == many for pair in pairs for each in pair),
        "objects_per_s": round(median(many / swept.elapsed_s for swept, _ in pairs)),
        "bare_objects_per_s": round(median(many / plain.elapsed_s for _, plain in pairs)),
        "ratio": round(median(plain.elapsed_s / swept.elapsed_s for swept, plain in pairs), 3),
        "ratio_cpu": round(median(plain.cpu_s / swept.cpu_s for swept, plain in pairs), 3),
        "peak_mib_few": round(swept_few.peak_mib, 1),
        "peak_mib_many": round(max(swept.peak_mib for swept, _ in pairs), 1),
    }


def _read(how: str, url: str, database: str) -> Taken:
    logs.configure("json")  # to stderr, as in the program
    read = {"sweep": sweep, "bare": bare}[how]
    if how == "sweep":
        schema.upgrade(database)  # migrating is no part of it
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    count = read(url, database)
    elapsed_s, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / RSS_PER_KIB
    return Taken(count, elapsed_s, cpu_s, peak_kib / 1024)


def main() -> None:
    if len(sys.argv) == 4:
        done = _read(sys.argv[1], sys.argv[2], sys.argv[3])
        sys.stdout.write(json.dumps({name: getattr(done, name) for name in Taken.__slots__}))
        return
    for kind in ("sqlite", "postgresql"):
        sys.stdout.write(json.dumps(measure(kind)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
