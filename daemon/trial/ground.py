"""What a trial stands on: two policies, the accounts that they are for, and everything that is stored of those."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlmodel import Session

from accounts.errors import Explained
from accounts.facts import Subject
from daemon.core.model import Facts, Kind, Policy
from daemon.core.policy import read_policy
from daemon.observe.gathering import gather
from daemon.observe.health import health_of
from daemon.observe.landscape import Cartographer, Land
from daemon.rejudge import Progress, batch_after
from daemon.settings import Settings
from daemon.store import policies, subjects
from daemon.store.db import Store
from daemon.wiring.estate import accounts_of
from daemon.wiring.works import metadata_keys

ONCE: Final = frozenset({"owners", "payouts"})  # the phases of a walk in which nobody comes who came before


class NoTrial(Explained):
    """The trial cannot be made. The message says why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Two versions of one policy."""

    store: Store
    cartographer: Cartographer
    name: str
    accounts: Sequence[str]
    in_force: Policy
    tried: Policy

    def facts(self, account: str) -> Iterator[tuple[Session, Land, list[Facts]]]:
        """Of everybody whom this account knows, each once, some hundred at a time and each batch in its own picture."""
        with self.store.reading() as session:
            twice = set(subjects.with_cases(session, account))  # they come at the end of a walk once more
        met: set[Subject] = set()
        progress: Progress | None = Progress(0, first=False)
        while progress is not None:
            with self.store.reading() as session:
                landscape = self.cartographer.landscape(session)
                some, following = batch_after(session, landscape, account, progress)
                some = [each for each in some if each not in met]
                met |= twice.intersection(some) if progress.phase in ONCE else set(some)
                land = landscape.lands[account]
                yield session, land, gather(session, land, some, health=partial(health_of, session, land))
            progress = following

    def notes(self) -> Iterator[str]:
        """What has to be known beside the figures."""
        kept = {key for account in self.accounts for key in metadata_keys(self.in_force.for_account(account))}
        asked = {key for account in self.accounts for key in metadata_keys(self.tried.for_account(account))}
        for key in sorted(asked - kept):
            yield (
                f"{Kind.UNAPPROVED_MONEY_MOVE} is judged as if no object had the metadata “{key}”: what no policy in "
                "force looks at is not kept. It is read by the first sweep after the policy was put in force."
            )
        if self.in_force.version == self.tried.version:
            yield "The file is the version in force, so nothing can differ."


def open_trial(settings: Settings, store: Store, name: str, text: str, accounts: Sequence[str]) -> Trial:
    """Raises UnusablePolicy or NoTrial with a sentence. Without `accounts`, all that have this policy."""
    if name not in settings.policies:
        raise NoTrial(f"There is no policy {name[:60]}; [policies] has: {', '.join(settings.policies)}.")
    tried = read_policy(text)
    users = [account.id for account in settings.accounts if account.policy == name]
    for account in accounts:
        if account not in users:
            known = ", ".join(users) or "none"
            raise NoTrial(f"{account[:60]} is no account with the policy {name}; those are: {known}.")
    if not users:
        raise NoTrial(f"No account has the policy {name}, so there is nothing to judge by it.")
    with store.reading() as session:
        active = policies.active(session, name)
    in_force = read_policy(active.text if active else settings.policies[name].read_text("utf-8"))
    chosen = tuple(dict.fromkeys(accounts)) or tuple(users)
    return Trial(store, Cartographer(accounts_of(settings)), name, chosen, in_force, tried)
