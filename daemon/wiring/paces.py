"""How often what is read, and by whom: what polls and sweeps ask about an account."""

from collections.abc import Sequence
from datetime import timedelta

from accounts.budget import ReadBudget
from accounts.errors import ObservationError
from accounts.registry import Account, KeyOwner
from accounts.stripe.reads import Reader
from daemon.settings import Settings
from daemon.wiring.systems import Systems


class Paces:
    def __init__(self, settings: Settings, systems: Systems) -> None:
        self._systems = systems
        self._accounts = {account.id: account for account in settings.accounts}
        self._platforms = {platform.id: platform for platform in settings.platforms}

    def names(self) -> Sequence[str]:
        return tuple(self._accounts)

    def reader(self, account: str) -> Reader:
        return self._systems.reader(account)

    def doubt(self, account: str, problem: ObservationError) -> None:
        self._systems.doubt(account, problem)

    def budget(self, account: str) -> ReadBudget:
        return self._systems.budget(self._owner(self._accounts[account]))

    def sharing_budget(self, account: str) -> Sequence[str]:
        owner = self._owner(self._accounts[account])
        return tuple(each.id for each in self._accounts.values() if self._owner(each) == owner)

    def poll_every(self, account: str) -> timedelta:
        return self._accounts[account].poll

    def sweep_every(self, account: str) -> timedelta:
        return self._accounts[account].sweep

    def records_every(self, account: str) -> timedelta:
        return self._accounts[account].records

    def hears_webhooks(self, account: str) -> bool:
        own = self._accounts[account]
        holder = self._platforms[own.platform] if own.platform is not None else own
        return bool(holder.webhook_secrets)

    def webhook_paths(self, account: str) -> Sequence[str]:
        own = self._accounts[account]
        if own.platform is not None:
            return ()  # its endpoint is the platform's, which the account's own list does not show
        return tuple(f"/webhooks/stripe/{name}" for name in (own.id, own.stripe_account))

    def _owner(self, account: Account) -> KeyOwner:
        platform = self._platforms.get(account.platform or "")
        return KeyOwner((platform or account).stripe_account)
