"""A pretend world whose events come by real webhooks and by real polls, in the order that a test wants."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import func, select

from accounts.sandbox.business.billing import Subscribed
from accounts.sandbox.business.disagreements import agreeing
from accounts.sandbox.business.shop import Shop
from accounts.sandbox.world import public
from accounts.secret import Secret
from accounts.stripe.signatures import sign
from daemon.poll.events import Poll
from daemon.store import journal
from daemon.store.inbox import INBOX
from daemon.store.snapshots import SNAPSHOTS
from daemon.wiring.paces import Paces
from tests.loop.rig import Rig
from tests.receive.rig import Rig as Door
from tests.receive.rig import receiving

EU, US = "acme-eu", "acme-us"

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    rig: Rig
    door: Door
    poll: Poll

    def happen(self, do: Callable[[Shop], object], account: str = EU) -> list[Event]:
        """Does something in an account's books; gives the events that tell of it, which nobody has heard yet."""
        self.rig.told()
        self.rig.on(account, do)
        return [event for slug, event in self.rig.told() if slug == account]

    def deliver(self, *events: Event, account: str = EU) -> list[int]:
        """As Stripe delivers them; gives the answers."""
        (own,) = (each for each in self.rig.settings.accounts if each.id == account)
        secret = own.webhook_secrets[0].read()
        return [self._post(account, secret, event) for event in events]

    def _post(self, account: str, secret: Secret, event: Event) -> int:
        body = msgspec.json.encode(public(event))
        signed = sign(body, secret, int(self.rig.now().timestamp()))
        return self.door.post(body, account, signature=signed).status_code

    def heard(self, event: Event) -> int:
        """How many rows the inbox has of an event."""
        query = select(func.count()).select_from(INBOX).where(INBOX.c.event_id == event["id"])
        with self.rig.store.reading() as session:
            return int(session.execute(query).scalar_one())


@contextmanager
def set_up(rig: Rig) -> Iterator[Scene]:
    stop = threading.Event()
    poll = Poll(
        rig.store,
        Paces(rig.settings, rig.works.systems),
        wake=lambda account: rig.turns.wake("look", account),
        now=rig.now,
        stop=stop,
    )
    with receiving(rig.store, rig.settings.accounts, rig.settings.platforms, rig.now) as door:
        yield Scene(rig, door, poll)


def paying(rig: Rig, account: str = EU) -> Subscribed:
    """A customer who pays and whom all three systems know alike; all of it was read."""
    made = rig.on(account, agreeing)
    rig.told()
    rig.read_everything()
    rig.rest()
    return made


def stored_status(rig: Rig, class_name: str, id: str, account: str = EU) -> str | None:
    query = select(SNAPSHOTS.c.status).where(
        SNAPSHOTS.c.account == account, SNAPSHOTS.c.class_name == class_name, SNAPSHOTS.c.id == id
    )
    with rig.store.reading() as session:
        return session.execute(query).scalar_one_or_none()


def notes(rig: Rig, case: Any) -> list[str]:
    """What the journal says of a case, oldest first."""
    with rig.store.reading() as session:
        found = journal.entries(session, account=case.account, subject=("case", case.id))
    return [each.kind for each in reversed(found)]
