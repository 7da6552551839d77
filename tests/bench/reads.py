"""How fast subscriptions are read in pages, beside bare httpx with the same decoding, and how much memory it takes.

`python -m tests.bench.reads` starts a sandbox with 200,000 subscriptions in a process of its own, reads them in
turns with and without us, each time in a fresh process, and prints one line of JSON.
"""

import json
import multiprocessing
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from statistics import median
from urllib.parse import urlencode

import httpx

from accounts.budget import Purpose
from accounts.sandbox.server import Sandbox
from accounts.stripe.connection import API_VERSION
from accounts.stripe.decoding import Decoding
from accounts.stripe.resources import BY_NAME
from accounts.stripe.shapes import Subscription
from tests.accounts.building import HASH_KEY, opened
from tests.sandbox.reading import KEY, subscribe

FEW, MANY = 20_000, 200_000
ROUNDS = 3
ACCOUNT = "acct_reading"
SUBSCRIPTIONS = BY_NAME["subscriptions"]
START_S, READ_S = 300, 600
RSS_PER_KIB = 1024 if sys.platform == "darwin" else 1  # macOS counts bytes


@dataclass(frozen=True, slots=True)
class Run:
    objects: int
    objects_per_s: float
    objects_per_cpu_s: float  # of the reader alone: what the sandbox takes hides nothing here
    peak_mib: float


def ours(url: str, many: int) -> int:
    count = 0
    with opened(url, ACCOUNT, KEY, raised=1_000.0) as here:
        for page in here.reader().pages(SUBSCRIPTIONS, purpose=Purpose.SWEEP):
            count += len(page.items)
            if count >= many:
                break
    return count


def bare(url: str, many: int) -> int:
    """The least that reads the same: one client, the same query, the same decoding."""
    decoding = Decoding(HASH_KEY)
    query = {"limit": "100", "status": "all", "expand[]": "data.discounts.source.coupon"}
    headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": API_VERSION}
    count, more = 0, True
    with httpx.Client(headers=headers, timeout=30) as client:
        while more and count < many:
            response = client.get(f"{url}/v1/subscriptions?{urlencode(query, safe='[]')}")
            page = decoding.page(Subscription, response.content)
            count += len(page.items)
            more = page.has_more
            query["starting_after"] = page.last_id or ""
    return count


def run(how: str, url: str, many: int) -> Run:
    """One reading in a process of its own, so that its memory is its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.reads", how, url, str(many)],
        check=True,
        capture_output=True,
        text=True,
        timeout=READ_S,
    )
    return Run(**json.loads(done.stdout))


def measure(few: int = FEW, many: int = MANY, rounds: int = ROUNDS) -> dict[str, object]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, many), daemon=True)
    process.start()
    try:
        if not here.poll(START_S):
            raise TimeoutError("the sandbox did not start")
        url = here.recv()
        ours_few = run("ours", url, few)
        # In turns, so that whatever else the machine does disturbs both.
        pairs = [(run("ours", url, many), run("bare", url, many)) for _ in range(rounds)]
    finally:
        here.send("end")
        process.join(30)
    return {
        "bench": "reads",
        "subscriptions": pairs[0][0].objects,
        "complete": all(each.objects == many for pair in pairs for each in pair),
        "objects_per_s": round(median(ours.objects_per_s for ours, _ in pairs)),
        "bare_objects_per_s": round(median(bare.objects_per_s for _, bare in pairs)),
        "ratio": round(median(ours.objects_per_s / bare.objects_per_s for ours, bare in pairs), 3),
        "ratio_cpu": round(
            median(ours.objects_per_cpu_s / bare.objects_per_cpu_s for ours, bare in pairs), 3
        ),
        "peak_mib_few": round(ours_few.peak_mib, 1),
        "peak_mib_many": round(max(ours.peak_mib for ours, _ in pairs), 1),
    }


def _serve(pipe: Pipe, many: int) -> None:
    with Sandbox.start(accounts=0, customers=0) as sandbox:
        # Larger than on_loop is willing to wait for; nobody else touches the world yet.
        subscribe(sandbox.world, many)
        pipe.send(sandbox.url)
        pipe.recv()


def _read(how: str, url: str, many: int) -> Run:
    read = {"ours": ours, "bare": bare}[how]
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    count = read(url, many)
    elapsed_s, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / RSS_PER_KIB
    return Run(count, count / elapsed_s, count / cpu_s, peak_kib / 1024)


def main() -> None:
    if len(sys.argv) == 4:
        done = _read(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        sys.stdout.write(json.dumps({name: getattr(done, name) for name in Run.__slots__}))
    else:
        sys.stdout.write(json.dumps(measure()) + "\n")


if __name__ == "__main__":
    main()
