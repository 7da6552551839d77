"""The pretend world: its clock, its Stripe accounts with keys and objects, and what other systems have on record.

All state is touched on the event-loop thread only. What is read out of an account is a copy: change it and
`put` it back. Objects are whole dicts in today's API version, with bare ids wherever Stripe could expand. All
lines of an invoice are in it (answers show ten); a charge's `refunds` and an invoice's `payments` are not.
Keys that begin with an underscore are the world's own and never leave it: an active entitlement has
`_customer`, a product feature `_product`, a subscription whose customer was deleted `_orphaned`.
"""

import random
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from accounts.sandbox import objects
from accounts.sandbox.business.planted import Planted
from accounts.sandbox.clock import Clock
from accounts.sandbox.dials import Dials
from accounts.sandbox.faults import Faults
from accounts.sandbox.objects import API_VERSION
from accounts.sandbox.outgoing import Outgoing
from accounts.sandbox.shelf import Shelf
from accounts.sandbox.stripe.older import as_of

Json = dict[str, Any]

ID_LETTERS = string.ascii_letters + string.digits
ID_LENGTH = 24

Listener = Callable[["StripeAccount", Json], None]


@dataclass(slots=True)
class ApiKey:
    value: str
    permissions: frozenset[str] | None = None  # `rak_…` names; None: all of them
    revoked: bool = False
    expired: bool = False

    def allows(self, any_of: tuple[str, ...]) -> bool:
        """Whether one of these permissions is there; writing implies reading."""
        held = self.permissions
        if held is None:
            return True
        return any(name in held or f"{name.removesuffix('_read')}_write" in held for name in any_of)


class World:
    def __init__(self, seed: int, start: int, real: Callable[[], float] = time.monotonic) -> None:
        self.real = real  # limits are kept on it: a clock moved ahead refills no bucket
        self.clock = Clock(start, real)
        self.rng = random.Random(seed)
        self.accounts: dict[str, StripeAccount] = {}
        self.crm: list[Json] = []
        self.crm_tasks: list[Json] = []  # what was added through any of its faces
        self.entitlements: list[Json] = []
        self.crm_dials = Dials()
        self.product_dials = Dials()
        self.incidents: set[tuple[str, str | None]] = set()
        self.enforce_limits = False
        self.planted: list[Planted] = []  # which cases should stand and which may not, for measuring
        self.outgoing = Outgoing()  # webhooks on their way, and the dials that trouble them
        self.on_event: list[Listener] = []  # webhook delivery listens here
        self.on_put: dict[str, Listener] = {}  # by class: who wants to see every object that is put

    def open_account(
        self,
        id: str,
        slug: str,
        *,
        livemode: bool = True,
        country: str = "US",
        currency: str = "usd",
        platform: str | None = None,
        api_version: str = API_VERSION,
    ) -> "StripeAccount":
        account = StripeAccount(self, id, slug, livemode, country, currency, platform, api_version)
        self.accounts[id] = account
        return account

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{''.join(self.rng.choices(ID_LETTERS, k=ID_LENGTH))}"


@dataclass(slots=True, eq=False)
class StripeAccount:
    world: World
    id: str
    slug: str
    livemode: bool
    country: str
    currency: str
    platform: str | None = None  # the account id of its Connect platform
    api_version: str = API_VERSION  # in which its events are rendered
    keys: dict[str, ApiKey] = field(default_factory=dict)  # by value
    faults: Faults = field(default_factory=Faults)
    reads: Counter[str] = field(default_factory=Counter)  # GETs by endpoint: what Stripe's allocation counts
    writes: Counter[str] = field(default_factory=Counter)
    events_emitted: int = 0
    _shelves: dict[str, Shelf] = field(default_factory=dict)

    def add_key(self, value: str, permissions: frozenset[str] | None = None) -> ApiKey:
        key = self.keys[value] = ApiKey(value, permissions)
        return key

    def shelf(self, cls: str) -> Shelf:
        found = self._shelves.get(cls)
        if found is None:
            found = self._shelves[cls] = Shelf(cls)
        return found

    def put(self, obj: Json) -> Json:
        """Stores an object under its class and id, in place of an older version; gives it back."""
        self.shelf(obj["object"]).put(obj)
        watch = self.world.on_put.get(obj["object"])
        if watch is not None:
            watch(self, obj)
        return obj

    def get(self, cls: str, id: str) -> Json | None:
        return self.shelf(cls).get(id)

    def delete(self, cls: str, id: str) -> None:
        """Takes an object away and leaves a tombstone."""
        self.shelf(cls).delete(id)

    def deleted(self, cls: str, id: str) -> bool:
        return id in self.shelf(cls).tombstones

    def newest_first(self, cls: str, **where: Any) -> Iterator[Json]:
        """Copies of all objects of a class, or of those with these values: `newest_first("refund", charge=id)`.

        Only what Stripe itself can filter by can be asked for (accounts/sandbox/stripe/facets.py).
        """
        return self.shelf(cls).newest_first(**where)

    def count(self, cls: str) -> int:
        return len(self.shelf(cls))

    def emit(
        self,
        type: str,
        obj: Json,
        previous_attributes: Json | None = None,
        request: Json | None = None,
    ) -> Json:
        """Stores an event about this state of the object and hands it to webhook delivery.

        `request` is `{"id": "req_…", "idempotency_key": …}` of the call that caused it, None if nobody's did.
        """
        now = self.world.clock.now()
        event = objects.event(
            self.world.new_id("evt"),
            created=now,
            type=type,
            object=as_of(self.api_version, public(obj), self.shelf),
            previous_attributes=previous_attributes,
            account=self.id if self.platform else None,
            request=request,
            api_version=self.api_version,
            livemode=self.livemode,
        )
        self.events_emitted += 1
        delayed = self.events_emitted % self.faults.events_delayed_every == 0
        visible_at = now + self.faults.events_visible_after_s if delayed else now
        self.put(event | {"_visible_at": visible_at})
        for listen in self.world.on_event:
            listen(self, event)
        return event


def public(obj: Json) -> Json:
    """The object without the world's own keys."""
    return {name: value for name, value in obj.items() if not name.startswith("_")}
