"""A shop's agent before the gate, the people who decide what it asks for, and what it then does on Stripe by itself."""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, cast

import httpx
from cheqpoint import CheqpointClient
from sqlalchemy import Row, select

from accounts.sandbox.business.opening import key_of
from daemon.core.approval.principal import OWNER
from daemon.core.model import Kind
from tests.desk.rig import CASES, PROPOSALS
from tests.faces.served import WAIT_S, Served

UNDONE_S = 11.0  # after which an approval cannot be taken back, as it is configured by default
MONEY_MOVES = frozenset({Kind.UNAPPROVED_MONEY_MOVE, Kind.APPROVED_NOT_EXECUTED, Kind.EXECUTED_DIFFERENTLY})


class Gate:
    def __init__(self, served: Served) -> None:
        self.served, self.rig = served, served.rig
        self.token = self.token_for("shop", self.rig.slug)
        self.http = served.client(**{"x-api-key": self.token})
        self._clients: list[CheqpointClient] = []
        self._threads = ThreadPoolExecutor(4)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown()
        for client in self._clients:
            client._session.close()

    def token_for(self, name: str, *accounts: str) -> str:
        return self.served.keyring.add_for_program(OWNER, name, "agent", accounts).secret

    def client(self, token: str | None = None) -> CheqpointClient:
        """The real one."""
        made = CheqpointClient(token or self.token, base_url=self.served.url, timeout=WAIT_S)
        self._clients.append(made)
        return made

    def meanwhile(self, call: Any, *args: Any, **named: Any) -> "Future[Any]":
        return self._threads.submit(call, *args, **named)

    def policy(self, text: str) -> None:
        """Two admins have agreed on another one."""
        self.rig.policy(text, confirmed_by="per_ben")
        with self.served.store.transaction() as session:
            self.served.flows.works.policies.refresh(session)

    # What people do.

    def waiting(self) -> Row[Any]:
        """The request that waits for a decision, as soon as there is one."""

        def look() -> Row[Any] | None:
            with self.served.store.reading() as session:
                undecided = select(PROPOSALS).where(PROPOSALS.c.state == "pending")
                return session.execute(undecided.order_by(PROPOSALS.c.created_at.desc())).first()

        found = self.served.flows.desk.ground.changes.wait_for(look, lambda row: row is not None, WAIT_S)
        assert found is not None, "nobody has asked for anything"
        return found

    def row(self, proposal_id: str) -> Row[Any]:
        """Its newest version."""
        with self.served.store.reading() as session:
            versions = select(PROPOSALS).where(PROPOSALS.c.id == proposal_id)
            return session.execute(versions.order_by(PROPOSALS.c.version.desc())).first()  # type: ignore[return-value]

    def decide(self, who: httpx.Client, verb: str, row: Row[Any], **more: Any) -> None:
        body = {"version": row.version, **more}
        if verb == "approve":
            body["state_hash"] = row.state_hash
        answer = who.post(f"/api/v1/cases/{row.case_id}/{verb}", json=body)
        assert answer.status_code == 200, answer.text

    def approve(self, who: httpx.Client, row: Row[Any], **more: Any) -> None:
        """For good: until nobody can take it back any more."""
        self.decide(who, "approve", row, **more)
        self.undone_no_more()

    def undone_no_more(self) -> None:
        self.rig.later(seconds=UNDONE_S)
        self.served.flows.desk.changed()

    # What the shop does.

    def body(self, charge: str, amount: int = 6_000, **more: Any) -> dict[str, Any]:
        details = {"charge_id": charge, "amount_cents": amount, "currency": "eur"}
        return {"action": "issue_refund", "summary": "Paid twice", "details": {**details, **more}}

    def ask(self, charge: str, amount: int = 6_000, **more: Any) -> dict[str, Any]:
        answer = self.http.post("/api/approvals/request", json=self.body(charge, amount, **more))
        assert answer.status_code in {200, 201}, answer.text
        return cast(dict[str, Any], answer.json())

    def shown(self, id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/approvals/{id}")
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json())

    def refund(self, charge: str, amount: int, key: str | None = None) -> httpx.Response:
        """By itself, with a key of its own, under the idempotency key that it was given."""
        world = self.rig.sandbox.world
        account = world.accounts[f"acct_{self.rig.slug.replace('-', '')}"]
        headers = {"authorization": f"Bearer {key_of(account, 'act')}"}
        if key is not None:
            headers["idempotency-key"] = key
        return httpx.post(
            f"{self.rig.sandbox.url}/v1/refunds", data={"charge": charge, "amount": str(amount)}, headers=headers,
            trust_env=False,
        )  # fmt: skip

    # What reconciliation makes of it.

    def adopt(self) -> None:
        """Reads the account as a whole; what happens from then on has to be explained."""
        self.served.flows.stripe.sweep(self.rig.slug, at_once=True)
        self.rig.later(minutes=5)

    def standing(self) -> list[tuple[str, int | None]]:
        """Follows what happened, looks again, and gives the cases about who moved money, and of how much."""
        flows = self.served.flows
        flows.executor.act(self.rig.slug)
        self.rig.later(minutes=1)  # events are read once they have settled
        flows.poll.poll(self.rig.slug)
        self.rig.look(self.rig.customer())
        with self.served.store.reading() as session:
            mine = select(CASES).where(CASES.c.account == self.rig.slug, CASES.c.state == "open")
            return [
                (row.kind, row.amount)
                for row in session.execute(mine.order_by(CASES.c.kind))
                if row.kind in MONEY_MOVES
            ]
