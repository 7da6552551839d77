"""A desk behind the real server, and people and programs with tokens of their own who speak to it."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from accounts.money import Money
from accounts.sandbox.server import Sandbox
from daemon.core.approval.principal import OWNER
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.desk.refusals import Refusal
from daemon.faces import api
from daemon.faces.rates import Rates
from daemon.serve import Server, Site
from daemon.store import changes
from daemon.store.db import Store
from daemon.wiring.faces import Serving
from daemon.wiring.flows import connect
from tests.desk.rig import Rig

WAIT_S = 60.0  # far longer than anything takes here


class Served:
    """`rig` is what lies behind; `governing` and `keyring` are the owner's commands."""

    def __init__(self, sandbox: Sandbox, store: Store, folder: Path, **more: Any) -> None:
        self.rig = Rig(sandbox, store, folder, **more)
        self.store = store
        self.flows = connect(self.rig.settings, store, self.rig.wakes, self.rig.now, threading.Event())
        self.serving = Serving(self.rig.wakes, self.rig.now)
        self.serving.take(self.rig.settings, self.flows)
        accounts = [each.id for each in self.rig.settings.accounts]
        self.governing = Governing(store, self.rig.now, accounts, ["default"])
        self.keyring = Keyring(store, self.rig.now, accounts)
        self.server = Server("127.0.0.1:0", Site(rest=self.serving.faces))
        self.url = f"http://127.0.0.1:{self.server.port}"
        self._thread = threading.Thread(target=self.server.run)
        self._clients: list[httpx.Client] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        self.serving.close()
        self.server.stop()
        self._thread.join(WAIT_S)
        self.flows.close()
        self.rig.works.systems.close()
        assert not self._thread.is_alive()

    def with_rates(self, rates: Rates) -> None:
        """The same API, in which one may ask this often."""
        app = api.create(self.serving.services(self.rig.settings, self.flows), rates)
        self.serving.faces.use([("/", app)])

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        shown = {"authorization": f"Bearer {token}"} if token is not None else {}
        client = httpx.Client(base_url=self.url, timeout=WAIT_S, headers=shown | headers, trust_env=False)
        self._clients.append(client)
        return client

    def person(
        self, name: str, role: str = "approver", accounts: Sequence[str] = (), limits: Sequence[Money] = ()
    ) -> httpx.Client:
        """Somebody who was added and has signed in, over HTTP."""
        invited = self.governing.add_person(OWNER, name, role, accounts, limits)
        if invited.change is not None:
            with self.store.transaction() as session:  # as if another admin had confirmed it
                changes.decide(session, invited.change, "withdrawn", "test", self.rig.now())
            raise Refusal("already_decided", "add this person before two admins have signed in")
        signed_in = self.client().post("/api/v1/login", json={"code": invited.code})
        assert signed_in.status_code == 200, signed_in.text
        return self.client(signed_in.json()["token"])

    def program(self, name: str, role: str = "agent", accounts: Sequence[str] = ()) -> httpx.Client:
        return self.client(self.keyring.add_for_program(OWNER, name, role, accounts).secret)

    def refund(self, charge: str, amount: int = 6_000, **changes: Any) -> dict[str, Any]:
        details = {"charge": charge, "amount": amount, "currency": "eur"}
        return {"account": self.rig.slug, "action": "refund", "details": details, **changes}

    def stage(self, who: httpx.Client, amount: int = 6_000, **changes: Any) -> dict[str, Any]:
        """A refund is asked for; the case as it then is."""
        answer = who.post("/api/v1/approvals", json=self.refund(self.rig.charge(), amount, **changes))
        assert answer.status_code == 201, answer.text
        case = who.get(f"/api/v1/cases/{answer.json()['case_id']}")
        assert case.status_code == 200, case.text
        found: dict[str, Any] = case.json()
        return found


def seen(case: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What an approval of exactly what is shown has to say."""
    proposal = case["proposal"]
    return {"version": proposal["version"], "state_hash": proposal["state_hash"], **more}


def code(answer: httpx.Response) -> tuple[int, str]:
    """Of a problem: its status and its word; it has the form of one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found = answer.json()
    assert found["status"] == answer.status_code
    assert found["detail"].strip()
    assert found["title"]
    return answer.status_code, found["code"]
