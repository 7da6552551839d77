"""Why something approved is not done: the account only lets people decide, has no key to act with, or is stopped."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session

from daemon.settings import Settings
from daemon.store import stops


@dataclass(frozen=True, slots=True)
class Acts:
    """An account, as far as it matters to who acts there."""

    stripe_account: str
    livemode: bool
    mode: str
    has_key: bool  # to act with


def acts_of(settings: Settings) -> dict[str, Acts]:
    """Every account that is configured, by its slug."""
    registry = settings.registry()
    return {
        account.id: Acts(
            account.stripe_account,
            account.livemode,
            account.mode,
            has_key=(registry.platform_of(account) or account).act_key is not None,
        )
        for account in settings.accounts
    }


def why_idle(
    session: Session, accounts: Mapping[str, Acts], name: str, *, claiming: bool = False
) -> str | None:
    """A sentence; None where nothing keeps us from acting.

    Where something is claimed or sent, nobody flips the switch until that is committed.
    """
    account = accounts.get(name)
    if account is None:
        return f"The account {name} is not configured any more."
    if account.mode != "act":
        return f"The account {name} is in mode “{account.mode}”, in which nothing is executed."
    if not account.has_key:
        return f"The account {name} has no act_key, so nothing is executed."
    return stops.stopped(session, name, claiming=claiming)
