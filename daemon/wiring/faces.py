"""Puts the faces together: what the main address serves beside webhooks."""

from collections.abc import Callable
from datetime import datetime

from daemon.desk.authority import Authority
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.desk.pushing import Pushing
from daemon.desk.stopping import Switch
from daemon.engine import Engine
from daemon.faces import api, gate
from daemon.faces.api.waiting import Waiting
from daemon.faces.site import Faces
from daemon.loop import LOOK
from daemon.overview import Overview
from daemon.settings import Settings
from daemon.store.personal import Seal
from daemon.wiring import secret_key
from daemon.wiring.flows import PUSHED, Flows
from daemon.wiring.paces import Paces


class Serving:
    """The faces of one process; `take` gives them another configuration."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self.faces = Faces()
        self._engine = engine
        self._now = now
        self._waiting = Waiting()

    def take(self, settings: Settings, flows: Flows) -> None:
        """Raises SecretUnreadable."""
        services = self.services(settings, flows)
        app = api.create(services)
        at_gate = gate.create(self._gate(settings, services))
        self.faces.use(
            [
                ("/api/v1/", app),
                ("/openapi.json", app),
                ("/api/approvals/", at_gate),
                ("/api/webhooks/", at_gate),
            ]
        )

    def close(self) -> None:
        """Whoever waits for a decision is answered, so that the server can end."""
        self._waiting.close()

    def services(self, settings: Settings, flows: Flows) -> api.Services:
        store, now, works = flows.works.store, self._now, flows.works
        accounts = [account.id for account in settings.accounts]
        return api.Services(
            desk=flows.desk,
            authority=Authority(store, now),
            governing=Governing(store, now, accounts, list(settings.policies)),
            keyring=Keyring(store, now, accounts),
            switch=Switch(store, now, accounts),
            pushing=Pushing(
                store,
                works.cartographer,
                note=flows.pushed.note,
                wake_source=lambda key: self._engine.wake(PUSHED, key),
                wake=lambda account: self._engine.wake(LOOK, account),
                now=now,
            ),
            overview=Overview(
                store,
                Seal(secret_key(settings)),
                works.cartographer,
                Paces(settings, works.systems).budget,
                _executing(settings),
                now,
                flows.desk.ground.why_idle,
            ),
            waiting=self._waiting,
        )

    def _gate(self, settings: Settings, services: api.Services) -> gate.Services:
        return gate.Services(
            desk=services.desk,
            keys=services.authority,
            names=gate.Names.of(settings.gate.actions),
            waiting=self._waiting,
            public_url=services.desk.ground.public_url,
            now=self._now,
        )


def _executing(settings: Settings) -> dict[str, bool]:
    """Of each account, whether it is configured so that approved proposals are executed here."""
    registry = settings.registry()
    return {
        each.id: each.mode == "act" and (registry.platform_of(each) or each).act_key is not None
        for each in settings.accounts
    }
