"""The only place that builds things: from the settings to what can be used."""

import base64
import binascii
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import httpx

from accounts.budget import Ledger, ReadBudget
from accounts.configuration import SecretUnreadable
from accounts.facts import Address
from accounts.limits import Limiter
from accounts.registry import Account, Key, KeyOwner
from accounts.stripe.connection import Connection
from accounts.stripe.decoding import Decoding
from accounts.stripe.identity import prove
from accounts.stripe.permissions import Permissions
from accounts.stripe.reads import Reader
from daemon.settings import Settings
from daemon.store.personal import derived

SECRET_KEY_BYTES_MIN = 32  # less can be guessed; init writes exactly this many


def secret_key(settings: Settings) -> bytes:
    """The installation's key, from which every other one is derived. Raises SecretUnreadable with a sentence."""
    reference = settings.daemon.secret_key
    text = reference.read().reveal()
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < SECRET_KEY_BYTES_MIN:
        raise SecretUnreadable(
            f"{reference} does not hold a key: at least {SECRET_KEY_BYTES_MIN} random bytes in base64, "
            "as `reconciled init` writes them"
        )
    return key


def decoding(settings: Settings, key: bytes, metadata_keys: Collection[str] = ()) -> Decoding:
    """How Stripe's JSON is read: e-mail addresses hashed, and of all metadata only these keys kept."""
    named = settings.plans.from_
    of_plans = [named.removeprefix("metadata.")] if named.startswith("metadata.") else []
    return Decoding(derived(key, "person"), [*of_plans, *metadata_keys])


@dataclass(frozen=True, slots=True)
class Outside:
    """What all accounts share on their way to Stripe."""

    decoding: Decoding
    ledger: Ledger
    now: Callable[[], datetime]

    def budget(self, owner: KeyOwner) -> ReadBudget:
        return ReadBudget(owner, self.ledger, self.now)

    def connection(
        self,
        account: Account,
        key: Key,
        budget: ReadBudget,
        http: httpx.Client,
        limiter: Limiter | None = None,
    ) -> Connection:
        limiter = limiter or Limiter(account.livemode, account.read_share)
        return Connection(account.id, key, account.stripe_api, http, limiter, budget, now=self.now)

    def reader(self, account: Account, connection: Connection, known: Address | None = None) -> Reader:
        """Reads this account, with a key that is proven now. Raises what `prove` raises."""
        proven = prove(connection, account.stripe_account, known)
        return Reader(connection, proven, Permissions(account.id), self.decoding)
