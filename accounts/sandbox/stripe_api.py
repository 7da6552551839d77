"""The pretend Stripe's HTTP face: whose key it is, what goes wrong today, which endpoint, and its answer.

A request passes, in this order: the account's outage and storms, the key, the limits, the path, the permission,
the parameters, the idempotency key, the endpoint, and at last what can happen to an answer on its way back.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec

from accounts.sandbox.http import JSON, HungUp, Request, Response
from accounts.sandbox.idempotency import IdempotencyKeys, Stored, fingerprint
from accounts.sandbox.shelf import shortened
from accounts.sandbox.stripe import disputes, refusals
from accounts.sandbox.stripe.call import Answer, Call, Endpoint
from accounts.sandbox.stripe.endpoints import route
from accounts.sandbox.stripe.expansion import Expansion
from accounts.sandbox.stripe.lists import Page
from accounts.sandbox.stripe.older import BASIL, as_of
from accounts.sandbox.stripe.params import Params, tree_of
from accounts.sandbox.stripe.refusals import Refusal
from accounts.sandbox.throttle import Throttle
from accounts.sandbox.world import ApiKey, StripeAccount, World

REQUEST_ID_LENGTH = 14
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
FORM = "application/x-www-form-urlencoded"
NOT_JSON = b'{"object": "list", "data": [{"id": "'
PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"


@dataclass(slots=True)
class _Door:
    """What the face keeps per account."""

    throttle: Throttle
    keys: IdempotencyKeys = field(default_factory=IdempotencyKeys)


@dataclass(slots=True)
class _Arrival:
    """A request whose account is known."""

    request: Request
    request_id: str
    account: StripeAccount  # whose objects it is about
    key: ApiKey
    door: _Door
    version: str
    endpoint: Endpoint
    ids: tuple[str, ...]


def face(world: World) -> "StripeFace":
    world.on_put["dispute"] = disputes.watch
    return StripeFace(world)


class StripeFace:
    def __init__(self, world: World) -> None:
        self._world = world
        self._doors: dict[str, _Door] = {}
        self._requests = 0

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        self._requests += 1
        request_id = f"req_{self._requests:0{REQUEST_ID_LENGTH}d}"
        try:
            arrival = self._arrive(request, request_id)
        except Refusal as refusal:
            return _refusal(refusal, request, request_id)
        if isinstance(arrival, Response):
            return arrival
        if request.method == "GET" and not arrival.account.faults.latency_s:
            return self._read(arrival)
        return self._slowly(arrival)

    def _arrive(self, request: Request, request_id: str) -> _Arrival | Response:
        owner, key = self._whose(request)
        account = self._account_meant(request, owner, key)
        faults = account.faults
        match faults.outage:
            case "drop":
                raise HungUp
            case "503":
                return Response(503, b"{}", dict(JSON))
            case "html":
                return Response(502, PROXY_PAGE, {"content-type": "text/html"})
        if key.expired:
            raise refusals.expired_key(key.value)
        if key.revoked:
            raise refusals.unknown_key(key.value)
        if faults.storm_reason and self._world.rng.random() < faults.storm_share:
            raise refusals.rate_limited(faults.storm_reason)
        found = route(request.method, request.path)
        if found is None:
            raise refusals.unrecognized_url(request.method, request.path)
        endpoint, ids = found
        door = self._doors.get(account.id)
        if door is None:
            door = self._doors[account.id] = _Door(Throttle(account.livemode, self._world.real))
        if self._world.enforce_limits:
            reason = door.throttle.refusal(endpoint.name, request.path, 1 - faults.others_share)
            if reason is not None:
                raise refusals.rate_limited(reason)
        counted = account.reads if request.method == "GET" else account.writes
        counted[endpoint.path] += 1
        if not key.allows(endpoint.permissions):
            raise refusals.not_permitted(key.value, account.id, endpoint.permissions)
        version = request.headers.get("stripe-version") or account.api_version
        if not VERSION.fullmatch(version):
            raise refusals.invalid(f"Invalid Stripe API version: {version}")
        return _Arrival(request, request_id, account, key, door, version, endpoint, ids)

    def _whose(self, request: Request) -> tuple[StripeAccount, ApiKey]:
        value = _key_in(request.headers.get("authorization", ""))
        if not value:
            raise refusals.no_key()
        for account in self._world.accounts.values():
            key = account.keys.get(value)
            if key is not None:
                return account, key
        raise refusals.unknown_key(value)

    def _account_meant(self, request: Request, owner: StripeAccount, key: ApiKey) -> StripeAccount:
        meant = request.headers.get("stripe-account") or request.headers.get("stripe-context") or owner.id
        if meant == owner.id:
            return owner
        account = self._world.accounts.get(meant)
        if account is None or account.platform != owner.id or account.livemode != owner.livemode:
            raise refusals.account_invalid(key.value, meant)
        return account

    def _read(self, arrival: _Arrival) -> Response:
        try:
            call = _call(self._world, arrival)
            body = _rendered(call, arrival.endpoint.do(call))
        except Refusal as refusal:
            return _refusal(refusal, arrival.request, arrival.request_id)
        return _on_its_way(arrival, Response(200, body, _headers(arrival)))

    async def _slowly(self, arrival: _Arrival) -> Response:
        endpoint, throttle = arrival.endpoint, arrival.door.throttle
        throttle.enter(endpoint.name)
        try:
            if arrival.request.method != "GET":
                return await self._write(arrival)
            await asyncio.sleep(arrival.account.faults.latency_s)
            return self._read(arrival)
        finally:
            throttle.leave(endpoint.name)

    async def _write(self, arrival: _Arrival) -> Response:
        request, keys = arrival.request, arrival.door.keys
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        try:
            if key is not None:
                print_ = fingerprint(request.method, request.path, request.body)
                stored = keys.begin(key, print_, self._world.clock.now())
                if stored is not None:
                    return _replayed(arrival, stored)
        except Refusal as refusal:
            return _refusal(refusal, request, arrival.request_id)
        answer: Stored | None = None
        try:
            answer = await self._done(arrival)
        except Refusal as refusal:
            if not refusal.stored:
                return _refusal(refusal, request, arrival.request_id)
            answer = Stored(refusal.status, msgspec.json.encode(refusal.error), arrival.request_id)
        finally:
            if key is not None:
                if answer is None:
                    keys.forget(key)
                else:
                    keys.finish(key, answer)
        if arrival.account.faults.spend("answers_lost"):
            raise HungUp
        return _on_its_way(arrival, Response(answer.status, answer.body, _headers(arrival)))

    async def _done(self, arrival: _Arrival) -> Stored:
        faults = arrival.account.faults
        if faults.latency_s:
            await asyncio.sleep(faults.latency_s)
        if faults.spend("writes_lost"):
            raise HungUp
        if faults.spend("lock_timeouts"):
            raise refusals.lock_timeout()
        call = _call(self._world, arrival)
        if faults.spend("errors_before_write"):
            raise refusals.unknown_failure()
        body = _rendered(call, arrival.endpoint.do(call))
        if faults.spend("errors_after_write"):
            raise refusals.unknown_failure()
        return Stored(200, body, arrival.request_id)


def _key_in(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode("latin-1").partition(":")[0]
        except binascii.Error:
            return ""
    return ""


def _call(world: World, arrival: _Arrival) -> Call:
    request = arrival.request
    content_type = request.headers.get("content-type", FORM)
    pairs = list(request.query)
    if request.body and content_type.startswith(FORM):
        pairs += parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    params = Params(tree_of(pairs))
    expansion = Expansion(arrival.account, arrival.key, tuple(params.texts("expand")))
    expansion.allow(arrival.endpoint.cls, listed=arrival.endpoint.listing)
    return Call(
        world=world,
        account=arrival.account,
        key=arrival.key,
        params=params,
        body=request.body,
        content_type=content_type,
        path=request.path,
        ids=arrival.ids,
        version=arrival.version,
        request_id=arrival.request_id,
        idempotency_key=request.headers.get("idempotency-key"),
        expansion=expansion,
    )


def _rendered(call: Call, answer: Answer) -> bytes:
    if isinstance(answer, Page):
        if not call.expansion and call.version >= BASIL:
            return answer.encoded()
        expanded = call.expansion.of_page(answer.rows, answer.cls)
        rows = tuple(msgspec.json.encode(as_of(call.version, each, call.account.shelf)) for each in expanded)
        return Page(answer.cls, answer.url, rows, answer.has_more).encoded()
    shown = shortened(answer)
    if call.expansion:
        shown = call.expansion.of_one(shown, answer.get("object", ""))
    return msgspec.json.encode(as_of(call.version, shown, call.account.shelf))


def _headers(arrival: _Arrival) -> dict[str, str]:
    headers = JSON | {"request-id": arrival.request_id, "stripe-version": arrival.version}
    key = arrival.request.headers.get("idempotency-key")
    return headers | {"idempotency-key": key, "original-request": arrival.request_id} if key else headers


def _replayed(arrival: _Arrival, stored: Stored) -> Response:
    replay = {"idempotent-replayed": "true", "original-request": stored.request_id}
    return _on_its_way(arrival, Response(stored.status, stored.body, _headers(arrival) | replay))


def _refusal(refusal: Refusal, request: Request, request_id: str) -> Response:
    """An error that nothing remembers; a lock timeout has no request id, since nobody got that far."""
    headers = JSON | refusal.headers
    if refusal.code != "lock_timeout":
        headers |= {"request-id": request_id}
    if version := request.headers.get("stripe-version"):
        headers |= {"stripe-version": version}
    return Response(refusal.status, msgspec.json.encode(refusal.error), headers)


def _on_its_way(arrival: _Arrival, response: Response) -> Response:
    faults = arrival.account.faults
    if faults.spend("malformed_answers"):
        return Response(response.status, NOT_JSON, response.headers)
    if faults.spend("gigantic_answers"):
        padding = b" " * max(0, faults.gigantic_bytes - len(response.body))
        return Response(response.status, response.body + padding, response.headers)
    if faults.spend("truncated_answers"):
        raise HungUp(response.body[: len(response.body) // 2])
    return response
