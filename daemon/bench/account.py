"""The one account of a measurement, read as the program reads it, but as fast as the pretend Stripe answers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from accounts.budget import MemoryLedger, ReadBudget
from accounts.crm import Crm
from accounts.entitlements import Entitlements
from accounts.errors import ObservationError
from accounts.limits import Limiter
from accounts.registry import Key, KeyOwner
from accounts.secret import Secret
from accounts.stripe.connection import Connection, open_client
from accounts.stripe.decoding import Decoding
from accounts.stripe.identity import prove
from accounts.stripe.permissions import Permissions
from accounts.stripe.reads import Reader
from daemon.bench.world import World

SLUG: Final = "measured"
HASH_KEY: Final = b"of no installation"
RAISED: Final = 1_000.0  # by so much the account's limits are: what is measured is us, not politeness
TRANSACTIONS: Final = 1_000_000  # so that the read budget does not stretch anything either


def now() -> datetime:
    return datetime.now(UTC)


class Account:
    """What sweeps and looks ask about it, and whom they may ask. It has neither a CRM nor a product."""

    def __init__(self, reader: Reader, budget: ReadBudget) -> None:
        self._reader = reader
        self._budget = budget

    def names(self) -> Sequence[str]:
        return (SLUG,)

    def reader(self, account: str) -> Reader:
        return self._reader

    def doubt(self, account: str, problem: ObservationError) -> None:
        raise problem

    def budget(self, account: str) -> ReadBudget:
        return self._budget

    def sweep_every(self, account: str) -> timedelta:
        return timedelta(hours=6)

    def sharing_budget(self, account: str) -> Sequence[str]:
        return (SLUG,)

    def crm(self, name: str) -> Crm:
        raise LookupError(f"the measured account has no CRM, and not {name}")

    def entitlements(self, name: str) -> Entitlements:
        raise LookupError(f"the measured account has no product, and not {name}")


@contextmanager
def opened(world: World) -> Iterator[Account]:
    key = Key(Secret(world.key), True, KeyOwner(world.account), None)
    budget = ReadBudget(key.owner, MemoryLedger(transactions=TRANSACTIONS), now)
    with open_client() as http:
        limiter = Limiter(key.livemode, 1.0, raised=RAISED)
        connection = Connection(SLUG, key, world.url, http, limiter, budget, now=now)
        proven = prove(connection, world.account, None)
        yield Account(Reader(connection, proven, Permissions(SLUG), Decoding(HASH_KEY)), budget)
