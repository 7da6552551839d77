"""Webhook delivery over real HTTP: who hears an event, in which form, signed, and tried again until it is heard.

An endpoint keeps for us its `_secret`, `_secret_before` while that is being rolled, `_connect` if it hears connected
accounts, and `_payload` "thin" if it wants only to be pointed at what changed. An event's `pending_webhooks` is the
number of endpoints that have not yet answered with 2xx.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx
import msgspec

from accounts.sandbox import objects
from accounts.sandbox.outgoing import Attempt, Dials
from accounts.sandbox.stripe.older import BASIL, as_of
from accounts.sandbox.world import Json, StripeAccount, World, public
from accounts.secret import Secret
from accounts.stripe.signatures import sign

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
TIMEOUT_S = 10.0  # Stripe publishes none; nobody should need this long
CONNECTIONS_MAX = 8  # httpx's pool goes through all of them for every request: more of them are slower
# How long after each failed try the next comes: in live mode for three days, in test mode two more tries.
BACKOFF_LIVE_S = (5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 12 * HOUR_S, 12 * HOUR_S)
BACKOFF_TEST_S = (10 * MINUTE_S, 2 * HOUR_S)
GIVEN_UP_AFTER_S = 3 * DAY_S
DISABLED_AFTER_S = 5 * DAY_S  # an endpoint that answered nothing for so long hears no more
DUPLICATE_AFTER_S = 2
LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    "accept": "*/*; q=0.5, application/xml",
}


@dataclass(frozen=True, slots=True)
class _Parcel:
    """One event on its way to one endpoint."""

    account: StripeAccount  # whose event it is
    home: StripeAccount  # whose endpoint it is
    endpoint: str
    event: str
    body: bytes
    type: str
    sent_first: int
    number: int = 1
    counted: bool = True  # False for a second copy, which the event does not wait for


@asynccontextmanager
async def delivering(world: World) -> AsyncIterator["Deliveries"]:
    """Delivers what the world emits, for as long as the block runs; to be entered on the world's loop."""
    async with httpx.AsyncClient(
        timeout=TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX),
    ) as client:
        deliveries = Deliveries(world, client)
        world.on_event.append(deliveries.hear)
        try:
            yield deliveries
        finally:
            world.on_event.remove(deliveries.hear)
            await deliveries.stop()


