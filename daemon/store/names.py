"""Names: all that is stored of an account stands under its name, so a name belongs to one account of Stripe for good.

Otherwise an account that is renamed in the configuration would find its own cases in its way, and one that takes over
the name of another would be judged by the other's snapshots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session

from daemon.store import cursors
from daemon.store.errors import Renamed

NAME: Final = "stripe_account"


@dataclass(frozen=True, slots=True)
class Owner:
    """An account as Stripe knows it."""

    stripe_account: str
    livemode: bool

    def __str__(self) -> str:
        return f"{self.stripe_account} ({'live' if self.livemode else 'test'})"


def claim(session: Session, owners: Mapping[str, Owner], now: datetime) -> None:
    """Remembers whose each name is, for those of which that is not known. Raises Renamed."""
    known = cursors.by_account(session, NAME)
    names = {owner: name for name, owner in known.items()}
    for name, owner in owners.items():
        before = names.get(str(owner), name)
        if before != name:
            raise Renamed(
                f"Account {name}: what is stored of {owner} stands under the name {before}. Give it that name again "
                f'(id = "{before}"), or begin with a database of its own.'
            )
        if known.get(name, str(owner)) != str(owner):
            raise Renamed(
                f"Account {name}: what is stored under this name is of {known[name]}, and not of {owner}. Give "
                "it another name, or begin with a database of its own."
            )
        if name not in known:
            cursors.move(session, name, NAME, str(owner), now)
