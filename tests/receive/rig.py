"""A receiver behind a real server on loopback, and somebody who sends to it as Stripe does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from prometheus_client import Counter
from sqlalchemy import Row, delete, select

from accounts.facts import Subject
from accounts.registry import Account, Platform, Registry
from accounts.sandbox import objects
from accounts.secret import Secret
from accounts.stripe.signatures import sign
from daemon.engine.supervisor import Supervisor
from daemon.receive.route import Receiver
from daemon.serve import Server, Site
from daemon.store.db import Store
from daemon.store.inbox import INBOX
from daemon.store.marks import current_mark
from daemon.store.worklist import WORK
from tests.receive.places import account, platform

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CREATED = 1_795_000_000
OURS = "whsec_EU"
WAIT_S = 20.0  # far longer than anything takes here; a test that waits so long has failed

Json = dict[str, Any]

ACCOUNTS = (
    account("eu", "EU", "EU_OLD"),
    account("us", "US"),
    account("mute"),
    account("jp", platform="acme"),
)
PLATFORMS = (platform("acme", "PLATFORM"),)


def invoice(id: str = "in_1", customer: str | None = "cus_1") -> Json:
    return {"id": id, "object": "invoice", "customer": customer, "status": "open"}


def event(
    id: str = "evt_1", type: str = "invoice.payment_failed", of: Json | None = None, **more: Any
) -> Json:
    """A snapshot event about an invoice, unless told otherwise."""
    made = objects.event(id, created=CREATED, type=type, object=invoice() if of is None else of)
    return made | more


class Rig:
    def __init__(self, store: Store, receiver: Receiver, server: Server) -> None:
        self.store = store
        self.receiver = receiver
        self.server = server
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=WAIT_S)
        self.woken: list[str] = []
        self._more = threading.Condition()

    def wake(self, account: str) -> None:
        with self._more:
            self.woken.append(account)
            self._more.notify_all()

    def wait_for(self, comes_true: Callable[[], bool]) -> None:
        """Asks again after each wake."""
        with self._more:
            assert self._more.wait_for(comes_true, WAIT_S)

    def wait_for_wakes(self, count: int) -> list[str]:
        self.wait_for(lambda: len(self.woken) >= count)
        return self.woken

    def post(
        self,
        body: Json | bytes,
        to: str = "eu",
        *,
        secret: str = OURS,
        signature: str | None = None,
        skew_s: int = 0,
        **headers: str,
    ) -> httpx.Response:
        """Sends this signed, at the receiver's own time but for the skew."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        signed = sign(content, Secret(secret), int(NOW.timestamp()) + skew_s)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.client.post(
            f"/webhooks/stripe/{to}",
            content=content,
            headers={"stripe-signature": signed if signature is None else signature, **named},
        )

    def inbox(self) -> dict[str, Row[Any]]:
        """What is stored, by the event's id; a test that stores one id twice looks closer."""
        with self.store.reading() as session:
            return {row.event_id: row for row in session.execute(select(INBOX))}

    def marks(self) -> dict[Subject, bool]:
        """What is to be looked at, and whether it is to be read again."""
        with self.store.reading() as session:
            rows = session.execute(select(WORK)).all()
        return {Subject(row.account, row.kind, row.id): row.stale > 0 for row in rows}

    def forget(self) -> None:
        """Empties the inbox and the worklist."""
        with self.store.transaction() as session:
            session.execute(delete(INBOX))
            session.execute(delete(WORK))

    def marks_drawn(self) -> int:
        with self.store.reading() as session:
            return current_mark(session)


@contextmanager
def receiving(
    store: Store,
    accounts: tuple[Account, ...] = ACCOUNTS,
    platforms: tuple[Platform, ...] = PLATFORMS,
    now: Callable[[], datetime] = lambda: NOW,
) -> Iterator[Rig]:
    supervisor = Supervisor()
    receiver = Receiver(store, Registry(accounts, platforms), now, lambda account: rig.wake(account))
    server = Server("127.0.0.1:0", Site(webhooks=receiver))
    rig = Rig(store, receiver, server)
    receiver.start(supervisor.start)
    supervisor.start("serve", server.run)
    try:
        yield rig
    finally:
        supervisor.stop.set()
        rig.client.close()
        server.stop()
        receiver.stop()
        assert supervisor.join(WAIT_S) == []
        supervisor.close()
    assert supervisor.died is None


@contextmanager
def counted(counter: Counter, **labels: str) -> Iterator[list[float]]:
    """By how much the counter grew in the block, once it is over."""
    grown: list[float] = []
    before = value(counter, **labels)
    yield grown
    grown.append(value(counter, **labels) - before)


def value(counter: Counter, **labels: str) -> float:
    return sum(
        sample.value
        for family in counter.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels == labels
    )


def code(response: httpx.Response) -> str:
    """The code of a refusal, which is written as it should be."""
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["detail"].endswith((".", "?"))
    return str(problem["code"])
