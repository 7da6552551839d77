"""The doors: which path is whose endpoint, which secrets open it, and under which account an event lands.

A door belongs to an account or, with Connect, to a platform whose events belong to several. It is known by the
slug and by Stripe's id. All doors are made anew from the configuration, secrets included, whenever that is reloaded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from accounts.registry import Account, Platform, Registry, read_secrets
from accounts.secret import Secret


class Foreign(StrEnum):
    """Why an event that came through a door concerns none of our accounts there."""

    ACCOUNT = "foreign_account"
    MODE = "foreign_mode"


@dataclass(frozen=True, slots=True)
class Room:
    """An account behind a door."""

    account: str  # its slug
    livemode: bool


@dataclass(frozen=True, slots=True)
class Door:
    name: str  # the slug of the account or platform; what belongs to no account of ours is kept under it
    secrets: tuple[Secret, ...]
    own: (
        str | None
    )  # Stripe's id of the account that events without one are of; None: a platform's are not ours
    rooms: Mapping[str, Room]  # by Stripe's id

    def lands(self, stripe_account: str | None, livemode: bool) -> tuple[str, Foreign | None]:
        """The slug under which an event is kept, and why nothing is done about it, if so."""
        room = self.rooms.get(stripe_account or self.own or "")
        if room is None:
            return self.name, Foreign.ACCOUNT
        # A live Connect endpoint hears its accounts' test events too.
        return room.account, None if room.livemode == livemode else Foreign.MODE


@dataclass(frozen=True, slots=True)
class Doors:
    by_name: Mapping[str, Door]
    problems: tuple[str, ...]  # a sentence for each secret that could not be read


def doors_of(registry: Registry) -> Doors:
    """All doors, with their secrets read now. One that cannot be read takes no other with it."""
    by_name: dict[str, Door] = {}
    problems: list[str] = []
    for holder, rooms in _holders(registry):
        secrets, unreadable = read_secrets(holder.webhook_secrets)
        problems += [f"Account {holder.id}: a webhook secret is not used: {each}." for each in unreadable]
        own = holder.stripe_account if isinstance(holder, Account) else None
        door = Door(holder.id, secrets, own, rooms)
        by_name |= {holder.id: door, holder.stripe_account: door}
    return Doors(by_name, tuple(problems))


def _holders(registry: Registry) -> Iterator[tuple[Account | Platform, dict[str, Room]]]:
    for account in registry.accounts.values():
        yield account, {account.stripe_account: Room(account.id, account.livemode)}
    for platform in registry.platforms.values():
        connected = (each for each in registry.accounts.values() if each.platform == platform.id)
        yield platform, {each.stripe_account: Room(each.id, each.livemode) for each in connected}
