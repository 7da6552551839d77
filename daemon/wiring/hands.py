"""The hands of desk and executor: the systems, and what only this installation knows: wording, mail, known keys."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from accounts.facts import Entitlement
from daemon.actions.shape import Hands
from daemon.settings import Settings
from daemon.store import records
from daemon.wiring.outward import mailer
from daemon.wiring.works import Works


class Opening(Protocol):
    def __call__(self, account: str, writing: bool = False) -> Hands:
        """An account for an action: to look at, and with `writing` to act on. Raises the ObservationError that says
        why not."""


def hands_of(settings: Settings, works: Works, now: Callable[[], datetime]) -> Opening:
    mail = mailer(settings, now)
    products = {each.id: each.entitlements for each in settings.accounts}

    def open_hands(account: str, writing: bool = False) -> Hands:
        def given(customer: str) -> Sequence[Entitlement]:
            with works.store.reading() as session:
                known = records.given(session, [customer])
            return [
                each.entitlement for each in known if each.source == products[account] and not each.deleted
            ]

        hands = works.systems.hands(account, writing=writing)
        return replace(hands, mail=mail, templates=works.policies.of(account).templates, given=given)

    return open_hands
