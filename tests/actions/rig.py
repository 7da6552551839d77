"""One account with a shop's worth of objects, its CRM, product and post, and hands to act on them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accounts.crm import Crm, open_crm
from accounts.entitlements import Entitlements, open_entitlements
from accounts.facts import Subject
from accounts.mail import Mailer, MailServer
from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from accounts.stripe.reads import Reader
from accounts.stripe.writes import WriteClient, Writer
from daemon.actions.shape import Action, Asked, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json, canonical
from tests.accounts.building import opened
from tests.actions.postbox import Postbox, postbox
from tests.contract.rigs import CRM_TABLES, ENTITLEMENTS_OVER_HTTP, parsed_crm, parsed_entitlements
from tests.sandbox.shop import DAY_S, Shop

TAG = "prp_1"
KEY = "rcl:prp_1:v1:e0"
SENDER = "billing@acme.example"
FINANCE = ("finance@example.com",)
PRETEND_TOKENS = {"CRM_TOKEN": "crm-pretend-token", "APP_TOKEN": "product-pretend-token"}


@dataclass
class Rig:
    """What the tests of actions act with, and look at afterwards."""

    shop: Shop
    place: Place
    reader: Reader
    writer: Writer
    crm: Crm
    product: Entitlements
    box: Postbox
    mail: Mailer

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.shop.now(), UTC)

    def hands(self, **other: Any) -> Hands:
        whole = Hands(self.reader, self.now, self.writer, self.crm, self.product, self.mail)
        return replace(whole, **other)

    def ask(self, action: Action, details: Mapping[str, Json]) -> tuple[Asked, Seen]:
        """As it is staged: read, seen, and completed with what only the world knew."""
        asked = action.read(details, self.place)
        seen = action.see(self.hands(), asked)
        return seen.completed or asked, seen

    def refusal(self, action: Action, details: Mapping[str, Json]) -> str:
        asked, seen = self.ask(action, details)
        why = action.preflight(asked, seen, self.now)
        assert why is not None, "nothing speaks against it"
        return why

    def act(self, action: Action, details: Mapping[str, Json], *, key: str = KEY, tag: str = TAG) -> Done:
        """As the executor does it, from the read to the call."""
        asked, seen = self.ask(action, details)
        assert action.preflight(asked, seen, self.now) is None
        request = action.request(asked, seen, tag)
        return action.execute(self.hands(), asked, request, key=key)

    def sent(self, action: Action, details: Mapping[str, Json], *, tag: str = TAG) -> tuple[Asked, Sent]:
        asked, seen = self.ask(action, details)
        return asked, Sent(tag, self.now, action.request(asked, seen, tag))

    def verify(self, action: Action, asked: Asked, sent: Sent, **other: Any) -> Done | Trace:
        return action.verify(self.hands(**other), asked, sent)

    def material(self, action: Action, details: Mapping[str, Json]) -> bytes:
        return canonical(self.ask(action, details)[1].material)

    def fault(self, name: str, value: object = 1) -> None:
        self.shop.sandbox.on_loop(lambda: setattr(self.shop.account.faults, name, value))

    def heal(self) -> None:
        self.shop.sandbox.on_loop(self.shop.account.faults.clear)

    def record(self) -> dict[str, Any]:
        return next(row for row in self._rows("crm") if row["key"] == self.record_key)

    def entitlement(self, key: str | None = None) -> dict[str, Any] | None:
        wanted = key or self.entitlement_key
        return next((row for row in self._rows("entitlements") if row["key"] == wanted), None)

    def tasks(self) -> list[dict[str, Any]]:
        tasks = self.shop.sandbox.on_loop(lambda: list(self.shop.sandbox.world.crm_tasks))
        return [task for task in tasks if task["key"] == self.record_key]

    def set_record(self, **changes: object) -> None:
        row = self.record()
        self.shop.sandbox.on_loop(lambda: row.update(changes))

    def set_entitlement(self, **changes: object) -> None:
        row = self.entitlement()
        assert row is not None
        self.shop.sandbox.on_loop(lambda: row.update(changes))

    @property
    def record_key(self) -> str:
        return f"record-{self.shop.account.id}"

    @property
    def entitlement_key(self) -> str:
        return f"ent-{self.shop.account.id}"

    def writes(self) -> dict[str, int]:
        """How many writes of each kind Stripe was sent so far."""
        return self.shop.sandbox.on_loop(lambda: dict(self.shop.account.writes))

    def _rows(self, name: str) -> list[dict[str, Any]]:
        return self.shop.sandbox.on_loop(lambda: list(getattr(self.shop.sandbox.world, name)))


@dataclass(frozen=True)
class Neighbours:
    """The other systems. They outlive a test, since opening them takes longer than most tests do."""

    sandbox: Sandbox
    crm: Crm
    product: Entitlements
    box: Postbox
    http: WriteClient

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.on_loop(self.sandbox.world.clock.now), UTC)


@contextmanager
def neighbours(sandbox: Sandbox, base: Path) -> Iterator[Neighbours]:
    def now() -> datetime:
        return all_.now()

    with ExitStack() as stack:
        crm = open_crm("crm", parsed_crm(CRM_TABLES["http"](sandbox.url), base), now=now)
        stack.callback(crm.close)
        granting = parsed_entitlements(ENTITLEMENTS_OVER_HTTP(sandbox.url), base)
        product = open_entitlements("app", granting, now=now)
        stack.callback(product.close)
        http = WriteClient()
        stack.callback(http.close)
        all_ = Neighbours(sandbox, crm, product, stack.enter_context(postbox()), http)
        yield all_


@contextmanager
def rigged(shop: Shop, others: Neighbours) -> Iterator[Rig]:
    with opened(shop.sandbox.url, shop.account.id, shop.key) as here:
        proven = here.prove()
        mail = Mailer(MailServer(others.box.url, FINANCE, sender=SENDER), now=others.now)
        place = Place("shop", shop.account.id, True, Subject("shop", "customer", "cus_1"))
        writer = Writer(proven, shop.sandbox.url, others.http, here.limiter)
        others.box.empty()
        rig = Rig(shop, place, here.reader(proven), writer, others.crm, others.product, others.box, mail)
        furnish(rig)
        yield rig


def furnish(rig: Rig) -> None:
    """What the stocked shop lacks: a price in another currency, and the customer's rows in the other systems."""
    shop, account = rig.shop, rig.shop.account
    shop.put(
        objects.price("price_eur", created=shop.now(), product="prod_1", currency="eur", unit_amount=4900)
    )
    row = {
        "key": rig.record_key, "stripe_customer": "cus_1", "stripe_account": account.id, "name": "Ada Ltd",
        "owner": "Olga", "segment": "smb", "status": "churned", "plan": "basic", "mrr": "49.00",
        "currency": "usd", "renewal": "2027-02-01", "updated": "2026-01-05T10:20:30Z",
    }  # fmt: skip
    given = {
        "key": rig.entitlement_key, "stripe_customer": "cus_1", "stripe_account": account.id, "feature": "app",
        "plan": "pro", "status": "active", "quantity": 1, "expires_at": None, "updated": "2026-01-05T10:20:30Z",
    }  # fmt: skip

    def add() -> None:
        shop.sandbox.world.crm.append(row)
        shop.sandbox.world.entitlements.append(given)

    shop.sandbox.on_loop(add)


__all__ = ["DAY_S", "FINANCE", "KEY", "TAG", "Neighbours", "Rig", "neighbours", "rigged"]
