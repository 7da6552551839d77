"""Decisions over HTTP: asked for by a program, decided by people, with the refusals that the surface names."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.money import Money
from accounts.sandbox.server import Sandbox
from daemon.core.approval.principal import OWNER
from daemon.store import schema
from daemon.store.db import open_store
from tests.faces.served import Served, code, seen


def test_a_refund_that_an_agent_asks_for_is_approved_by_a_person(everywhere: Served) -> None:
    agent, ana = everywhere.program("shop"), everywhere.person("ana")
    body = everywhere.refund(everywhere.rig.charge(), 6_000, summary="Twice paid", justification="Ticket 7")
    asked = agent.post("/api/v1/approvals", json=body)
    assert asked.status_code == 201
    approval = asked.json()
    assert (approval["status"], approval["execution"]["status"]) == ("pending", "none")
    assert approval["approvals"] == {"have": 0, "need": 1}
    assert approval["details"].items() >= body["details"].items()
    assert approval["deduplicated"] is False
    listed = ana.get("/api/v1/cases", params={"kind": "approval_request"}).json()
    assert [item["id"] for item in listed["items"]] == [approval["case_id"]]
    case = ana.get(f"/api/v1/cases/{approval['case_id']}").json()
    assert "60.00" in case["proposal"]["effect"]
    done = ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case, note="It was paid twice."))
    assert done.status_code == 200
    assert done.json()["proposal"]["state"] == "approved"
    assert agent.get(f"/api/v1/approvals/{approval['id']}").json()["status"] in {"pending", "approved"}
    again = ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))
    assert again.status_code == 200, "a double click is no second decision"


def test_the_same_idempotency_key_gives_the_same_answer_and_nothing_new(everywhere: Served) -> None:
    agent, body = everywhere.program("shop"), everywhere.refund(everywhere.rig.charge())
    key = {"idempotency-key": "ticket-7"}
    first = agent.post("/api/v1/approvals", json=body, headers=key)
    again = agent.post("/api/v1/approvals", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["deduplicated"] is True
    other = agent.post("/api/v1/approvals", json=everywhere.refund(everywhere.rig.charge()), headers=key)
    assert code(other) == (422, "idempotency_key_reused")


def test_what_is_no_action_of_ours_is_decided_here_and_done_by_its_caller(served: Served) -> None:
    agent, ana = served.program("shop"), served.person("ana")
    served.person("ben")
    asked = {"account": served.rig.slug, "action": "transfer_create", "details": {"amount": 500}}
    assert code(agent.post("/api/v1/approvals", json=asked)) == (422, "bad_details")
    staged = agent.post("/api/v1/approvals", json={**asked, "execution": "caller"})
    assert staged.status_code == 201, staged.text
    case = ana.get(f"/api/v1/cases/{staged.json()['case_id']}").json()
    assert "cannot be verified" in case["proposal"]["effect"]
    assert case["proposal"]["details"] == {"amount": 500}
    assert ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case)).status_code == 200


@pytest.mark.parametrize("brief", ["1s", 1])
def test_a_request_may_be_for_a_second_and_is_over_then(served: Served, brief: str | int) -> None:
    agent, ana = served.program("shop"), served.person("ana")
    case = served.stage(agent, expires_in=brief)
    served.rig.later(seconds=1)
    assert code(ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))) == (409, "expired")
    refused = agent.post("/api/v1/approvals", json=served.refund(served.rig.charge(), expires_in=0))
    assert code(refused) == (422, "bad_request")


@pytest.mark.parametrize("path", ["approve", "batch", "edited", "own token", "second token"])
def test_t08_whoever_asked_does_not_approve_on_any_path(served: Served, path: str) -> None:
    ana = served.person("ana")
    case = served.stage(ana)
    address = f"/api/v1/cases/{case['id']}"
    match path:
        case "approve":
            answer = ana.post(f"{address}/approve", json=seen(case))
        case "batch":
            row = {"verb": "approve", "case_id": case["id"], **seen(case)}
            [result] = ana.post("/api/v1/cases/batch", json={"rows": [row]}).json()["rows"]
            assert (result["status"], result["code"]) == (403, "self_approval")
            return
        case "edited":
            details = {**case["proposal"]["details"], "amount": 5_000}
            answer = ana.post(f"{address}/approve", json=seen(case, details=details))
        case "own token" | _:
            token = ana.post("/api/v1/tokens", json={"name": "ana's script", "user": "ana"}).json()["token"]
            answer = served.client(token).post(f"{address}/approve", json=seen(case))
    assert code(answer) == (403, "self_approval")
    assert ana.get(address).json()["proposal"]["state"] == "pending"


def test_t08_the_maker_of_an_agent_does_not_approve_what_it_asks_for(served: Served) -> None:
    admin = served.person("ann", "admin")
    secret = admin.post("/api/v1/tokens", json={"name": "ann's bot", "role": "agent"}).json()["token"]
    case = served.stage(served.client(secret))
    # She may not vote as an admin at all; as an approver she is still whose agent it is.
    assert code(admin.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case)))[0] == 403
    served.governing.change_person(OWNER, "ann", role="approver")
    answer = admin.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))
    assert code(answer) == (403, "self_approval")


@pytest.mark.parametrize("role", ["agent", "viewer", "auditor"])
def test_a_programs_token_never_votes(served: Served, role: str) -> None:
    case = served.stage(served.program("shop"))
    other = served.program("other", role)
    for verb in ("approve", "reject", "request-changes", "revoke", "retry"):
        body = seen(case) if verb == "approve" else {"version": 1}
        assert code(other.post(f"/api/v1/cases/{case['id']}/{verb}", json=body))[0] in {403, 409}
    assert other.get(f"/api/v1/cases/{case['id']}").json()["decisions"] == []


def test_a_limit_and_an_account_bind_over_http_too(served: Served) -> None:
    agent = served.program("shop")
    poor = served.person("poor", limits=[Money(5_000, "eur")])
    far = served.person("far", accounts=[served.rig.other])
    case = served.stage(agent, 6_000)
    assert code(poor.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))) == (403, "limit")
    assert code(far.get(f"/api/v1/cases/{case['id']}")) == (404, "unknown_case")
    assert code(far.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))) == (404, "unknown_case")
    assert far.get("/api/v1/cases").json()["total"] == 0
    assert far.get("/api/v1/cases", params={"account": served.rig.slug}).json()["items"] == []
    assert [each["id"] for each in far.get("/api/v1/accounts").json()["items"]] == [served.rig.other]
    assert code(far.get(f"/api/v1/accounts/{served.rig.slug}")) == (404, "unknown_account")
    assert far.get("/api/v1/stats").json()["standing"] == 0


@pytest.mark.parametrize("currency", ["eur", "jpy"])
def test_a_refund_without_a_currency_is_in_the_one_that_was_paid_in(
    everywhere: Served, currency: str
) -> None:
    agent, charge = everywhere.program("shop"), everywhere.rig.charge(currency=currency)
    asked = everywhere.refund(charge, details={"charge": charge, "amount": 6_000})
    answer = agent.post("/api/v1/approvals", json=asked).json()
    assert answer["effective_details"] == answer["details"]
    assert (answer["details"]["amount"], answer["details"]["currency"]) == (6_000, currency)
    case = agent.get(f"/api/v1/cases/{answer['case_id']}").json()
    assert (case["amount"], case["currency"]) == (6_000, currency)
    assert f"{Money(6_000, currency)} of {charge}" in case["proposal"]["effect"]
    other = {**asked, "details": {**asked["details"], "currency": "usd"}}
    assert code(agent.post("/api/v1/approvals", json=other)) == (422, "bad_details")


def test_what_is_approved_and_kept_from_being_done_says_why(served: Served) -> None:
    agent, ana, root = served.program("shop"), served.person("ana"), served.person("root", "admin")
    case = served.stage(agent)
    ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))
    address = f"/api/v1/approvals/{case['proposal']['id']}"
    assert agent.get(address).json()["waits_because"] is None
    assert root.post("/api/v1/actions", json={"state": "off"}).status_code == 200
    served.rig.later(seconds=11)
    served.flows.executor.act(served.rig.slug)
    waiting = agent.get(address).json()
    assert waiting["execution"]["status"] == "waiting"
    assert waiting["waits_because"].startswith("root stopped all acting in all accounts on ")
    shown = ana.get(f"/api/v1/cases/{case['id']}").json()
    assert shown["proposal"]["waits_because"] == waiting["waits_because"]
    root.post("/api/v1/actions", json={"state": "on"})
    served.flows.executor.act(served.rig.slug)
    assert agent.get(address).json()["execution"]["status"] == "succeeded"


def test_in_an_account_that_only_proposes_the_daemon_says_that_it_never_acts(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    address = f"sqlite:///{tmp_path / 'reconciled.db'}"
    schema.upgrade(address)
    with open_store(address) as store, Served(sandbox, store, tmp_path / "etc", mode="propose") as served:
        agent, ana = served.program("shop"), served.person("ana")
        case = served.stage(agent)
        assert ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case)).status_code == 200
        told = agent.get(f"/api/v1/approvals/{case['proposal']['id']}").json()
    assert "is in mode “propose”, in which nothing is executed" in told["waits_because"]


def test_an_edit_makes_a_version_that_an_old_approval_does_not_fit(served: Served) -> None:
    agent, ana, ben = served.program("shop"), served.person("ana"), served.person("ben", "analyst")
    case = served.stage(agent)
    details = {**case["proposal"]["details"], "amount": 5_000}
    edit = {"action": "refund", "details": details, "justification": "Half of it.", "version": 1}
    edited = ben.post(f"/api/v1/cases/{case['id']}/proposals", json=edit)
    assert edited.status_code == 201, edited.text
    assert edited.json()["proposal"]["version"] == 2
    assert code(ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))) == (409, "stale_version")
    assert code(ben.post(f"/api/v1/cases/{case['id']}/proposals", json=edit)) == (409, "stale_version")
    approved = ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(edited.json()))
    assert approved.json()["proposal"]["state"] == "approved"


def test_a_world_that_has_moved_is_shown_again(served: Served) -> None:
    agent, ana = served.program("shop"), served.person("ana")
    case = served.stage(agent)
    served.rig.refund_in_dashboard(case["proposal"]["details"]["charge"], 1_000)
    answer = ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))
    assert code(answer) == (409, "stale_state")
    assert ana.get(f"/api/v1/cases/{case['id']}").json()["proposal"]["version"] == 2


def test_every_other_verb_does_what_it_says(served: Served) -> None:
    agent, ana, ben = served.program("shop"), served.person("ana"), served.person("ben")
    case = served.stage(agent)
    address = f"/api/v1/cases/{case['id']}"

    def done(who: httpx.Client, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = who.post(f"{address}/{verb}", json=body)
        assert answer.status_code == 200, (verb, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    assert done(ana, "assign", {"to": "ana"})["assignee"] is not None
    assert done(ana, "assign", {"to": None})["assignee"] is None
    until = "2999-01-01T00:00:00Z"
    assert done(ana, "snooze", {"until": until})["state"] == "snoozed"
    assert done(ana, "snooze", {"until": None})["state"] == "open"
    commented = done(ana, "comment", {"text": "Who asked?"})
    assert "Who asked?" in str(commented["untrusted"])
    assert done(ana, "request-changes", {"version": 1, "note": "Less."})["proposals"][0]["state"] == (
        "changes_requested"
    )
    details = {**case["proposal"]["details"], "amount": 5_000}
    edit = {"action": "refund", "details": details, "version": 1}
    shown = ben.post(f"{address}/proposals", json=edit).json()
    approved = done(ana, "approve", seen(shown))
    revoked = done(ana, "revoke", {"version": approved["proposal"]["version"], "note": "Wait."})
    version = revoked["proposal"]["version"]
    assert revoked["proposal"]["state"] == "pending"
    assert code(ana.post(f"{address}/retry", json={"version": version}))[0] == 409
    assert code(ana.post(f"{address}/release", json={}))[0] in {409, 422}
    assert code(ben.post(f"{address}/withdraw", json={"version": version}))[0] == 403
    withdrawn = done(agent, "withdraw", {"version": version, "note": "Never mind."})
    assert withdrawn["proposal"]["state"] == "withdrawn"
    assert "Never mind." in str(withdrawn["untrusted"])
    other = served.stage(agent)
    address = f"/api/v1/cases/{other['id']}"
    assert done(ben, "reject", {**seen(other), "note": "No."})["proposals"][0]["state"] == "rejected"


def test_of_a_batch_each_row_is_decided_for_itself(everywhere: Served) -> None:
    agent, ana = everywhere.program("shop"), everywhere.person("ana")
    cases = [everywhere.stage(agent) for _ in range(3)]
    rows: list[dict[str, Any]] = [{"verb": "approve", "case_id": each["id"], **seen(each)} for each in cases]
    rows[1]["state_hash"] = "0" * 64
    done = ana.post("/api/v1/cases/batch", json={"rows": rows}).json()["rows"]
    assert [each["status"] for each in done] == [200, 409, 200]
    assert done[1]["code"] == "stale_state"
    assert code(ana.post("/api/v1/cases/batch", json={"rows": rows * 9})) == (422, "bad_request")


def test_whoever_waits_is_answered_when_it_is_decided_and_keeps_nobody_else_waiting(served: Served) -> None:
    agent, ana = served.program("shop"), served.person("ana")
    case = served.stage(agent)
    proposal = case["proposal"]["id"]
    answers: list[httpx.Response] = []
    waiters = [
        threading.Thread(
            target=lambda: answers.append(agent.get(f"/api/v1/approvals/{proposal}", params={"wait": 50}))
        )
        for _ in range(10)
    ]
    for each in waiters:
        each.start()
    assert ana.get("/api/v1/cases").status_code == 200
    ana.post(f"/api/v1/cases/{case['id']}/reject", json={"version": 1, "note": "No."})
    for each in waiters:
        each.join(30)
    assert [each.json()["status"] for each in answers] == ["rejected"] * 10
    at_once = agent.get(f"/api/v1/approvals/{proposal}", params={"wait": 50})
    assert at_once.json()["status"] == "rejected"
    assert code(agent.get(f"/api/v1/approvals/{proposal}", params={"wait": 56})) == (422, "bad_request")
    assert code(agent.get("/api/v1/approvals/prp_nowhere", params={"wait": 50}))[0] == 404


def test_a_daemon_that_ends_answers_whoever_waits(served: Served) -> None:
    agent = served.program("shop")
    proposal = served.stage(agent)["proposal"]["id"]
    answers: list[httpx.Response] = []
    waiter = threading.Thread(
        target=lambda: answers.append(agent.get(f"/api/v1/approvals/{proposal}", params={"wait": 55}))
    )
    waiter.start()
    served.serving.close()
    waiter.join(20)
    assert [each.json()["status"] for each in answers] == ["pending"]
