"""The sandbox's own deliveries arrive: snapshot and thin, of accounts with keys and of connected ones, and doubled."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from accounts.facts import Subject
from accounts.sandbox import seeding
from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from daemon.settings import load
from daemon.store.db import Store
from metrics.catalog import events_duplicate
from tests.receive.rig import Rig, receiving, value


class Scene:
    """A small pretend world that sends to a receiver."""

    def __init__(self, sandbox: Sandbox, rig: Rig) -> None:
        self.sandbox = sandbox
        self.rig = rig

    def happen(self, slug: str, times: int = 1) -> dict[str, str]:
        """So many invoices are paid; gives their ids by those of the events."""

        def emit() -> dict[str, str]:
            account = next(each for each in self.sandbox.world.accounts.values() if each.slug == slug)
            invoices = list(account.newest_first("invoice", status="paid"))[:times]
            return {account.emit("invoice.paid", invoice)["id"]: invoice["id"] for invoice in invoices}

        return self.sandbox.on_loop(emit)

    def change_endpoint(self, slug: str, **changes: object) -> None:
        def change() -> None:
            account = next(each for each in self.sandbox.world.accounts.values() if each.slug == slug)
            account.put(next(account.newest_first("webhook_endpoint")) | changes)

        self.sandbox.on_loop(change)

    def outcomes(self) -> dict[str, int]:
        return self.sandbox.on_loop(lambda: dict(self.sandbox.world.outgoing.outcomes))


@pytest.fixture
def scene(sqlite: Store, tmp_path: Path) -> Iterator[Scene]:
    with Sandbox.start(accounts=4, customers=8) as sandbox:
        sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, tmp_path))
        settings = load(tmp_path / "reconciled.toml")

        def now() -> datetime:
            return datetime.fromtimestamp(sandbox.world.clock.exact(), UTC)

        with receiving(sqlite, settings.accounts, settings.platforms, now) as rig:
            sandbox.on_loop(lambda: seeding.listen(sandbox.world, str(rig.client.base_url)))
            yield Scene(sandbox, rig)


@pytest.mark.parametrize("slug", ["acme-eu", "acme-us", "acme-test", "acme-jp"])
def test_an_accounts_events_arrive_and_mark_its_objects(scene: Scene, slug: str) -> None:
    """Trap A13: `acme-jp` has no endpoint of its own; its events come by the platform's."""
    sent = scene.happen(slug, 3)
    scene.rig.wait_for(lambda: sent.keys() <= scene.rig.inbox().keys())
    rows = scene.rig.inbox()
    assert {(rows[id].account, rows[id].is_foreign) for id in sent} == {(slug, False)}
    assert {Subject(slug, "invoice", id) for id in sent.values()} <= scene.rig.marks().keys()
    assert set(scene.rig.woken) == {slug}


def test_a_thin_endpoints_events_arrive(scene: Scene) -> None:
    scene.change_endpoint("acme-eu", _payload="thin")
    sent = scene.happen("acme-eu", 2)
    wanted = {Subject("acme-eu", "invoice", id) for id in sent.values()}
    scene.rig.wait_for(lambda: wanted <= scene.rig.marks().keys())
    assert {row.type for row in scene.rig.inbox().values()} == {"v1.invoice.paid"}


def test_while_a_secret_is_rolled_events_arrive(scene: Scene) -> None:
    """Trap A10: as Stripe signs while a secret is rolled."""
    known = scene.sandbox.on_loop(
        lambda: next(
            endpoint["_secret"]
            for account in scene.sandbox.world.accounts.values()
            if account.slug == "acme-eu"
            for endpoint in account.newest_first("webhook_endpoint")
        )
    )
    scene.change_endpoint("acme-eu", _secret="whsec_new", _secret_before=known)
    sent = scene.happen("acme-eu")
    scene.rig.wait_for(lambda: sent.keys() <= scene.rig.inbox().keys())


def test_doubled_deliveries_are_one_event_each(scene: Scene) -> None:
    """Trap A1: as Stripe delivers twice."""
    before = value(events_duplicate, source="webhook")
    world = scene.sandbox.world

    def deliver_twice() -> None:
        for account in world.accounts:
            world.outgoing.dials(account).duplicate_share = 1.0

    scene.sandbox.on_loop(deliver_twice)
    sent = scene.happen("acme-eu", 3)
    scene.rig.wait_for(lambda: sent.keys() <= scene.rig.inbox().keys())
    scene.sandbox.advance("10s")
    last = scene.happen("acme-us")  # its answer comes after theirs
    scene.rig.wait_for(lambda: last.keys() <= scene.rig.inbox().keys())
    while scene.outcomes()["delivered"] < 7:
        scene.sandbox.advance("1s")
    assert scene.rig.inbox().keys() == sent.keys() | last.keys()
    assert value(events_duplicate, source="webhook") - before >= 3


def test_what_is_refused_comes_again_and_is_taken(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.change_endpoint("acme-eu", _secret="whsec_wrong")
    sent = scene.happen("acme-eu")
    while not scene.outcomes().get("refused"):
        scene.sandbox.advance("1s")
    assert scene.rig.inbox() == {}
    scene.change_endpoint("acme-eu", _secret="whsec_sandbox_acmeeu")
    scene.sandbox.advance("6m")
    scene.rig.wait_for(lambda: sent.keys() <= scene.rig.inbox().keys())
