"""A daemon without its threads: polls, sweeps, passes and looks, as wakes that the test itself lets run."""

import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from accounts.sandbox.world import public
from accounts.stripe.shapes import Event
from daemon.core.model import Source
from daemon.envelope import kept
from daemon.loop import LOOK
from daemon.observe.landscape import OF_STRIPE
from daemon.store import intake, passes
from daemon.store.db import Store
from daemon.wiring.flows import connect
from daemon.wiring.works import Works
from tests.flows.rig import Hasty
from tests.loop.rig import Rig


class Killed(BaseException):
    """The process is gone, with whatever it had not committed."""


class Whole(Rig):
    """Everything that is due runs, also sweeps and polls; and what is asked for runs at once."""

    def start(self) -> Works:
        self.flows = flows = connect(self.settings, self.store, self.turns, self.now, Hasty())
        self.turns.waiting.clear()
        self.turns.kinds = {name: kind.run for name, kind in flows.kinds().items()}
        flows.judge_everything_again()
        return flows.works

    def close(self) -> None:
        self.flows.close()

    def take_in(self, *told: tuple[str, dict[str, Any]]) -> None:
        """As webhooks bring them."""
        for account, event in told:
            if account in self.accounts:
                whole = msgspec.json.decode(msgspec.json.encode(public(event)), type=Event)
                received = kept(whole, account, "webhook", is_foreign=False)
                with self.store.transaction() as session:
                    intake.take_in(session, [received], self.now())
                self.turns.wake(LOOK, account)

    def read_stripe(self, account: str, sources: Iterable[Source] = OF_STRIPE) -> None:
        self.flows.stripe.demand(account, whole=True)
        self.flows.stripe.sweep(account, at_once=True)

    def read_records(self) -> None:
        self.flows.records.sweep(passes.crm("pretend"), at_once=True)

    def read_entitlements(self) -> None:
        self.flows.records.sweep(passes.entitlements("app"), at_once=True)


@contextmanager
def dying(store: type[Store], commits: int, *, kept: bool) -> Iterator[None]:
    """Whoever writes here is killed at the commit of this number: just before it, or just after it."""
    transaction = store.transaction
    left, lock = itertools.count(commits, -1), threading.Lock()

    @contextmanager
    def until_then(own: Store, **how: Any) -> Iterator[Any]:
        with lock:
            dies = next(left) <= 0
        with transaction(own, **how) as session:
            yield session
            if dies and not kept:
                raise Killed
        if dies:
            raise Killed

    store.transaction = until_then  # type: ignore[method-assign, assignment]
    try:
        yield
    except Killed:
        pass
    finally:
        store.transaction = transaction  # type: ignore[method-assign]
