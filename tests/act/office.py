"""A desk, an executor and a loop on one store: what people decide, and what is then done."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx
from sqlalchemy import Row, select

from accounts.errors import ObservationError
from accounts.facts import Subject
from accounts.sandbox.business.opening import key_of
from accounts.stripe.writes import WriteClient
from daemon.act import Executor, Grounds
from daemon.act.grounds import Acts
from daemon.actions.shape import Hands, Place
from daemon.desk.request import Staged
from daemon.observe.landscape import OF_STRIPE, reading_of
from daemon.store import passes, worklist
from tests.act.world import ATTEMPTS, Fragile, Plan, Way, open_hands
from tests.desk.rig import Rig


class Office:
    def __init__(self, desk: Rig, reads: httpx.Client, writes: WriteClient) -> None:
        self.desk = desk
        self.slug = desk.slug
        self.account = next(each for each in desk.sandbox.world.accounts.values() if each.slug == desk.slug)
        self._ways = {
            writing: Way(desk.sandbox.url, key_of(self.account, role), "ch_of_nobody", reads, writes)
            for writing, role in ((False, "read"), (True, "act"))
        }
        # Politeness towards a pretend Stripe would only make the tests slow.
        desk.desk.ground = replace(desk.desk.ground, hands=lambda account: self._hands(Plan(), writing=False))
        self.agent, self.ana = desk.agent("shop"), desk.person("ana")
        self.ben = desk.person("ben")  # so that nobody works alone

    def executor(self, plan: Plan | None = None) -> Executor:
        """As a daemon would that has just started."""
        plan = plan or Plan()

        def hands(account: str, writing: bool) -> Hands:
            return self._hands(plan, writing=writing)

        def doubt(account: str, problem: ObservationError) -> None:
            raise AssertionError("nobody takes the key away")

        grounds = Grounds({self.slug: Acts(self.account.id, True, "act", has_key=True)}, self.desk.desk.holds)
        fragile: Any = Fragile(self.desk.store, plan)
        seal = self.desk.desk.ground.seal
        return Executor(
            fragile, grounds, seal, hands, doubt, self.desk.wakes, self.desk.now, self.desk.desk.changed
        )

    def adopted(self) -> None:
        """A first complete pass over the account has ended: what goes wrong from now on is news."""
        with self.desk.store.transaction() as session:
            land = self.desk.works.cartographer.landscape(session).lands[self.slug]
            for source in OF_STRIPE:
                reading = reading_of(land.facts, source)
                assert reading is not None
                passes.begin(session, reading, "first", 0, self.desk.now())
                passes.end(session, reading, "first", 0, self.desk.now())

    def act(self, plan: Plan | None = None) -> None:
        self.executor(plan).act(self.slug)

    def _hands(self, plan: Plan, *, writing: bool) -> Hands:
        place = Place(self.slug, self.account.id, True)
        return open_hands(self._ways[writing], place, plan, self.desk.now, writing=writing)

    def fault(self, **dials: Any) -> None:
        def turn() -> None:
            for name, value in dials.items():
                setattr(self.account.faults, name, value)

        self.desk.sandbox.on_loop(turn)

    def well(self) -> None:
        self.desk.sandbox.on_loop(self.account.faults.clear)

    def refunds(self, charge: str) -> list[Mapping[str, Any]]:
        found: Callable[[], list[Mapping[str, Any]]] = lambda: list(  # noqa: E731
            self.account.newest_first("refund", charge=charge)
        )
        return self.desk.sandbox.on_loop(found)

    def attempts(self, proposal_id: str) -> list[Row[Any]]:
        with self.desk.store.reading() as session:
            return list(session.execute(select(ATTEMPTS).where(ATTEMPTS.c.proposal_id == proposal_id)).all())

    def done(self, charge: str, amount: int, currency: str = "eur") -> Staged:
        """Asked for, approved and done."""
        staged = self.desk.stage(self.agent, charge, amount, currency)
        self.desk.approve(self.ana, staged)
        self.desk.later(seconds=11)
        self.act()
        return staged

    def look(self, *addresses: tuple[str, str]) -> None:
        """What the loop does when events have named these."""
        with self.desk.store.transaction() as session:
            marked = [Subject(self.slug, type_, id_) for type_, id_ in addresses]
            worklist.mark(session, marked, self.desk.now())
        while self.desk.works.loop.look_at(self.slug):
            pass
