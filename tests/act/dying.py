"""An executor in a process of its own, killed at a boundary: `python -m tests.act.dying`, told what by stdin."""

import json
import os
import signal
import sys
from datetime import datetime
from typing import Any

from accounts.errors import ObservationError
from accounts.stripe.connection import open_client
from accounts.stripe.writes import WriteClient
from daemon.act import Executor, Grounds
from daemon.act.grounds import Acts
from daemon.actions.shape import Hands, Place
from daemon.store.db import open_store
from daemon.store.personal import Seal
from tests.act.world import KEY, Fragile, Plan, Wakes, Way, open_hands


class Deadly(Plan):
    """Ends the whole process where another plan would raise."""

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def main(told: dict[str, Any]) -> None:
    at = datetime.fromisoformat(told["now"])
    plan = Deadly(told["at"])
    place = Place(told["slug"], told["account"], livemode=True)

    def now() -> datetime:
        return at

    def doubt(account: str, problem: ObservationError) -> None:
        raise problem

    with open_store(told["database"]) as store, open_client() as reads:
        way = Way(told["stripe"], told["key"], told["charge"], reads, WriteClient())

        def hands(account: str, writing: bool) -> Hands:
            return open_hands(way, place, plan, now, writing=writing)

        grounds = Grounds({told["slug"]: Acts(told["account"], True, "act", True)}, lambda *asked: None)
        fragile: Any = Fragile(store, plan)
        Executor(fragile, grounds, Seal(KEY), hands, doubt, Wakes(), now).act(told["slug"])


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
