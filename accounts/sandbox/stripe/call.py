"""One request to the pretend Stripe, with its account, key and parameters: what every endpoint is given."""

from collections.abc import Callable
from dataclasses import dataclass

from accounts.sandbox.stripe.expansion import Expansion
from accounts.sandbox.stripe.lists import Page
from accounts.sandbox.stripe.params import Params
from accounts.sandbox.stripe.refusals import missing
from accounts.sandbox.world import ApiKey, Json, StripeAccount, World


@dataclass(slots=True)
class Call:
    world: World
    account: StripeAccount
    key: ApiKey
    params: Params
    body: bytes
    content_type: str
    path: str
    ids: tuple[str, ...]  # what the path names, in its order
    version: str
    request_id: str
    idempotency_key: str | None
    expansion: Expansion

    @property
    def id(self) -> str:
        return self.ids[0]

    @property
    def now(self) -> int:
        return self.world.clock.now()

    def new_id(self, prefix: str) -> str:
        return self.world.new_id(prefix)

    def one(self, cls: str, id_: str, param: str | None = None) -> Json:
        """The object; `param` names the parameter that holds its id, None means the path does."""
        found = self.account.get(cls, id_)
        if found is None:
            raise missing(cls, id_, param or "id", 400 if param else 404)
        return found

    def put(self, obj: Json) -> Json:
        return self.account.put(obj)

    @property
    def cause(self) -> Json:
        """How the events of this call name it."""
        return {"id": self.request_id, "idempotency_key": self.idempotency_key}

    def emit(self, type_: str, obj: Json, before: Json | None = None) -> Json:
        """Tells of a change; with what the object was before, tells of what differs."""
        return self.account.emit(type_, obj, None if before is None else changed(before, obj), self.cause)


Answer = Json | Page


@dataclass(frozen=True, slots=True)
class Endpoint:
    method: str
    path: str  # `{id}` stands for one segment
    permissions: tuple[str, ...]  # any one will do
    cls: str  # of what it answers
    do: Callable[[Call], Answer]
    listing: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def changed(before: Json, after: Json) -> Json:
    """`previous_attributes`: what was different before, hashes by their parts, lists whole."""
    different: Json = {}
    for name in before.keys() | after.keys():
        was, now = before.get(name), after.get(name)
        if was != now:
            parts = isinstance(was, dict) and isinstance(now, dict) and bool(was)
            different[name] = changed(was, now) if parts else was  # type: ignore[arg-type]
    return different


def reads(
    path: str, cls: str, permissions: tuple[str, ...], do: Callable[[Call], Answer], *, listing: bool = False
) -> Endpoint:
    return Endpoint("GET", path, tuple(f"rak_{name}_read" for name in permissions), cls, do, listing)


def writes(
    path: str, cls: str, permissions: tuple[str, ...], do: Callable[[Call], Answer], *, method: str = "POST"
) -> Endpoint:
    return Endpoint(method, path, tuple(f"rak_{name}_write" for name in permissions), cls, do)
