"""A daemon without its threads: the works on a real store and a real sandbox, moved on by the test itself."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlmodel import Session

from accounts.budget import Purpose
from accounts.facts import Subject
from accounts.sandbox.business.planted import Planted
from accounts.sandbox.business.shop import Shop
from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import StripeAccount
from accounts.sources import Page
from accounts.stripe.resources import BY_NAME
from daemon import settings as configured
from daemon.canary import LANE
from daemon.core.model import Source
from daemon.observe import keeping
from daemon.observe.landscape import OF_STRIPE, reading_of
from daemon.observe.owners import PARENTS
from daemon.scan import Scan, looks, walks
from daemon.store import passes, snapshots, worklist
from daemon.store.cases import CASES
from daemon.store.db import Store
from daemon.store.records import ENTITLEMENTS, RECORDS
from daemon.store.worklist import Buried
from daemon.wiring.flows import POLICIES
from daemon.wiring.works import Works, assemble

T = TypeVar("T")

ROUNDS_MAX = 2_000  # a loop that never rests is a loop


class Turns:
    """An engine that runs nothing by itself: wakes wait, each once, until the test lets them run."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, str]] = deque()
        self.kinds: dict[str, Callable[[str], object]] = {}

    def wake(self, kind: str, key: str) -> None:
        if (kind, key) not in self.waiting:
            self.waiting.append((kind, key))

    def run(self) -> int:
        runs = 0
        while self.waiting:
            runs += 1
            assert runs < ROUNDS_MAX, "it does not come to rest"
            kind, key = self.waiting.popleft()
            self.kinds[kind](key)
        return runs


