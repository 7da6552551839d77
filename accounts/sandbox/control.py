"""The world's own face, `/_sandbox/…`: what is in it, its clock, its incidents, and its records by hand. All JSON."""

from collections.abc import Callable
from typing import Any

from accounts.sandbox import incidents, records, seeding
from accounts.sandbox.http import Face, Request, Response, answer
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json, StripeAccount, World, public

PREFIX = "/_sandbox"
LOGGED_MAX = 1000  # tries that one answer shows, newest first

Handler = Callable[[World, Request, list[str]], object]


class Unusable(Exception):
    """A request that cannot be carried out; the message says why."""


def face(world: World) -> Face:
    def respond(request: Request) -> Response:
        steps = [step for step in request.path.removeprefix(PREFIX).split("/") if step]
        handler = ROUTES.get((request.method, steps[0] if steps else ""))
        if handler is None:
            known = ", ".join(f"{method} {PREFIX}/{name}" for method, name in ROUTES)
            return answer({"message": f"There is {known}."}, 404)
        try:
            return answer(handler(world, request, steps[1:]))
        except (Unusable, incidents.NoSuchIncident) as problem:
            return answer({"message": str(problem)}, 400)

    return respond


def _state(world: World, request: Request, rest: list[str]) -> object:
    return {
        "now": world.clock.now(),
        "accounts": [_account(account) for account in world.accounts.values()],
        "crm_records": len(world.crm),
        "entitlements": len(world.entitlements),
        "planted": sum(each.expected for each in world.planted),
        "near_misses": sum(not each.expected for each in world.planted),
        "incidents": _running(world),
        "webhooks": dict(world.outgoing.outcomes),
    }


def _account(account: StripeAccount) -> Json:
    return {
        "id": account.id,
        "slug": account.slug,
        "livemode": account.livemode,
        "country": account.country,
        "currency": account.currency,
        "platform": account.platform,
        "counts": {cls: count for cls in BY_CLASS if (count := account.count(cls))},
        "reads": account.reads.total(),
        "writes": account.writes.total(),
    }


def _running(world: World) -> list[Json]:
    running = sorted(world.incidents, key=lambda each: (each[0], each[1] or ""))
    return [{"name": name, "account": account} for name, account in running]


def _advance(world: World, request: Request, rest: list[str]) -> object:
    """`{"advance_s": 3600}`."""
    ahead_s = _sent(request).get("advance_s")
    if not isinstance(ahead_s, int) or ahead_s < 0:
        raise Unusable("“advance_s” is a number of seconds; the clock only goes forward.")
    world.clock.advance(ahead_s)
    return {"now": world.clock.now()}


def _list_incidents(world: World, request: Request, rest: list[str]) -> object:
    known = [{"name": each.name, "about": each.about, "scope": each.scope} for each in incidents.INCIDENTS]
    return {"incidents": known, "running": _running(world)}


def _start_incident(world: World, request: Request, rest: list[str]) -> object:
    """`{"name": …, "account": …}`, the account by slug or id; the first one if none is named."""
    sent = _sent(request)
    incidents.start(world, str(sent.get("name")), sent.get("account"))
    return {"running": _running(world)}


def _end_incident(world: World, request: Request, rest: list[str]) -> object:
    incidents.end(world, request.param("name", "") or "", request.param("account"))
    return {"running": _running(world)}


def _webhooks(world: World, request: Request, rest: list[str]) -> object:
    newest = list(world.outgoing.log)[-LOGGED_MAX:][::-1]
    return {"attempts": newest, "outcomes": dict(world.outgoing.outcomes)}


def _listen(world: World, request: Request, rest: list[str]) -> object:
    """`{"url": …}`: all endpoints point there from now on."""
    seeding.listen(world, str(_sent(request).get("url", "")))
    return {"listening": True}


def _planted(world: World, request: Request, rest: list[str]) -> object:
    return {"planted": world.planted}


def _unfold(world: World, request: Request, rest: list[str]) -> object:
    seeding.unfold(world)
    return {"planted": len(world.planted)}


def _edit_crm(world: World, request: Request, rest: list[str]) -> object:
    return _edited(world, world.crm, request, rest)


def _edit_entitlement(world: World, request: Request, rest: list[str]) -> object:
    return _edited(world, world.entitlements, request, rest)


def _edited(world: World, kept: list[Json], request: Request, rest: list[str]) -> Json:
    record = records.find(kept, rest[0]) if len(rest) == 1 else None
    if record is None:
        raise Unusable("There is no record with this key.")
    changes = _sent(request)
    if not changes.keys() <= record.keys() - {"key"}:
        raise Unusable(f"A record has {', '.join(record)}, and its key stays.")
    records.change(world, record, changes)
    return record


def _remove_crm(world: World, request: Request, rest: list[str]) -> object:
    return _removed(world.crm, rest)


def _remove_entitlement(world: World, request: Request, rest: list[str]) -> object:
    return _removed(world.entitlements, rest)


def _removed(kept: list[Json], rest: list[str]) -> Json:
    record = records.find(kept, rest[0]) if len(rest) == 1 else None
    if record is None:
        raise Unusable("There is no record with this key.")
    kept.remove(record)
    return record


def _change_object(world: World, request: Request, rest: list[str]) -> object:
    """`PATCH /_sandbox/objects/{account}/{class}/{id}` with `{"changes": merge patch, "event": type or null}`."""
    if len(rest) != 3:
        raise Unusable(f"Name the object: PATCH {PREFIX}/objects/ACCOUNT/CLASS/ID.")
    slug, cls, id_ = rest
    account = next((each for each in world.accounts.values() if slug in (each.slug, each.id)), None)
    before = account.get(cls, id_) if account else None
    if account is None or before is None:
        raise Unusable(f"{slug} has no {cls} {id_}.")
    sent = _sent(request)
    changes = sent.get("changes")
    if (
        not isinstance(changes, dict)
        or changes.keys() & {"id", "object"}
        or not changes.keys() <= before.keys()
    ):
        raise Unusable(f"“changes” are fields of a {cls}, other than its id and class.")
    after = account.put(merged(before, changes))
    event = sent.get("event")
    if event:
        updated = str(event).endswith(".updated")
        account.emit(str(event), after, {name: before[name] for name in changes} if updated else None)
    return public(after)


def merged(value: Any, patch: Any) -> Any:
    """A JSON merge patch, but null sets null: Stripe's objects keep their fields."""
    if not isinstance(value, dict) or not isinstance(patch, dict):
        return patch
    return value | {name: merged(value.get(name), each) for name, each in patch.items()}


def _sent(request: Request) -> Json:
    sent = records.decoded(request.body)
    if sent is None:
        raise Unusable("Send a JSON object.")
    return sent


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", ""): _state,
    ("POST", "clock"): _advance,
    ("GET", "incidents"): _list_incidents,
    ("POST", "incidents"): _start_incident,
    ("DELETE", "incidents"): _end_incident,
    ("GET", "webhooks"): _webhooks,
    ("POST", "webhooks"): _listen,
    ("GET", "planted"): _planted,
    ("POST", "unfold"): _unfold,
    ("PATCH", "crm"): _edit_crm,
    ("DELETE", "crm"): _remove_crm,
    ("PATCH", "entitlements"): _edit_entitlement,
    ("DELETE", "entitlements"): _remove_entitlement,
    ("PATCH", "objects"): _change_object,
}
