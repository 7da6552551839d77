"""Who acts in the demo: two people who decide, and an agent that asks for a refund and drafts a dispute's answer.

They speak to the daemon as anybody would, over HTTP with tokens of their own; the agent's never votes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from accounts.money import Money
from accounts.sandbox.world import World
from daemon.core.approval.principal import OWNER
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.settings import Settings
from daemon.store.db import Store

APPROVER: Final = "dana"
DISPUTES: Final = "omar"
AGENT: Final = "support-agent"
ASKED: Final = "/api/v1/approvals"
ANSWER_S: Final = 30.0
ORDINARY_MAX: Final = 50_000  # in minor units: of more, two people would have to approve half


class Refused(Exception):
    """The daemon did not take what the cast said."""


@dataclass(frozen=True, slots=True)
class Refundable:
    """A charge of which the agent wants half back for somebody."""

    account: str
    charge: str
    half: Money


@dataclass(frozen=True, slots=True)
class Cast:
    links: dict[str, str]  # by name: the one-time link that signs this person in
    agent: str  # its token

    def ask_for_refund(self, address: str, wanted: Refundable) -> str:
        """The agent's request; gives the case that is there when the answer is."""
        asked = {
            "account": wanted.account,
            "action": "refund",
            "details": {
                "charge": wanted.charge,
                "amount": wanted.half.amount_minor,
                "currency": wanted.half.currency,
                "reason": "requested_by_customer",
            },
            "summary": "Half of the last month back",
            "justification": "The customer could not use the product for two weeks.",
        }
        told = self._post(address, ASKED, asked, {"Idempotency-Key": f"demo-{wanted.charge}"})
        return str(told["case_id"])

    def draft_answer(self, address: str, case_id: str) -> str:
        """The evidence that the case holds as a draft, proposed as it is; gives the effect in one sentence."""
        with self._client(address) as http:
            case = http.get(f"/api/v1/cases/{case_id}").raise_for_status().json()
        drafts = [each for each in (case["recommended"], *case["drafts"]) if each]
        drafted = next(each for each in drafts if each["action"] == "dispute_evidence")
        told = self._post(
            address,
            f"/api/v1/cases/{case_id}/proposals",
            {
                "action": "dispute_evidence",
                "details": drafted["details"],
                "justification": "As drafted from what is known.",
            },
        )
        return str(told["proposal"]["effect"])

    def _post(
        self, address: str, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        with self._client(address) as http:
            answer = http.post(path, json=body, headers=headers)
        told: dict[str, Any] = answer.json()
        if answer.is_error:
            raise Refused(f"The daemon says: {told.get('detail', answer.status_code)}")
        return told

    def _client(self, address: str) -> httpx.Client:
        bearer = {"Authorization": f"Bearer {self.agent}"}
        return httpx.Client(base_url=address, headers=bearer, timeout=ANSWER_S, trust_env=False)


def hire(store: Store, settings: Settings, now: Callable[[], datetime], address: str) -> Cast:
    """Two people and an agent, made by the installation's owner."""
    accounts = [account.id for account in settings.accounts]
    governing = Governing(store, now, accounts, list(settings.policies))
    invited = {
        name: governing.add_person(OWNER, name, role)
        for name, role in ((APPROVER, "approver"), (DISPUTES, "disputes"))
    }
    agent = Keyring(store, now, accounts).add_for_program(OWNER, AGENT, "agent")
    links = {name: f"{address}/login#{each.code}" for name, each in invited.items()}
    return Cast(links, agent.secret)


def refundable(world: World) -> Refundable | None:
    """The newest ordinary charge of a live account."""
    for account in world.accounts.values():
        if not account.livemode:
            continue
        disputed = {each["charge"] for each in account.newest_first("dispute")}
        warned = {each["charge"] for each in account.newest_first("radar.early_fraud_warning")}
        for charge in account.newest_first("charge"):
            whole = charge["paid"] and charge["captured"] and not charge["amount_refunded"]
            if whole and charge["id"] not in disputed | warned and charge["amount"] <= ORDINARY_MAX:
                return Refundable(
                    account.slug, charge["id"], Money(charge["amount"] // 2, charge["currency"])
                )
    return None