class Rig:
    def __init__(self, sandbox: Sandbox, store: Store, folder: Path) -> None:
        self.sandbox = sandbox
        self.store = store
        self.folder = folder
        self.turns = Turns()
        sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, folder))
        file = folder / "reconciled.toml"
        # The sandbox's limits are off here; politeness would only make the tests slow.
        file.write_text(file.read_text().replace("[defaults]\n", "[defaults]\nread_share = 1.0\n"))
        self.settings = configured.load(file)
        self.works = self.start()
        self._heard: list[tuple[str, dict[str, Any]]] = []
        sandbox.on_loop(lambda: sandbox.world.on_event.append(self._hear))

    def start(self) -> Works:
        """As after a restart: nothing is kept but the store."""
        works = assemble(self.settings, self.store, self.turns, self.now)
        due = (looks({LANE, *self.accounts}), walks(works.rejudging))
        scan = Scan(self.store, self.turns, due, self.now)
        self.turns.kinds = {
            "look": works.lane.run,
            "deadline_scan": scan.run,
            POLICIES: lambda _: self._take_policies(),
        }
        return works

    def start_again(self) -> None:
        self.works.systems.close()
        self.works = self.start()

    def outdated(self) -> bool:
        with self.store.reading() as session:
            return self.works.policies.outdated(session)

    def _take_policies(self) -> None:
        with self.store.transaction() as session:
            self.works.rejudging.request(session, self.works.policies.refresh(session))

    def buried(self, account: str) -> list[Buried]:
        with self.store.reading() as session:
            return worklist.buried(session, account)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.world.clock.now(), UTC)

    def _hear(self, account: StripeAccount, event: dict[str, Any]) -> None:
        self._heard.append((account.slug, event))

    @property
    def accounts(self) -> list[str]:
        return [account.id for account in self.settings.accounts]

    def mark(self, account: str, kind: str, id: str, *, reading: bool = True) -> None:
        """What receiving an event does."""
        with self.store.transaction() as session:
            worklist.mark(session, [Subject(account, kind, id)], self.now(), reading=reading)
        self.turns.wake("look", account)

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """The events that were told since, taken away: whoever does not take them in has missed them."""
        return self.sandbox.on_loop(lambda: [self._heard.pop(0) for _ in range(len(self._heard))])

    def take_in(self, *told: tuple[str, dict[str, Any]]) -> None:
        """What receiving these events does."""
        for account, event in told:
            about = event["data"]["object"]
            if account in self.accounts and about.get("id"):
                self.mark(account, about["object"], about["id"])
                if about.get("customer"):
                    self.mark(account, "customer", about["customer"], reading=False)

    def hear(self) -> int:
        """Takes in every event that was told since; how many those were."""
        told = self.told()
        self.take_in(*told)
        return len(told)

    def on(self, account: str, do: Callable[[Shop], T]) -> T:
        """Does something in an account's pretend books, where the sandbox keeps them."""
        (owned,) = (each for each in self.sandbox.world.accounts.values() if each.slug == account)
        return self.sandbox.on_loop(lambda: do(Shop(self.sandbox.world, owned)))

    def planted(self, *, expected: bool) -> list[Planted]:
        return [each for each in self.sandbox.world.planted if each.expected == expected]

    def rest(self) -> None:
        """Until nothing is due."""
        for _ in range(ROUNDS_MAX):
            self.turns.wake("deadline_scan", "all")
            if self.turns.run() == 1:
                return
        raise AssertionError("it does not come to rest")

    def read_everything(self) -> None:
        """One complete pass over every class of every source of every account, as sweeps make it."""
        for account in self.accounts:
            self.read_stripe(account)
        self.read_records()
        self.read_entitlements()

    def read_stripe(self, account: str, sources: Iterable[Source] = OF_STRIPE) -> None:
        reader = self.works.systems.reader(account)
        in_order = sorted(sources, key=lambda each: BY_NAME[each.value].type not in PARENTS)
        for source in in_order:
            resource = BY_NAME[source.value]
            pages = ((page.items, page.started_at) for page in reader.pages(resource, purpose=Purpose.SWEEP))

            def keep(
                session: Session,
                items: Sequence[Any],
                seen: int,
                at: datetime,
                first: bool,
                kind: str = resource.type,
            ) -> set[Subject]:
                landscape = self.works.cartographer.landscape(session)
                return keeping.keep(
                    session, landscape, account, kind, items, seen=seen, observed_at=at, first_pass=first
                )

            mark = self._pass([account], source, pages, keep)
            if source is Source.CUSTOMERS:
                self._look_for_missing(account, resource.type, mark)
        self._end([account])

    def read_records(self) -> None:
        crm = self.works.systems.crm("pretend")
        for account in self.accounts:
            landscape = self._landscape()
            land = landscape.lands[account]
            seen_keys: set[str] = set()

            def keep(
                session: Session, items: Sequence[Any], seen: int, at: datetime, first: bool
            ) -> set[Subject]:
                landscape = self.works.cartographer.landscape(session)
                return keeping.keep_records(
                    session, landscape, "pretend", items, seen=seen, observed_at=at, first_pass=first
                )

            pages = crm.pages(land.facts.stripe_account, afresh=True)
            self._pass([account], Source.CRM, self._noting(pages, seen_keys), keep)
            self._bury(RECORDS, land.facts.stripe_account, seen_keys)
        self._end(self.accounts)

    def read_entitlements(self) -> None:
        product = self.works.systems.entitlements("app")
        for account in self.accounts:
            land = self._landscape().lands[account]
            seen_keys: set[str] = set()

            def keep(
                session: Session, items: Sequence[Any], seen: int, at: datetime, first: bool
            ) -> set[Subject]:
                landscape = self.works.cartographer.landscape(session)
                return keeping.keep_entitlements(
                    session, landscape, "app", items, seen=seen, observed_at=at, first_pass=first
                )

            pages = product.pages(land.facts.stripe_account, afresh=True)
            self._pass([account], Source.ENTITLEMENTS, self._noting(pages, seen_keys), keep)
            self._bury(ENTITLEMENTS, land.facts.stripe_account, seen_keys)
        self._end(self.accounts)

    def standing(self) -> list[Any]:
        """The cases that stand, as rows."""
        with self.store.reading() as session:
            query = select(CASES).where(CASES.c.state != "resolved")
            return list(session.execute(query.order_by(CASES.c.account, CASES.c.kind, CASES.c.fingerprint)))

    def stands(self, kind: str, *ids: str) -> list[Any]:
        """The standing cases of a kind that are about all of these."""
        return [row for row in self.standing() if row.kind == kind and set(ids) <= set(row.object_ids)]

    def _landscape(self) -> Any:
        with self.store.reading() as session:
            return self.works.cartographer.landscape(session)

    def _noting(self, pages: Iterable[Page[Any]], keys: set[str]) -> Iterator[tuple[Sequence[Any], datetime]]:
        for page in pages:
            keys |= set(page.keys)
            yield page.rows, page.observed_at

    def _pass(
        self,
        accounts: Sequence[str],
        source: Source,
        pages: Iterable[tuple[Sequence[Any], datetime]],
        keep: Callable[[Session, Sequence[Any], int, datetime, bool], set[Subject]],
    ) -> int:
        with self.store.transaction() as session:
            landscape = self.works.cartographer.landscape(session)
            mark = worklist.current_mark(session)
            slot = f"{self.now().isoformat()}#{mark}"
            readings = [reading_of(landscape.lands[account].facts, source) for account in accounts]
            for reading in readings:
                assert reading is not None
                passes.begin(session, reading, slot, mark, self.now())
            first = source in landscape.lands[accounts[0]].never_read
        count = 0
        for items, _ in pages:
            with self.store.transaction(bulk=True) as session:
                keep(session, items, mark, self.now(), first)
            count += len(items)
        with self.store.transaction() as session:
            for reading in readings:
                assert reading is not None
                passes.end(session, reading, slot, count, self.now())
        return mark

    def _look_for_missing(self, account: str, kind: str, mark: int) -> None:
        """What a complete pass did not show is read by its id: only that tells whether it is gone."""
        with self.store.transaction() as session:
            for ids in snapshots.unseen(session, account, kind, mark):
                worklist.mark(session, [Subject(account, kind, each) for each in ids], self.now())

    def _end(self, accounts: Iterable[str]) -> None:
        for account in accounts:
            with self.store.transaction() as session:
                concerned = self.works.rejudging.after_pass(session, account)
            for each in concerned:
                self.turns.wake("look", each)

    def _bury(self, of: Any, stripe_account: str, keys: set[str]) -> None:
        with self.store.transaction() as session:
            seen = worklist.current_mark(session)
            query = select(of.c.source, of.c.key).where(
                of.c.stripe_account == stripe_account, of.c.deleted.is_(False)
            )
            landscape = self.works.cartographer.landscape(session)
            bury = keeping.bury_record if of is RECORDS else keeping.bury_entitlement
            for row in session.execute(query).all():
                if row.key not in keys:
                    bury(session, landscape, row.source, row.key, seen=seen, observed_at=self.now())


@contextmanager
def rigged(
    store: Store,
    folder: Path,
    *,
    seed: int = 7,
    accounts: int = 3,
    customers: int = 50,
    at: int | None = None,
) -> Iterator[Rig]:
    with Sandbox.start(seed, accounts, customers, at=at) as sandbox:
        rig = Rig(sandbox, store, folder)
        try:
            yield rig
        finally:
            rig.works.systems.close()
