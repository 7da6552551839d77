"""Puts the works together: everything between what can be asked and what stands."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from accounts.facts import Address
from daemon.canary import Canary
from daemon.core.model import Kind, Policy
from daemon.engine import Engine
from daemon.judging import Judging
from daemon.loop import Loop
from daemon.observe.landscape import Cartographer
from daemon.observe.observer import Observer
from daemon.rejudge import Lane, Rejudging
from daemon.settings import Settings
from daemon.store import names, snapshots
from daemon.store.db import Store
from daemon.store.meter import Meter
from daemon.store.names import Owner
from daemon.wiring import Outside, decoding, secret_key
from daemon.wiring.estate import accounts_of
from daemon.wiring.policies import Policies
from daemon.wiring.systems import Systems


@dataclass(frozen=True, slots=True)
class Works:
    store: Store
    systems: Systems
    policies: Policies
    cartographer: Cartographer
    observer: Observer
    judging: Judging
    loop: Loop
    rejudging: Rejudging
    canary: Canary
    lane: Lane


def metadata_keys(policy: Policy) -> Iterator[str]:
    """The metadata that a policy looks at; everything else there may be personal and is not kept."""
    allowed = policy.parameter(Kind.UNAPPROVED_MONEY_MOVE, "allow", ())
    for line in allowed if isinstance(allowed, list | tuple) else ():
        yield str(line).partition("=")[0].removeprefix("metadata.")


def assemble(settings: Settings, store: Store, engine: Engine, now: Callable[[], datetime]) -> Works:
    """Raises SecretUnreadable, UnusablePolicy, StoreError or OSError with a sentence."""
    owners = {each.id: Owner(each.stripe_account, each.livemode) for each in settings.accounts}
    with store.transaction() as session:
        names.claim(session, owners, now())
    policies = Policies(settings, store, now)
    kept = {key for account in settings.accounts for key in metadata_keys(policies.of(account.id))}
    outside = Outside(decoding(settings, secret_key(settings), kept), Meter(store), now)

    def known(account: str) -> Address | None:
        with store.reading() as session:
            return snapshots.any_of(session, account)

    systems = Systems(settings, outside, known, now)
    cartographer = Cartographer(accounts_of(settings))
    observer = Observer(store, cartographer, systems, now)
    judging = Judging(store, observer, policies.of, now)
    loop = Loop(store, observer, judging, engine, now)
    rejudging = Rejudging(store, cartographer, observer, judging, now)
    canary = Canary(store, now)
    lane = Lane(loop, rejudging, canary, engine)
    return Works(store, systems, policies, cartographer, observer, judging, loop, rejudging, canary, lane)
