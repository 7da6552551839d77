"""Says that a person has seen it. Nothing happens outside, and so it always succeeds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from accounts.facts import Address
from daemon.actions import details as given_as
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

name: Final = "acknowledge"
where: Final = "nowhere"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False


def read(details: Mapping[str, Json], place: Place) -> Asked:
    given_as.known(details, name, ())
    subject = place.subject
    if subject is None or subject.kind == "account":
        return Asked({}, Address("account", place.stripe_account))
    return Asked({}, Address(subject.kind, subject.id))


def see(hands: Hands, asked: Asked) -> Seen:
    """There is nothing that it depends on."""
    return Seen(asked.target, {})


def describe(asked: Asked, place: Place) -> str:
    return given_as.button(f"Take note of {asked.target.id}", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    return {}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    return Done(asked.target.id)


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    return Done(asked.target.id, replayed=True)
