"""`reconciled demo`: the pretend world, the daemon that works on it, and what it finds. No keys, no network."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accounts.sandbox import client, seeding
from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from daemon import once, views
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
        sandbox.on_loop(
            lambda: configuration(sandbox.world, sandbox.url, folder, listen=listen, mode="propose")
        )
        show(*contents(client.state(sandbox.url)), "")
        configured = Configuration(folder / "reconciled.toml")
        if wish.once:
            _once(configured, show, show_cases)
            return
        daemon, _ = stack.enter_context(open_daemon(configured, now))
        sandbox.on_loop(lambda: seeding.listen(sandbox.world, f"http://{listen}"))
        show(
            f"The daemon listens at http://{listen}, the sandbox at {sandbox.url}, until Ctrl-C. In another terminal:",
            f"  .venv/bin/reconciled --config {configured.path} cases list",
            f"  .venv/bin/reconciled --config {configured.path} check",
            f"  .venv/bin/reconciled sandbox incident dispute_wave --url {sandbox.url}",
            "",
            "Cases, as they appear:",
        )
        _watch(daemon.store, show)


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


def _watch(store: Store, show: Show) -> None:
    """Tells every case once, and when it ends."""
    told: dict[str, str] = {}
    while True:
        with store.reading() as session:
            items: Any = views.cases(session, Wanted(states=("open", "snoozed", "resolved"), sort="opened"))[
                "items"
            ]
        for item in items:
            if told.get(item["id"]) != item["state"]:
                told[item["id"]] = item["state"]
                show(
                    f"  {item['state']:8} {item['severity']:8} {item['account']:10} {item['kind']}: {item['title']}"
                )
        time.sleep(LOOK_S)


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
