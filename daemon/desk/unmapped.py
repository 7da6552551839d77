"""An action of a caller's own that we do not know: people may decide on it, and nobody can verify that it was done.

Nothing is known of what its details mean, so all of them are taken for personal. What it is done to is not known
either: its target is the request itself, as it was asked for at first, however it is edited.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NoReturn

from accounts.facts import Address
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace, Where
from daemon.core.canonical import Json
from daemon.store.personal import Seal

TARGET: Final = "request"
DIGITS: Final = 24  # of the fingerprint: 96 bits do not meet by chance
NAME_CHARS_MAX: Final = 100


class Unmapped:
    where: Where = "nowhere"
    repeatable = False
    verifiable = False
    caller_only = True

    def __init__(self, name: str, seal: Seal, target: Address | None = None) -> None:
        """`target` is what an earlier version of the same request has."""
        if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
            raise BadDetails(f"action: a name of 1 to {NAME_CHARS_MAX} letters is expected.")
        self.name = name
        self._seal = seal
        self._target = target

    def read(self, details: Mapping[str, Json], place: Place) -> Asked:
        return Asked({}, self._target or self._fingerprint(details), personal=dict(details))

    def _fingerprint(self, details: Mapping[str, Json]) -> Address:
        text = json.dumps([self.name, details], sort_keys=True)
        return Address(TARGET, self._seal.fingerprint(text.encode())[:DIGITS])

    def see(self, hands: Hands, asked: Asked) -> Seen:
        return Seen(asked.target, {"request": asked.target.id})

    def describe(self, asked: Asked, place: Place) -> str:
        mode = "live" if place.livemode else "test"
        return f"Allow “{self.name}” on {place.account} ({mode}); whether it is done cannot be verified"

    def preflight(self, asked: Asked, seen: Seen, now: datetime) -> str | None:
        return None

    def request(self, asked: Asked, seen: Seen, tag: str) -> NoReturn:
        raise AssertionError("what the caller does is never done by us")

    def execute(self, hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
        raise AssertionError("what the caller does is never done by us")

    def verify(self, hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
        return Trace.UNSURE
