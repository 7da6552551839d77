"""The executor, on the works: with the hands that act, and with what the desk says of approvals."""

from collections.abc import Callable
from datetime import datetime

from daemon.act import Executor, Grounds
from daemon.act.grounds import Acts
from daemon.desk import Desk
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
    registry = settings.registry()
    accounts = {
        account.id: Acts(
            account.stripe_account,
            account.livemode,
            account.mode,
            has_key=(registry.platform_of(account) or account).act_key is not None,
        )
        for account in settings.accounts
    }
    return Executor(
        works.store,
        Grounds(accounts, desk.holds),
        Seal(secret_key(settings)),
        hands_of(settings, works, now),
        works.systems.acting.doubt,
        engine,
        now,
        desk.changed,
    )
