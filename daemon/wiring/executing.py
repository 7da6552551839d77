"""The executor, on the works: with the hands that act, and with what the desk says of approvals."""

from collections.abc import Callable
from datetime import datetime

from daemon.act import Executor, Grounds
from daemon.desk.desk import Desk
from daemon.engine import Engine
from daemon.settings import Settings
from daemon.store.personal import Seal
from daemon.wiring import secret_key
from daemon.wiring.hands import hands_of
from daemon.wiring.works import Works


def executor_of(
    settings: Settings, works: Works, desk: Desk, engine: Engine, now: Callable[[], datetime]
) -> Executor:
    """Raises SecretUnreadable with a sentence."""
    return Executor(
        works.store,
        Grounds(desk.ground.acts, desk.holds),
        Seal(secret_key(settings)),
        hands_of(settings, works, now),
        works.systems.acting.doubt,
        engine,
        now,
        desk.changed,
    )
