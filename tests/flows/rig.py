"""The flows that read, on a real store and a real sandbox, each moved on by the test itself."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import select
from sqlmodel import Session

from accounts.sandbox import objects
from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import StripeAccount
from daemon import settings as configured
from daemon.observe.landscape import Cartographer
from daemon.poll.events import Poll
from daemon.store.db import Store
from daemon.store.meter import Meter
from daemon.store.tables import table
from daemon.sweep.classes import CLASSES, Class
from daemon.sweep.records import RecordsSweep
from daemon.sweep.run import SLICES
from daemon.sweep.stripe import StripeSweep
from daemon.wiring import Outside, decoding, secret_key
from daemon.wiring.estate import accounts_of
from daemon.wiring.paces import Paces
from daemon.wiring.systems import Systems

T = TypeVar("T")

SNAPSHOTS, WORK, PASSES, CURSORS = (table(name) for name in ("snapshots", "worklist", "passes", "cursors"))
DAY_S = 86_400


class Hasty(threading.Event):
    """Waits for nothing: what would have to pass in time has passed."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


class Flows:
    """Everything that reads, built from the configuration."""

    def __init__(
        self,
        settings: configured.Settings,
        store: Store,
        now: Callable[[], datetime],
        stop: threading.Event,
        wake: Callable[[str], None],
        after_pass: Callable[[Session, str], Sequence[str]],
        classes: Sequence[Class] = CLASSES,
        slices: int = SLICES,
    ) -> None:
        outside = Outside(decoding(settings, secret_key(settings)), Meter(store), now)
        self.systems = Systems(settings, outside, lambda account: None, now)
        self.cartographer = Cartographer(accounts_of(settings))
        self.paces = Paces(settings, self.systems)
        self.poll = Poll(store, self.paces, wake=wake, now=now, stop=stop)
        self.sweep = StripeSweep(
            store,
            self.cartographer,
            self.paces,
            listen=self.poll.listen,
            after_pass=after_pass,
            wake=wake,
            now=now,
            stop=stop,
            classes=classes,
            slices=slices,
        )
        self.records = RecordsSweep(
            store,
            self.cartographer,
            self.systems,
            self.paces,
            after_pass=after_pass,
            wake=wake,
            now=now,
        )


class Rig:
    def __init__(self, sandbox: Sandbox, store: Store, folder: Path) -> None:
        self.sandbox = sandbox
        self.store = store
        self.stop = Hasty()
        self.woken: Counter[str] = Counter()
        self.judged_again: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, folder))
        self.file = folder / "reconciled.toml"
        # The sandbox's limits are off here; politeness would only make the tests slow.
        self.file.write_text(self.file.read_text().replace("[defaults]\n", "[defaults]\nread_share = 1.0\n"))
        self._open = ExitStack()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def start(self, classes: Sequence[Class] = CLASSES, slices: int = SLICES) -> None:
        """As a process that starts: whatever is not in the store is forgotten."""
        self._open.close()
        self.settings = configured.load(self.file)
        flows = Flows(
            self.settings, self.store, self.now, self.stop, self.wake, self.after_pass, classes, slices
        )
        self._open.callback(flows.systems.close)
        self.systems, self.cartographer, self.paces = flows.systems, flows.cartographer, flows.paces
        self.poll, self.sweep, self.records = flows.poll, flows.sweep, flows.records

    # The world.

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.world.clock.exact(), UTC)

    def advance(self, by: timedelta) -> None:
        self.sandbox.advance(f"{int(by.total_seconds())}s")

    @property
    def account(self) -> StripeAccount:
        return next(iter(self.sandbox.world.accounts.values()))

    @property
    def slug(self) -> str:
        return self.account.slug

    def world(self, change: Callable[[], T]) -> T:
        return self.sandbox.on_loop(change)

    def customers(self, *ages_s: int, prefix: str = "cus_") -> list[str]:
        """Customers who were created so many seconds ago, the oldest last in time but by their own number."""
        now = self.sandbox.world.clock.now()
        made = [
            objects.customer(
                f"{prefix}{number:06d}",
                created=now - age_s,
                name=f"Customer {number}",
                email=f"{prefix}{number}@example.com",
                currency="eur",
                livemode=self.account.livemode,
            )
            for number, age_s in enumerate(ages_s)
        ]
        self.world(lambda: [self.account.put(each) for each in made])
        return [each["id"] for each in made]

    def change_endpoint(self, **changes: Any) -> None:
        """The account's webhook endpoint in Stripe."""

        def change() -> None:
            (endpoint,) = self.account.newest_first("webhook_endpoint")
            self.account.put(endpoint | changes)

        self.world(change)

    def edit(self, key: str, value: str | None) -> None:
        """Another line in the configuration, or none, and a restart."""
        lines = self.file.read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(f"{key} =")]
        self.file.write_text("".join(kept) + (f"{key} = {value}\n" if value is not None else ""))
        self.start()

    def add_account(self, slug: str) -> None:
        """One more account in the configuration, with the key of the first, and a restart."""
        table = self.file.read_text().partition("[[accounts]]")[2].partition("[[")[0]
        opened = f"acct_1Sandbox{slug.title().replace('-', '')}"
        table = table.replace(self.slug, slug, 1).replace(self.account.id, opened)
        self.file.write_text(f"{self.file.read_text()}\n[[accounts]]{table}")
        self.start()

    def reads(self) -> Counter[str]:
        """GETs by endpoint, so far."""
        return self.world(lambda: Counter(self.account.reads))

    # The store.

    def rows(self, query: Any) -> list[Any]:
        with self.store.reading() as session:
            return list(session.execute(query).all())

    def stored(self, class_name: str) -> set[str]:
        """The ids of what is known to be there."""
        query = select(SNAPSHOTS.c.id).where(
            SNAPSHOTS.c.class_name == class_name, SNAPSHOTS.c.deleted.is_(False)
        )
        return {row.id for row in self.rows(query)}

    def marked(self, kind: str, *, reading: bool | None = None) -> set[str]:
        """Who is to be looked at; `reading`: only those that are to be read again, or only those that are not."""
        query = select(WORK.c.id).where(WORK.c.kind == kind)
        if reading is not None:
            query = query.where(WORK.c.stale > 0 if reading else WORK.c.stale == 0)
        return {row.id for row in self.rows(query)}

    def forget_marks(self) -> None:
        with self.store.transaction() as session:
            session.execute(WORK.delete())

    def complete(self, source: str = "stripe") -> set[str]:
        query = select(PASSES.c.class_name).where(
            PASSES.c.source == source, PASSES.c.finished_at.is_not(None)
        )
        return {row.class_name for row in self.rows(query)}

    def under_way(self) -> set[str]:
        query = select(CURSORS.c.name).where(CURSORS.c.name.startswith("sweep:unit/"))
        return {row.name.removeprefix("sweep:unit/") for row in self.rows(query)}

    def wake(self, account: str) -> None:
        self.woken[account] += 1

    def after_pass(self, session: Session, account: str) -> Sequence[str]:
        self.judged_again.append(account)
        return [account]
