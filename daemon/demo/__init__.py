"""`reconciled demo`: the pretend world, the daemon that works on it, and what it finds. No keys, no network."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accounts.sandbox import client, seeding
from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from daemon import once, views
from daemon.demo.cast import APPROVER, DISPUTES, Cast, Refundable, Refused, hire, refundable
from daemon.run import open_daemon
from daemon.settings import Configuration
from daemon.store.db import Store, open_store
from daemon.store.queue import Wanted
from daemon.store.verification import verify

LOOK_S = 0.5  # how late a case may appear in the terminal

Show = Callable[..., None]
ShowCases = Callable[[Any], None]

SHOWN = {
    "customer": "customers",
    "subscription": "subscriptions",
    "invoice": "invoices",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "radar.early_fraud_warning": "fraud warnings",
    "review": "open reviews",
    "payout": "payouts",
    "event": "events of the last 30 days",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for."""

    once: bool
    port: int
    accounts: int
    customers: int
    seed: int
    folder: Path | None


def run(wish: Wish, show: Show, show_cases: ShowCases) -> None:
    with ExitStack() as stack:
        folder = wish.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="reconciled-demo-"))
        )
        # Its clock starts now, so that a deadline in two days is in two days.
        sandbox = stack.enter_context(Sandbox.start(wish.seed, wish.accounts, wish.customers))
        listen = f"127.0.0.1:{wish.port}"
        sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, folder, listen=listen, mode="act"))
        show(*contents(client.state(sandbox.url)), "")
        configured = Configuration(folder / "reconciled.toml")
        if wish.once:
            _once(configured, show, show_cases)
            return
        daemon, _ = stack.enter_context(open_daemon(configured, now))
        sandbox.on_loop(lambda: seeding.listen(sandbox.world, f"http://{listen}"))
        address = f"http://{listen}"
        actors = hire(daemon.store, configured.settings, now, address)
        command = f".venv/bin/reconciled --config {configured.path}"
        show(
            f"The daemon listens at {address}, the sandbox at {sandbox.url}, until Ctrl-C. In another terminal:",
            f"  {command} cases list",
            f"  {command} check",
            f"  .venv/bin/reconciled sandbox incident dispute_wave --url {sandbox.url}",
            "",
            "Two people decide here. Sign in as one of them, once, and then the other:",
            *(f"  {command} login {link}" for link in actors.links.values()),
            "",
            "Cases, as they appear:",
        )
        _Play(actors, address, command, show, sandbox.on_loop(lambda: refundable(sandbox.world))).watch(
            daemon.store
        )


def _once(configured: Configuration, show: Show, show_cases: ShowCases) -> None:
    """One full pass, the queue, and the journal's verified head."""
    accounts = [account.id for account in configured.settings.accounts]
    passed = once.full_pass(configured, now, accounts)
    with open_store(configured.settings.daemon.database.reveal()) as store, store.reading() as session:
        show_cases(views.cases(session, Wanted())["items"])
        verdict = verify(session)
    show("", f"{passed.standing} cases stand.")
    if verdict.fault is not None:
        raise AssertionError(verdict.fault.sentence)
    show(f"The journal is as it was written: {verdict.head.line()}")


class _Play:
    """Tells every case once, and when it ends. Meanwhile the agent asks for what people are to decide."""

    def __init__(
        self, actors: Cast, address: str, command: str, show: Show, wanted: Refundable | None
    ) -> None:
        self._actors = actors
        self._address = address
        self._command = command
        self._show = show
        self._wanted = wanted
        self._answers_a_dispute = True

    def watch(self, store: Store) -> None:
        told: dict[str, str] = {}
        everything = Wanted(states=("open", "snoozed", "resolved"), sort="opened")
        while True:
            with store.reading() as session:
                items: Any = views.cases(session, everything)["items"]
            for item in items:
                if told.get(item["id"]) != item["state"]:
                    told[item["id"]] = item["state"]
                    self._tell(item)
            self._act(items)
            time.sleep(LOOK_S)

    def _tell(self, item: dict[str, Any]) -> None:
        said = f"{item['state']:8} {item['severity']:8} {item['account']:10} {item['kind']}: {item['title']}"
        self._show(f"  {said}")

    def _act(self, items: Iterable[dict[str, Any]]) -> None:
        """One refund, as soon as its customer is known, and one answer to a dispute that has time left."""
        disputes = [each for each in items if each["kind"] == "dispute_deadline" and each["state"] == "open"]
        if self._answers_a_dispute and disputes:
            self._answers_a_dispute = False
            try:
                effect = self._actors.draft_answer(self._address, disputes[0]["id"])
                self._ask(f"The agent has drafted an answer: {effect}", DISPUTES, disputes[0]["id"])
                if self._wanted is not None:
                    case = self._actors.ask_for_refund(self._address, self._wanted)
                    half, charge = self._wanted.half, self._wanted.charge
                    self._ask(f"The agent asks for {half} of {charge} back.", APPROVER, case)
            except Refused as refused:
                self._show(str(refused))

    def _ask(self, what: str, who: str, case: str) -> None:
        self._show("", what, f"  As {who}:  {self._command} cases approve {case}", "")


def now() -> datetime:
    return datetime.now(UTC)


def contents(state: client.Json) -> Iterator[str]:
    """The accounts, and how many objects of each class they hold."""
    for account in state["accounts"]:
        mode = "live" if account["livemode"] else "test"
        yield f"{account['slug']} · {account['id']} · {mode} · {account['currency']}"
        counts = ((account["counts"].get(name, 0), words) for name, words in SHOWN.items())
        yield "  " + ", ".join(f"{count} {words}" for count, words in counts if count)
    yield f"The CRM: {state['crm_records']} records. The product: {state['entitlements']} entitlements."
    yield f"Planted to be found: {state['planted']} disagreements and risks, among {state['near_misses']} near misses."