class Deliveries:
    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self._world = world
        self._client = client
        self._running: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(CONNECTIONS_MAX)

    def hear(self, account: StripeAccount, event: Json) -> None:
        """Sends an event off to everybody who listens, with whatever the dials do to it."""
        dials, rng = self._world.outgoing.dials(account.id), self._world.rng
        self._send(account, event, dials)
        if dials.twin_share and rng.random() < dials.twin_share:
            twin = event | {"id": self._world.new_id("evt")}
            account.put(twin)
            self._send(account, twin, dials)

    async def rest(self) -> None:
        """Waits until every try that has begun is over; those that come later have not begun."""
        while self._running:
            await asyncio.gather(*self._running)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _send(self, account: StripeAccount, event: Json, dials: Dials) -> None:
        rng, now = self._world.rng, self._world.clock.now()
        parcels = [
            _Parcel(
                account,
                home,
                endpoint["id"],
                event["id"],
                body_of(account, event, endpoint),
                event["type"],
                now,
            )
            for home, endpoint in self._listeners(account, event["type"])
        ]
        self._pending(account, event["id"], len(parcels))
        for parcel in parcels:
            if dials.drop_share and rng.random() < dials.drop_share:
                self._note(parcel, None, "dropped")
                self._pending(account, parcel.event, -1)
                continue
            delay_s = dials.delay_s
            if dials.reorder_share and rng.random() < dials.reorder_share:
                delay_s += rng.randint(1, dials.reorder_s)
            self._at(now + delay_s, parcel)
            if dials.duplicate_share and rng.random() < dials.duplicate_share:
                self._at(now + delay_s + DUPLICATE_AFTER_S, replace(parcel, counted=False))

    def _listeners(self, account: StripeAccount, type: str) -> Iterator[tuple[StripeAccount, Json]]:
        homes = [(account, False)]
        if account.platform in self._world.accounts:
            homes.append((self._world.accounts[account.platform], True))
        for home, connect in homes:
            for endpoint in home.newest_first("webhook_endpoint"):
                wanted = endpoint["enabled_events"]
                hears = endpoint["status"] == "enabled" and endpoint.get("_connect", False) == connect
                if hears and ("*" in wanted or type in wanted):
                    yield home, endpoint

    def _at(self, when: int, parcel: _Parcel) -> None:
        if when <= self._world.clock.now():
            self._start(parcel)
        else:
            self._world.clock.at(when, lambda: self._start(parcel))

    def _start(self, parcel: _Parcel) -> None:
        task = asyncio.get_running_loop().create_task(self._try(parcel))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _try(self, parcel: _Parcel) -> None:
        async with self._free:
            endpoint = parcel.home.get("webhook_endpoint", parcel.endpoint)
            if endpoint is None or endpoint["status"] != "enabled":
                self._note(parcel, None, "given_up")
                return
            status = None
            if not self._world.outgoing.dials(parcel.account.id).unreachable:
                status = await self._post(endpoint, parcel.body)
        if status is not None and 200 <= status < 300:
            self._note(parcel, status, "delivered")
            self._world.outgoing.failing_since.pop(parcel.endpoint, None)
            if parcel.counted:
                self._pending(parcel.account, parcel.event, -1)
            return
        self._note(parcel, status, "no_answer" if status is None else "refused")
        self._try_again(parcel)

    async def _post(self, endpoint: Json, body: bytes) -> int | None:
        """The answer's status, None if there was no answer."""
        if urlsplit(endpoint["url"]).hostname not in LOOPBACK:
            return None  # a pretend world speaks to this machine only
        # Signed anew for every try, at the world's own time.
        signature = signature_of(body, endpoint, self._world.clock.now())
        try:
            headers = HEADERS | {"stripe-signature": signature}
            answer = await self._client.post(endpoint["url"], content=body, headers=headers)
        except httpx.HTTPError:
            return None
        return answer.status_code

    def _try_again(self, parcel: _Parcel) -> None:
        now = self._world.clock.now()
        since = self._world.outgoing.failing_since.setdefault(parcel.endpoint, now)
        if now - since >= DISABLED_AFTER_S:
            endpoint = parcel.home.get("webhook_endpoint", parcel.endpoint)
            if endpoint is not None:
                parcel.home.put(endpoint | {"status": "disabled"})
            return
        again_in_s = _back_off_s(parcel)
        if again_in_s is None or now + again_in_s - parcel.sent_first > GIVEN_UP_AFTER_S:
            self._note(parcel, None, "given_up")
            return
        later = replace(parcel, number=parcel.number + 1)
        self._world.clock.at(now + again_in_s, lambda: self._start(later))

    def _pending(self, account: StripeAccount, event: str, change: int) -> None:
        stored = account.get("event", event)
        if stored is not None and change:
            account.put(stored | {"pending_webhooks": max(0, stored["pending_webhooks"] + change)})

    def _note(self, parcel: _Parcel, status: int | None, outcome: str) -> None:
        self._world.outgoing.note(
            Attempt(
                at=self._world.clock.now(),
                account=parcel.account.id,
                endpoint=parcel.endpoint,
                event=parcel.event,
                type=parcel.type,
                number=parcel.number,
                status=status,
                outcome=outcome,
            )
        )


def body_of(account: StripeAccount, event: Json, endpoint: Json) -> bytes:
    """What is sent: pretty-printed, as Stripe does, in the endpoint's own API version if it has one."""
    payload = public(event)
    if endpoint.get("_payload") == "thin":
        payload = objects.notification(objects.thin_event(payload))
    elif endpoint["api_version"] and endpoint["api_version"] != event["api_version"]:
        payload = _rendered(account, payload, endpoint["api_version"])
    return msgspec.json.format(msgspec.json.encode(payload), indent=2)


def _rendered(account: StripeAccount, event: Json, version: str) -> Json:
    shown = event["data"]["object"]
    if event["api_version"] < BASIL <= version:
        # An older rendering cannot be turned into a newer one, so the object is read again.
        kept = account.get(shown["object"], shown["id"]) if "id" in shown else None
        shown = public(kept) if kept else shown
    data = event["data"] | {"object": as_of(version, shown, account.shelf)}
    return event | {"api_version": version, "data": data}


def signature_of(body: bytes, endpoint: Json, at: int) -> str:
    """One v1 for every secret that is active; an older one still is while a new one is being rolled out."""
    active = [endpoint[name] for name in ("_secret", "_secret_before") if endpoint.get(name)]
    signed = [sign(body, Secret(secret), at).partition(",")[2] for secret in active]
    return ",".join((f"t={at}", *signed))


def _back_off_s(parcel: _Parcel) -> int | None:
    steps = BACKOFF_LIVE_S if parcel.home.livemode else BACKOFF_TEST_S
    if parcel.number <= len(steps):
        return steps[parcel.number - 1]
    return steps[-1] if parcel.home.livemode else None
