"""A daemon on the pretend world that is watched by a real Prometheus: what happens there is what the panels show."""

from collections.abc import Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import select, update

from accounts.facts import Subject
from accounts.sandbox import seeding
from accounts.sandbox.business.shop import Shop
from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from daemon.core.approval.principal import Principal
from daemon.desk.request import Request
from daemon.loop import LOOK
from daemon.run import Daemon, open_daemon
from daemon.scan import EVERYTHING
from daemon.settings import Configuration
from daemon.store import people, worklist
from daemon.store.people import Person
from daemon.store.tables import table
from daemon.wiring.flows import FIGURES
from grafana.generate.rules import rules
from tests.grafana.programs import Prometheus, prometheus, until

ACCOUNTS: Final = ("acme-eu", "acme-us")
CALM_S: Final = 180.0  # for a first pass over a few dozen customers, on a machine with other things to do
QUICK: Final = '[defaults]\nread_share = 1.0\npoll = "1s"\nrecords = "1s"\n'  # the sandbox minds no hurry
PROPOSALS = table("proposals")


@dataclass(frozen=True, slots=True)
class Scene:
    sandbox: Sandbox
    daemon: Daemon
    prometheus: Prometheus
    url: str
    asked: set[str] = field(default_factory=set)  # charges that a refund was asked for

    def shown(self, expr: str, least: float = 1) -> None:
        """Waits until a scrape shows so many of it."""
        self.daemon.runner.wake(FIGURES, EVERYTHING)
        until(lambda: sum(value for _, value in self.prometheus.ask(expr)) >= least, CALM_S, expr)

    def pictured(self, expr: str, least: float = 1) -> None:
        """The same of what is computed from the database, without waiting for the next picture."""

        def there() -> bool:
            self.daemon.runner.wake(FIGURES, EVERYTHING)
            return sum(value for _, value in self.prometheus.ask(expr)) >= least

        until(there, CALM_S, expr)

    def on(self, account: str, change: Any) -> Any:
        world = self.sandbox.world
        found = next(each for each in world.accounts.values() if each.slug == account)
        return self.sandbox.on_loop(lambda: change(Shop(world, found)))

    def customers_pay(self, account: str, count: int) -> None:
        """Events come, by webhook if one gets through."""

        def touch(shop: Shop) -> None:
            for each in list(shop.account.newest_first("customer"))[:count]:
                shop.change("customer", each["id"], "customer.updated", balance=each.get("balance", 0))

        self.on(account, touch)

    def refund(self, account: str, verdict: str | None) -> None:
        """An agent asks for a refund, and somebody decides."""
        charge = self.on(account, lambda shop: _free_charge(shop, self.asked))
        self.asked.add(charge["id"])
        details = {"charge": charge["id"], "amount": charge["amount"], "currency": charge["currency"]}
        desk = self.daemon.flows.desk
        staged = desk.stage(AGENT, Request(account=account, action="refund", details=details))
        with self.daemon.store.reading() as session:
            row = session.execute(select(PROPOSALS).where(PROPOSALS.c.case_id == staged.case_id)).one()
        if verdict == "approve":
            desk.approve(ANA, staged.case_id, row.version, row.state_hash)
        elif verdict == "reject":
            desk.reject(ANA, staged.case_id, row.version, note="no")

    def set_aside(self, account: str) -> None:
        """As a subject is whose looks fail for a day."""
        subject = Subject(account, "customer", "cus_poison")
        with self.daemon.store.transaction() as session:
            worklist.mark(session, [subject], now() + timedelta(days=1))
            this = update(worklist.WORK).where(worklist.WORK.c.id == subject.id)
            session.execute(this.values(buried_at=now(), error="It always failed."))

    def waits(self, account: str) -> None:
        """Stripe is slow, and while one subject is looked at the others are due."""
        self.sandbox.incident("slow_answers", account)
        customers = self.on(
            account, lambda shop: [each["id"] for each in shop.account.newest_first("customer")]
        )
        self._mark(account, customers[:1])
        self.pictured('reconciled_queue_subjects{state="taken"}')
        self._mark(account, customers[1:])
        self.pictured("reconciled_queue_oldest_timestamp_seconds")

    def _mark(self, account: str, customers: Sequence[str]) -> None:
        with self.daemon.store.transaction() as session:
            worklist.mark(session, [Subject(account, "customer", each) for each in customers], now())
        self.daemon.runner.wake(LOOK, account)

    def forged(self, account: str) -> None:
        answer = httpx.post(
            f"{self.url}/webhooks/stripe/{account}", content=b"{}", headers={"stripe-signature": "t=1,v1=0"}
        )
        assert answer.status_code >= 400


AGENT: Final = Principal("tok_shop", "shop", "agent", token_id="tok_shop")
ANA: Final = Principal("per_ana", "ana", "approver", "per_ana", token_id="tok_ana")


def _free_charge(shop: Shop, asked: Container[str]) -> dict[str, Any]:
    free = (
        each
        for each in shop.account.newest_first("charge")
        if each["paid"] and not each["disputed"] and not each["amount_refunded"] and each["id"] not in asked
    )
    found: dict[str, Any] = next(free)
    return found


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def played(
    folder: Path, *, accounts: int = len(ACCOUNTS), customers: int = 60, pace: str = QUICK
) -> Iterator[Scene]:
    """The curtain rises when everything was read once and nothing waits."""
    with ExitStack() as stack:
        folder.mkdir(parents=True)
        sandbox = stack.enter_context(Sandbox.start(accounts=accounts, customers=customers))
        sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, folder, listen="127.0.0.1:0"))
        file = folder / "reconciled.toml"
        file.write_text(file.read_text().replace("[defaults]\n", pace) + '\n[approvals]\nundo = "1s"\n')
        daemon, _ = stack.enter_context(open_daemon(Configuration(file), now))
        url = f"http://127.0.0.1:{daemon.server.port}"
        sandbox.on_loop(lambda: seeding.listen(sandbox.world, url))
        with daemon.store.transaction() as session:
            people.add(session, Person("per_ana", "ana", "approver", None, (), "owner", now()))
            people.sign_in(session, "per_ana", now())
        asked = stack.enter_context(
            prometheus(folder / "prometheus", f"127.0.0.1:{daemon.server.port}", each_second(rules()))
        )
        scene = Scene(sandbox, daemon, asked, url)
        scene.pictured(
            'sum(reconciled_accounts{state="ok"}) and on () sum(reconciled_subjects_judged_total) > 10'
        )
        yield scene


def each_second(tree: dict[str, Any]) -> dict[str, Any]:
    groups: Sequence[dict[str, Any]] = tree["groups"]
    return {"groups": [group | {"interval": "1s"} for group in groups]}
