"""The desk, on the works."""

from collections.abc import Callable
from datetime import datetime

from daemon.desk.desk import Desk
from daemon.engine import Engine
from daemon.settings import Settings
from daemon.store.personal import Seal
from daemon.wiring import secret_key
from daemon.wiring.hands import hands_of
from daemon.wiring.works import Works


def desk_of(settings: Settings, works: Works, engine: Engine, now: Callable[[], datetime]) -> Desk:
    """Raises SecretUnreadable with a sentence."""
    return Desk(
        store=works.store,
        seal=Seal(secret_key(settings)),
        settings=settings,
        cartographer=works.cartographer,
        hands=hands_of(settings, works, now),
        policy_of=works.policies.of,
        now=now,
        wake=engine.wake,
    )
