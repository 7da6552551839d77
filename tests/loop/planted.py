"""Precision and recall by night: what is planted in large worlds, and what of it stands.

`python -m tests.loop.planted` fills 12 accounts with 500 customers each, from three seeds, has a daemon without its
threads look at all of it, lets later things happen, and prints for each seed what was expected, found, missing and
extra. It ends with 1 unless everything expected stands and nothing else.
"""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from accounts.sandbox import seeding
from accounts.sandbox.server import Sandbox
from daemon.store import schema
from daemon.store.db import open_store
from tests.loop.rig import Rig
from tests.loop.test_planted import about
from tests.loop.whole import Whole

SEEDS = (7, 11, 13)
ACCOUNTS, CUSTOMERS = 12, 500


def weighed(rig: Rig) -> dict[str, Any]:
    # Events of the past are laid down without webhooks, and polling rightly says that nobody brought them.
    rows = [row for row in rig.standing() if row.kind != "event_gap"]
    expected = rig.planted(expected=True)
    found = {each: [row for row in rows if about(each, row)] for each in expected}
    right = {row.id for some in found.values() for row in some[:1]}
    return {
        "expected": len(expected),
        "found": len(right),
        "missing": [str(each) for each, some in found.items() if not some],
        "extra": [f"{row.account} {row.kind}: {row.title}" for row in rows if row.id not in right],
    }


def look(seed: int, accounts: int = ACCOUNTS, customers: int = CUSTOMERS) -> dict[str, Any]:
    """One world from its first look to the last of what happens later."""
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        url = f"sqlite:///{Path(name) / 'reconciled.db'}"
        schema.upgrade(url)
        with Sandbox.start(seed, accounts, customers) as sandbox, open_store(url) as store:
            rig = Whole(sandbox, store, Path(name))
            try:
                rig.rest()
                first = weighed(rig)
                sandbox.advance("30m")
                sandbox.on_loop(lambda: seeding.unfold(sandbox.world))
                rig.hear()
                rig.rest()
                sandbox.advance("16m")  # what disagrees has settled, and the CRM and the product are due
                rig.rest()
                later = weighed(rig)
            finally:
                rig.close()
    elapsed_s = round(time.perf_counter() - started_s)
    return {"seed": seed, "accounts": accounts, "customers": customers, "first": first, "later": later,
            "elapsed_s": elapsed_s}  # fmt: skip


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    wrong = 0
    for seed in [int(each) for each in sys.argv[1:]] or SEEDS:
        told = look(seed)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        wrong += sum(len(told[when][what]) for when in ("first", "later") for what in ("missing", "extra"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
