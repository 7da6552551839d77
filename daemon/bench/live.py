"""What follows an acknowledgement, in a whole daemon beside a pretend Stripe: a case to be seen, and reads."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Text, cast, func, select

from accounts.sandbox import seeding
from accounts.sandbox.business.billing import Bill, bill_of
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.business.trouble import dispute
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import StripeAccount
from daemon import once
from daemon.bench.account import now
from daemon.bench.again import configure
from daemon.bench.places import Place, migrated
from daemon.bench.programs import Broken
from daemon.bench.result import Result, percentile
from daemon.core.model import Kind
from daemon.run import open_daemon
from daemon.store import worklist
from daemon.store.cases import CASES
from daemon.store.db import Store
from daemon.store.inbox import INBOX

P50_MS_MAX: Final = 250.0
P99_MS_MAX: Final = 1_000.0
DUE_DAYS: Final = 5  # inside the widest window of the policy, so that there is a case at once
READS_MAX: Final = 1.0  # of Stripe, for each object that changed
DUPLICATES: Final = 0.3
TWICE_BY: Final = "10s"  # on the sandbox's clock: what is sent twice has been
SILENCE_S: Final = 0.5  # of a sandbox that has sent everything
LOOK_S: Final = 0.002  # how exactly the moment is known in which a case can be seen
PATIENCE_S: Final = 60.0
HEARING: Final = frozenset({"events", "webhook_endpoints"})  # reads that belong to no object


@dataclass(frozen=True, slots=True)
class Sizes:
    customers: int
    disputes: int
    objects: int  # that change in a storm


FULL: Final = Sizes(customers=300, disputes=100, objects=200)
QUICK: Final = Sizes(customers=20, disputes=3, objects=5)


def measure(place: Place, sizes: Sizes) -> Iterator[Result]:
    with _world(place, sizes.customers) as live:
        yield _visible(place, live, sizes.disputes)
        yield _storm(place, live, sizes.objects)


class _Live:
    def __init__(self, sandbox: Sandbox, account: StripeAccount, store: Store) -> None:
        self.sandbox = sandbox
        self.account = account
        self.store = store

    def on(self, happen: Callable[[Shop], Any]) -> Any:
        return self.sandbox.on_loop(lambda: happen(Shop(self.sandbox.world, self.account)))

    def wait(self, arrived: Callable[[], bool], what: str) -> float:
        """For how long it took, in seconds."""
        started_s = time.perf_counter()
        while not arrived():
            if time.perf_counter() - started_s > PATIENCE_S:
                raise Broken(f"After {PATIENCE_S:.0f} s {what}.")
            time.sleep(LOOK_S)
        return time.perf_counter() - started_s

    def rest(self) -> None:
        """Until nothing is due any more, nor being looked at."""

        def resting() -> bool:
            at = now()
            with self.store.reading() as session:
                return not worklist.pending(session, [self.account.slug], at, at)

        self.wait(resting, "there is still something to look at")

    def heard(self) -> int:
        with self.store.reading() as session:
            return session.scalar(select(func.count()).select_from(INBOX)) or 0

    def sent(self) -> int:
        return sum(self.sandbox.on_loop(lambda: dict(self.sandbox.world.outgoing.outcomes)).values())

    def fall_silent(self) -> None:
        """Until the sandbox has sent everything."""
        before = -1
        while (sent := self.sent()) != before:
            before = sent
            time.sleep(SILENCE_S)

    def reads(self) -> int:
        """So many GETs for objects the sandbox has answered."""
        return self.sandbox.on_loop(
            lambda: sum(count for name, count in self.account.reads.items() if name not in HEARING)
        )


@contextmanager
def _world(place: Place, customers: int) -> Iterator[_Live]:
    """A daemon that has read everything, and hears what happens next."""
    with (
        tempfile.TemporaryDirectory(prefix="reconciled-bench-") as folder,
        Sandbox.start(accounts=1, customers=customers) as sandbox,
    ):
        configured = configure(sandbox, Path(folder), migrated(place))
        once.full_pass(configured, now, [each.id for each in configured.settings.accounts])
        with open_daemon(configured, now) as (daemon, _):
            address = f"http://127.0.0.1:{daemon.server.port}"
            sandbox.on_loop(lambda: seeding.listen(sandbox.world, address))
            (account,) = seeding.planted_accounts(sandbox.world)
            live = _Live(sandbox, account, daemon.store)
            live.rest()
            yield live


def _visible(place: Place, live: _Live, disputes: int) -> Result:
    """Disputes, one after the other, each when nothing else is going on."""
    bills = live.on(lambda shop: list(islice(_undisputed(shop), disputes)))
    took_ms = []
    for bill in bills:
        started_s = time.perf_counter()

        def happen(shop: Shop, bill: Bill = bill) -> str:
            return dispute(shop, bill, due_by=shop.now + DUE_DAYS * DAY_S, ago_s=0)

        made = live.on(happen)
        live.wait(partial(_stands, live.store, made), "a dispute has no case yet")
        took_ms.append((time.perf_counter() - started_s) * 1_000)
        live.rest()
    took_ms.sort()
    p50_ms, p99_ms = percentile(took_ms, 0.5), percentile(took_ms, 0.99)
    return Result(
        "webhooks",
        "from a dispute at Stripe to its case, when idle",
        {"disputes": len(took_ms), "p50_ms": p50_ms, "p99_ms": p99_ms},
        place.name,
        mark=f"p50_ms < {P50_MS_MAX:.0f}, p99_ms < {P99_MS_MAX:.0f}",
        met=p50_ms < P50_MS_MAX and p99_ms < P99_MS_MAX,
    )


def _undisputed(shop: Shop) -> Iterator[Bill]:
    for charge in list(shop.account.newest_first("charge")):
        paid = charge["paid"] and not charge["disputed"]
        of_intent = {"payment[payment_intent]": charge["payment_intent"]}
        if paid and any(shop.account.newest_first("invoice_payment", **of_intent)):
            yield bill_of(shop, charge)


def _stands(store: Store, id: str) -> bool:
    with store.reading() as session:
        query = select(CASES.c.id).where(CASES.c.kind == Kind.DISPUTE_DEADLINE.value)
        return session.scalar(query.where(cast(CASES.c.object_ids, Text).contains(id)).limit(1)) is not None


def _storm(place: Place, live: _Live, objects: int) -> Result:
    """Subscriptions change, all at once, and of what is told of it a share comes a second time."""
    account = live.account

    def happen(shop: Shop) -> int:
        live.sandbox.world.outgoing.dials(account.id).duplicate_share = DUPLICATES
        some = [each["id"] for each in shop.account.newest_first("subscription", status="active")][:objects]
        for id_ in some:
            shop.change("subscription", id_, "customer.subscription.updated", cancel_at_period_end=True)
        return len(some)

    reads, heard, sent = live.reads(), live.heard(), live.sent()
    changed: int = live.on(happen)
    live.wait(lambda: live.heard() >= heard + changed, "not every event of the storm has arrived")
    live.sandbox.advance(TWICE_BY)
    live.fall_silent()
    live.rest()
    reads_an_object = (live.reads() - reads) / changed
    return Result(
        "webhooks",
        "reads of Stripe for each object that changed, in a storm",
        {
            "objects": changed,
            "deliveries": live.sent() - sent,
            "reads_an_object": reads_an_object,
        },
        place.name,
        mark=f"reads_an_object <= {READS_MAX:.0f}, {DUPLICATES:.0%} of the events sent twice",
        met=reads_an_object <= READS_MAX,
    )
