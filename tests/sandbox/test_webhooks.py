"""Webhook delivery over real HTTP: signed, in every form, tried again, and troubled by each dial."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import stripe

from accounts.sandbox import seeding, webhooks
from accounts.sandbox.business.opening import webhook_secret_of
from accounts.sandbox.outgoing import Dials
from accounts.sandbox.webhooks import BACKOFF_LIVE_S, DISABLED_AFTER_S, GIVEN_UP_AFTER_S, Deliveries
from accounts.sandbox.world import StripeAccount, World
from accounts.secret import Secret
from accounts.stripe.signatures import Verdict, verify
from tests.sandbox.annotations import departures
from tests.sandbox.hearing import WAIT_S, Heard, Receiver, receiver

START = 1_800_000_000


class Scene:
    """A small world, a receiver, and deliveries that run between them."""

    def __init__(self, world: World, receiver: Receiver, deliveries: Deliveries) -> None:
        self.world = world
        self.receiver = receiver
        self._deliveries = deliveries

    def account(self, slug: str = "acme-eu") -> StripeAccount:
        return next(each for each in self.world.accounts.values() if each.slug == slug)

    def happen(self, slug: str = "acme-eu", times: int = 1) -> list[str]:
        """So many invoices are paid; gives the ids of the events."""
        account = self.account(slug)
        invoice = next(account.newest_first("invoice", status="paid"))
        return [account.emit("invoice.paid", invoice)["id"] for _ in range(times)]

    def dials(self, slug: str = "acme-eu") -> Dials:
        return self.world.outgoing.dials(self.account(slug).id)

    def endpoint(self, slug: str = "acme-eu") -> dict[str, Any]:
        return next(self.account(slug).newest_first("webhook_endpoint"))

    def change_endpoint(self, slug: str = "acme-eu", **changes: Any) -> None:
        self.account(slug).put(self.endpoint(slug) | changes)

    async def outcomes(self) -> dict[str, int]:
        """How all tries ended that have begun."""
        async with asyncio.timeout(WAIT_S):
            await self._deliveries.rest()
        return dict(self.world.outgoing.outcomes)

    def pending(self, event: str, slug: str = "acme-eu") -> int:
        stored = self.account(slug).get("event", event)
        assert stored is not None
        return int(stored["pending_webhooks"])


def play(scene: Callable[[Scene], Awaitable[None]], accounts: int = 4) -> None:
    async def all_of_it() -> None:
        async with AsyncExitStack() as stack:
            world = World(7, START, real=lambda: 0.0)
            seeding.plant(world, accounts, 8)
            hearing = await stack.enter_async_context(receiver())
            seeding.listen(world, hearing.url)
            deliveries = await stack.enter_async_context(webhooks.delivering(world))
            await scene(Scene(world, hearing, deliveries))

    asyncio.run(all_of_it())


def secret_of(scene: Scene, slug: str = "acme-eu") -> Secret:
    return Secret(webhook_secret_of(scene.account(slug)))


def verdict(scene: Scene, heard: Heard, *secrets: Secret) -> Verdict:
    header = heard.headers["stripe-signature"]
    return verify(heard.body, header, secrets or [secret_of(scene)], scene.world.clock.now())


def test_an_event_arrives_signed_and_pretty_printed_at_the_accounts_own_path() -> None:
    async def scene(at: Scene) -> None:
        (sent,) = at.happen()
        (heard,) = await at.receiver.until(1)
        assert heard.path == "/webhooks/stripe/acme-eu"
        assert heard.headers["content-type"] == "application/json; charset=utf-8"
        assert heard.body.startswith(b'{\n  "id": "evt_')
        assert heard.event["id"] == sent
        assert departures(heard.event) == []
        assert verdict(at, heard) is Verdict.VALID
        secret = secret_of(at).reveal()
        header = heard.headers["stripe-signature"]
        assert stripe.WebhookSignature.verify_header(heard.body.decode(), header, secret)
        assert (await at.outcomes())["delivered"] == 1
        assert at.pending(sent) == 0

    play(scene)


def test_another_accounts_secret_does_not_fit() -> None:
    async def scene(at: Scene) -> None:
        at.happen("acme-us")
        (heard,) = await at.receiver.until(1)
        assert verdict(at, heard) is Verdict.FORGED
        assert verdict(at, heard, secret_of(at, "acme-us")) is Verdict.VALID

    play(scene)


def test_while_a_secret_is_rolled_there_is_a_signature_for_each() -> None:
    async def scene(at: Scene) -> None:
        at.change_endpoint(_secret="whsec_new", _secret_before="whsec_old")
        at.happen()
        (heard,) = await at.receiver.until(1)
        assert heard.headers["stripe-signature"].count("v1=") == 2
        for secret in ("whsec_new", "whsec_old"):
            assert verdict(at, heard, Secret(secret)) is Verdict.VALID
        assert verdict(at, heard) is Verdict.FORGED

    play(scene)


def test_an_endpoint_hears_only_what_it_asked_for() -> None:
    async def scene(at: Scene) -> None:
        account = at.account()
        customer = next(account.newest_first("customer"))
        ignored = account.emit("customer.source.created", customer)
        (wanted,) = at.happen()
        await at.receiver.until(1)
        at.change_endpoint(enabled_events=["*"])
        starred = account.emit("customer.source.created", customer)
        await at.receiver.until(2)
        assert at.receiver.ids == [wanted, starred["id"]]
        assert at.pending(ignored["id"]) == 0

    play(scene)


def test_a_thin_endpoint_is_only_pointed_at_what_changed() -> None:
    async def scene(at: Scene) -> None:
        at.change_endpoint(_payload="thin")
        (sent,) = at.happen()
        (heard,) = await at.receiver.until(1)
        thin = heard.event
        assert thin["object"] == "v2.core.event"
        assert thin["type"] == "v1.invoice.paid"
        assert thin["related_object"]["type"] == "invoice"
        assert "data" not in thin
        assert thin["id"] != sent
        assert verdict(at, heard) is Verdict.VALID

    play(scene)


def test_an_endpoint_may_ask_for_another_version_than_the_accounts() -> None:
    async def scene(at: Scene) -> None:
        at.change_endpoint(api_version="2024-06-20")
        at.change_endpoint("acme-us", api_version=None)
        at.happen("acme-eu")
        at.happen("acme-us")
        for heard in await at.receiver.until(2):
            assert heard.event["api_version"] == "2024-06-20"
            assert heard.event["data"]["object"]["subscription"].startswith("sub_")
        at.change_endpoint("acme-us", api_version="2026-10-28.endive")
        at.happen("acme-us")
        newest = (await at.receiver.until(3))[2].event
        assert newest["data"]["object"]["parent"]["type"] == "subscription_details"

    play(scene)


def test_a_connected_accounts_events_arrive_at_the_platforms_endpoint() -> None:
    async def scene(at: Scene) -> None:
        at.happen("acme-jp")
        (heard,) = await at.receiver.until(1)
        assert heard.path == "/webhooks/stripe/acme-platform"
        assert heard.event["account"] == at.account("acme-jp").id
        assert verdict(at, heard, secret_of(at, "acme-platform")) is Verdict.VALID

    play(scene)


@pytest.mark.parametrize("status", [500, 400, 301])
def test_what_is_not_accepted_comes_again_and_is_signed_anew(status: int) -> None:
    async def scene(at: Scene) -> None:
        at.receiver.status = lambda heard: status
        (sent,) = at.happen()
        assert (await at.outcomes())["refused"] == 1
        assert at.pending(sent) == 1
        at.receiver.status = lambda heard: 200
        at.world.clock.advance(BACKOFF_LIVE_S[0])
        first, second = await at.receiver.until(2)
        assert (await at.outcomes())["delivered"] == 1
        assert first.body == second.body
        assert first.headers["stripe-signature"] != second.headers["stripe-signature"]
        assert verdict(at, second) is Verdict.VALID
        assert verdict(at, first) is Verdict.VALID if BACKOFF_LIVE_S[0] <= 300 else Verdict.STALE
        assert at.pending(sent) == 0

    play(scene)


def test_nobody_listening_is_no_answer() -> None:
    async def scene(at: Scene) -> None:
        at.change_endpoint(url="http://127.0.0.1:9/")
        (sent,) = at.happen()
        assert (await at.outcomes())["no_answer"] == 1
        assert at.pending(sent) == 1

    play(scene)


def test_nothing_is_ever_sent_beyond_this_machine() -> None:
    async def scene(at: Scene) -> None:
        at.change_endpoint(url="https://example.com/hook")
        at.happen()
        assert (await at.outcomes())["no_answer"] == 1

    play(scene)


async def _refusals(at: Scene, slug: str, days: int) -> int:
    """Lets so many days pass, an hour at a time, while nothing is accepted."""
    at.receiver.status = lambda heard: 500
    at.happen(slug)
    for _ in range(days * 24):
        await at.outcomes()
        at.world.clock.advance(3600)
    return (await at.outcomes())["refused"]


def test_live_mode_tries_for_three_days_and_test_mode_three_times() -> None:
    async def live(at: Scene) -> None:
        assert await _refusals(at, "acme-eu", 4) >= 8
        last = max(each.at for each in at.world.outgoing.log if each.outcome == "refused")
        assert last - START <= GIVEN_UP_AFTER_S
        assert (await at.outcomes())["given_up"] == 1

    async def test(at: Scene) -> None:
        assert await _refusals(at, "acme-test", 1) == 3
        assert (await at.outcomes())["given_up"] == 1

    play(live)
    play(test)


def test_an_endpoint_that_fails_for_days_is_disabled() -> None:
    async def scene(at: Scene) -> None:
        at.receiver.status = lambda heard: 500
        at.happen()
        assert (await at.outcomes())["refused"] == 1
        at.world.clock.advance(DISABLED_AFTER_S)
        assert (await at.outcomes())["refused"] == 2
        assert at.endpoint()["status"] == "disabled"
        (unheard,) = at.happen()
        assert at.pending(unheard) == 0

    play(scene)


def test_one_success_in_between_keeps_an_endpoint_enabled() -> None:
    async def scene(at: Scene) -> None:
        at.receiver.status = lambda heard: 500
        at.happen()
        assert (await at.outcomes())["refused"] == 1
        at.receiver.status = lambda heard: 200
        at.happen()
        assert (await at.outcomes())["delivered"] == 1
        at.receiver.status = lambda heard: 500
        at.world.clock.advance(DISABLED_AFTER_S)
        assert (await at.outcomes())["refused"] == 2
        assert at.endpoint()["status"] == "enabled"

    play(scene)


def test_dropped_webhooks_never_arrive_and_stripe_does_not_know() -> None:
    async def scene(at: Scene) -> None:
        at.dials().drop_share = 1.0
        (lost,) = at.happen()
        assert at.pending(lost) == 0
        assert at.world.outgoing.outcomes == {"dropped": 1}
        at.dials().clear()
        (heard,) = at.happen()
        await at.receiver.until(1)
        assert at.receiver.ids == [heard]

    play(scene)


def test_duplicates_are_the_same_event_again() -> None:
    async def scene(at: Scene) -> None:
        at.dials().duplicate_share = 1.0
        sent = at.happen(times=3)
        await at.receiver.until(3)
        at.world.clock.advance(webhooks.DUPLICATE_AFTER_S)
        await at.receiver.until(6)
        assert sorted(at.receiver.ids) == sorted(sent * 2)
        assert [at.pending(each) for each in sent] == [0, 0, 0]

    play(scene)


def test_twins_are_two_events_for_one_change() -> None:
    async def scene(at: Scene) -> None:
        at.dials().twin_share = 1.0
        at.happen()
        one, other = (each.event for each in await at.receiver.until(2))
        assert one["id"] != other["id"]
        assert (one["type"], one["data"]) == (other["type"], other["data"])
        for id_ in (one["id"], other["id"]):
            assert at.account().get("event", id_) is not None

    play(scene)


def test_reordered_webhooks_arrive_behind_newer_ones() -> None:
    async def scene(at: Scene) -> None:
        at.dials().reorder_share = 1.0
        (older,) = at.happen()
        at.dials().clear()
        (newer,) = at.happen()
        await at.receiver.until(1)
        at.world.clock.advance(Dials().reorder_s)
        await at.receiver.until(2)
        assert at.receiver.ids == [newer, older]

    play(scene)


def test_delayed_webhooks_wait_for_the_worlds_clock() -> None:
    async def scene(at: Scene) -> None:
        at.dials().delay_s = 120
        (sent,) = at.happen()
        at.world.clock.advance(119)
        assert at.receiver.heard == []
        assert at.pending(sent) == 1
        at.world.clock.advance(1)
        await at.receiver.until(1)

    play(scene)


def test_an_unreachable_endpoint_is_tried_again_when_it_can_be_reached() -> None:
    async def scene(at: Scene) -> None:
        at.dials().unreachable = True
        (sent,) = at.happen()
        assert (await at.outcomes())["no_answer"] == 1
        assert at.receiver.heard == []
        at.dials().clear()
        at.world.clock.advance(BACKOFF_LIVE_S[0])
        await at.receiver.until(1)
        assert at.receiver.ids == [sent]

    play(scene)


def test_a_burst_arrives_whole() -> None:
    async def scene(at: Scene) -> None:
        sent = at.happen(times=200)
        await at.receiver.until(200)
        assert sorted(at.receiver.ids) == sorted(sent)

    play(scene)
