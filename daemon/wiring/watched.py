"""From the settings to the accounts whose figures are shown."""

from daemon.figures import Watched
from daemon.settings import Settings
from daemon.sweep.classes import CLASSES


def watched(settings: Settings) -> tuple[Watched, ...]:
    classes = tuple(each.resource.name for each in CLASSES)
    return tuple(
        Watched(each.id, each.stripe_account, each.livemode, each.mode, each.sweep, classes)
        for each in settings.accounts
    )
