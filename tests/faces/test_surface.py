"""Every route that the surface promises is there, described, and refuses whoever shows nothing."""

import re
from datetime import datetime
from typing import Any

from sqlalchemy import select

from accounts.facts import Record, Subject
from daemon.core.approval.principal import OWNER
from daemon.store import journal, passes, records
from daemon.store.worklist import WORK
from tests.faces.served import Served, code, seen

SURFACE = (
    "GET /api/v1/cases", "GET /api/v1/cases/{id}", "POST /api/v1/cases/{id}/proposals",
    "POST /api/v1/cases/{id}/approve", "POST /api/v1/cases/{id}/reject", "POST /api/v1/cases/{id}/request-changes",
    "POST /api/v1/cases/{id}/withdraw", "POST /api/v1/cases/{id}/revoke", "POST /api/v1/cases/{id}/release",
    "POST /api/v1/cases/{id}/dismiss", "POST /api/v1/cases/{id}/assign", "POST /api/v1/cases/{id}/snooze",
    "POST /api/v1/cases/{id}/comment", "POST /api/v1/cases/{id}/retry", "POST /api/v1/cases/batch",
    "POST /api/v1/approvals", "GET /api/v1/approvals/{id}", "POST /api/v1/records/{source}",
    "GET /api/v1/accounts", "GET /api/v1/accounts/{id}", "GET /api/v1/journal", "GET /api/v1/journal/head",
    "GET /api/v1/stats", "POST /api/v1/login",
)  # fmt: skip


def described(served: Served) -> dict[str, dict[str, dict[str, Any]]]:
    found = served.client().get("/openapi.json")
    assert found.status_code == 200
    paths: dict[str, dict[str, dict[str, Any]]] = found.json()["paths"]
    return paths


def test_every_promised_route_is_there_and_described(served: Served) -> None:
    paths = described(served)
    missing = [line for line in SURFACE if line.split()[0].lower() not in paths.get(line.split()[1], {})]
    assert not missing
    silent = [
        path for path, methods in paths.items() for each in methods.values() if not each.get("description")
    ]
    assert not silent
    assert {tuple(each["responses"]) for methods in paths.values() for each in methods.values()} <= {
        ("200", "default"), ("201", "default"), ("202", "default"),
    }  # fmt: skip
    assert paths["/api/v1/login"]["post"]["security"] == []
    assert paths["/api/v1/cases"]["get"]["security"] == [{"bearer": []}, {"key": []}]


def test_every_route_but_signing_in_wants_a_token(served: Served) -> None:
    stranger = served.client()
    for path, methods in described(served).items():
        for method in methods:
            asked = stranger.request(
                method, re.sub(r"\{\w+\}", "x", path), json={} if method == "post" else None
            )
            if (method, path) == ("post", "/api/v1/login"):
                assert code(asked) == (422, "bad_request")
            elif asked.status_code != 429:
                assert code(asked) == (401, "token_missing"), (method, path)


def test_a_case_says_when_each_system_was_read(served: Served) -> None:
    case = served.stage(served.program("shop"))
    facts = case["facts"]

    assert list(facts) == ["stripe", "crm", "entitlement"]
    assert datetime.fromisoformat(facts["stripe"]["read_at"]) <= served.rig.now()
    assert facts["crm"] == {"read_at": None}  # this account has no CRM


def test_the_queue_is_read_page_by_page(served: Served) -> None:
    agent, ana = served.program("shop"), served.person("ana", "viewer")
    for amount in (1_000, 3_000, 2_000):
        served.stage(agent, amount)
    whole = ana.get("/api/v1/cases", params={"sort": "amount"}).json()
    assert (whole["total"], whole["next"], len(whole["items"])) == (3, None, 3)
    promised = (
        "id account stripe_account kind subject ids title severity state substate opened_at due_at amount"
    )
    assert {*promised.split(), "currency"} <= set(whole["items"][0])
    first = ana.get("/api/v1/cases", params={"sort": "amount", "limit": 2}).json()
    rest = ana.get("/api/v1/cases", params={"sort": "amount", "limit": 2, "cursor": first["next"]}).json()
    assert [*first["items"], *rest["items"]] == whole["items"]
    assert code(ana.get("/api/v1/cases", params={"cursor": "nonsense"})) == (422, "bad_cursor")
    assert code(ana.get("/api/v1/cases", params={"limit": 501})) == (422, "bad_request")
    large = ana.get("/api/v1/cases", params={"amount_min": 2_500}).json()
    assert [each["amount"] for each in large["items"]] == [3_000]
    about = whole["items"][0]["ids"][0]
    assert whole["items"][0] in ana.get("/api/v1/cases", params={"q": about}).json()["items"]
    assert ana.get("/api/v1/cases", params={"kind": "dispute_deadline"}).json()["items"] == []
    assert ana.get("/api/v1/cases", params={"state": "resolved"}).json()["items"] == []
    assert ana.get("/api/v1/cases", params={"due_before": "2020-01-01"}).json()["total"] == 0
    for typo in (
        {"kind": "disputes"},
        {"state": "opened"},
        {"severity": "urgent"},
        {"acount": "x"},
        {"sort": "x"},
    ):
        assert code(ana.get("/api/v1/cases", params=typo)) == (422, "bad_request")
    taker = served.person("ben")
    taker.post(f"/api/v1/cases/{whole['items'][0]['id']}/assign", json={"to": "ben"})
    for whose, by in (("ben", ana), ("me", taker)):
        mine = by.get("/api/v1/cases", params={"assignee": whose}).json()
        assert [each["id"] for each in mine["items"]] == [whole["items"][0]["id"]]
        assert [each["assignee_name"] for each in mine["items"]] == ["ben"]
    assert ana.get("/api/v1/cases", params={"assignee": "me"}).json()["items"] == []
    served.rig.later(minutes=15)
    assert taker.get("/api/v1/cases", params={"assignee": "me"}).json()["items"] == [], "a lease has an end"


def test_an_accounts_health_says_what_is_wrong_with_it(served: Served) -> None:
    ana, slug = served.person("ana", "viewer"), served.rig.slug
    now = served.rig.now()
    with served.store.transaction() as session:
        lacking = passes.Reading(slug, passes.STRIPE, "disputes")
        passes.fail(session, lacking, "permission", "The key may not read disputes.", now)
    found = ana.get(f"/api/v1/accounts/{slug}").json()
    assert (found["id"], found["livemode"], found["mode"], found["health"]) == (slug, True, "act", "degraded")
    assert found["missing_permissions"] == {"disputes": ["rak_dispute_read"]}
    assert found["read_budget"]["allowed"] >= 10_000
    assert found["executes"] is True
    assert "charges" in found["never_read"]
    admin = served.person("ann", "admin")
    stopped = admin.post("/api/v1/actions", json={"state": "off", "account": slug}).json()
    assert stopped["stopped"] is False
    assert stopped["accounts"][slug].startswith("ann stopped all acting in")
    found = ana.get(f"/api/v1/accounts/{slug}").json()
    assert (found["executes"], found["stopped"]) == (False, stopped["accounts"][slug])
    assert code(ana.post("/api/v1/actions", json={"state": "on", "account": slug})) == (403, "role")
    assert code(ana.get("/api/v1/accounts/nowhere")) == (404, "unknown_account")


def test_totals_are_per_currency_and_per_account(served: Served) -> None:
    agent, ana = served.program("shop"), served.person("ana", "viewer")
    for amount in (1_000, 2_000):
        served.stage(agent, amount)
    found = ana.get("/api/v1/stats").json()
    assert (found["standing"], found["amounts"]) == (2, {"eur": 3_000})
    assert found["by_kind"] == {"approval_request": 2}
    assert found["accounts"][served.rig.slug]["standing"] == 2
    assert found["accounts"][served.rig.other]["standing"] == 0


def test_the_journal_is_read_by_auditors_and_admins_alone(served: Served) -> None:
    agent, ana = served.program("shop"), served.person("ana")
    auditor, admin = served.program("audit", "auditor"), served.person("ann", "admin")
    narrow = served.program("narrow", "auditor", [served.rig.other])
    case = served.stage(agent)
    ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case))
    for who in (agent, ana, served.program("view", "viewer")):
        assert code(who.get("/api/v1/journal")) == (403, "role")
        assert code(who.get("/api/v1/journal/head")) == (403, "role")
    found = auditor.get("/api/v1/journal", params={"limit": 2}).json()
    assert len(found["items"]) == 2
    assert found["items"][0]["seq"] > found["items"][1]["seq"]
    pages = [found]
    while pages[-1]["next"] is not None:
        pages.append(admin.get("/api/v1/journal", params={"limit": 2, "cursor": pages[-1]["next"]}).json())
    everything = [each["seq"] for page in pages for each in page["items"]]
    head = auditor.get("/api/v1/journal/head").json()
    assert everything == list(range(head["seq"], 0, -1))
    assert found["items"][0]["hash"] == head["hash"]
    assert narrow.get("/api/v1/journal").json()["items"] == []
    assert narrow.get("/api/v1/journal", params={"account": served.rig.slug}).json()["items"] == []
    mine = auditor.get("/api/v1/journal", params={"account": served.rig.slug, "kind": "case_opened"}).json()
    assert {each["account"] for each in mine["items"]} == {served.rig.slug}
    for cursor in ("x", "-1", "9" * 20, "\u0663"):
        assert auditor.get("/api/v1/journal", params={"cursor": cursor}).status_code in {200, 422}


def test_a_pushed_row_is_looked_at_again(served: Served) -> None:
    crm, other = served.program("crm", "agent"), served.program("elsewhere", "viewer")
    name = next(iter(served.rig.settings.crm))
    row = Record(key="r1", stripe_account=None, stripe_customer="cus_1")
    with served.store.transaction() as session:
        records.write_records(session, name, [row], seen=1, observed_at=served.rig.now())
    assert crm.post(f"/api/v1/records/{name}", json={"key": "unheard of"}).json() == {"marked": 0}
    answer = crm.post(f"/api/v1/records/{name}", json={"key": "r1"})
    assert answer.status_code == 202
    with served.store.reading() as session:
        marked = {Subject(row.account, row.kind, row.id) for row in session.execute(select(WORK))}
    users = [each.id for each in served.rig.settings.accounts if each.crm == name]
    assert {Subject(each, "customer", "cus_1") for each in users} <= marked
    assert ("look", users[0]) in served.rig.wakes.heard
    assert code(other.post("/api/v1/records/nowhere", json={"key": "r1"})) == (404, "unknown_source")


def test_signing_in_and_tokens_over_http(served: Served) -> None:
    invited = served.governing.add_person(OWNER, "ana", "approver")
    made = served.client().post("/api/v1/login", json={"code": invited.code}).json()
    assert (made["user"], made["role"]) == ("ana", "approver")
    ana = served.client(made["token"])
    me = ana.get("/api/v1/me").json()
    assert (me["id"], me["name"], me["user"]) == (invited.person.id, "ana", True)
    again = served.client().post("/api/v1/login", json={"code": invited.code})
    assert code(again) == (404, "unknown_link")
    own = ana.post("/api/v1/tokens", json={"name": "script", "user": "ana", "accounts": [served.rig.slug]})
    assert own.status_code == 201
    assert served.client(own.json()["token"]).get("/api/v1/me").json()["accounts"] == [served.rig.slug]
    assert code(ana.post("/api/v1/tokens", json={"name": "bot", "role": "agent"})) == (403, "role")
    listed = ana.get("/api/v1/tokens").json()["items"]
    assert sorted(each["name"] for each in listed) == sorted([made["name"], "script"])
    assert "rcl_" not in str(listed)
    assert ana.post("/api/v1/tokens/revoke", json={"name": "script"}).status_code == 200
    assert code(served.client(own.json()["token"]).get("/api/v1/me")) == (401, "token_revoked")
    served.governing.disable_person(OWNER, "ana")
    assert code(ana.get("/api/v1/me")) == (401, "person_disabled")


def test_a_policy_and_a_person_wait_for_the_second_admin_over_http(served: Served) -> None:
    ann, ben = served.person("ann", "admin"), served.person("ben", "admin")
    carl = served.governing.add_person(OWNER, "carl", "viewer")
    [waiting] = ben.get("/api/v1/changes").json()["items"]
    assert (waiting["id"], waiting["kind"], waiting["name"]) == (carl.change, "person", "carl")
    assert "invitation" not in str(waiting)
    text = '[grace]\npast_due = "9d"\n'
    proposed = ann.post("/api/v1/policies/default/activate", json={"text": text}).json()
    assert proposed["change"] is not None
    assert "grace.past_due" in str(proposed["differences"])
    address = f"/api/v1/policies/versions/{proposed['version']}/confirm"
    assert code(ann.post(address, json={})) == (403, "self_approval")
    assert ben.post(address, json={}).json()["version"] == proposed["version"]
    assert code(ben.post("/api/v1/policies/default/activate", json={"text": "["})) == (422, "bad_policy")
    assert ben.post(f"/api/v1/changes/{carl.change}/withdraw", json={}).json()["state"] == "withdrawn"
    assert code(ann.post(f"/api/v1/changes/{carl.change}/confirm", json={})) == (409, "already_decided")
    assert code(ann.post("/api/v1/changes/chg_nowhere/confirm", json={})) == (404, "unknown_change")
    with served.store.reading() as session:
        kinds = [entry.kind for entry in journal.entries(session)]
    assert {"policy_activated", "change_proposed", "change_withdrawn"} <= set(kinds)


def test_a_pushed_row_is_read_by_its_key_and_kept(served: Served) -> None:
    crm = served.program("crm", "agent")
    name = next(iter(served.rig.settings.crm))
    theirs = {
        "key": "crm_77", "stripe_account": served.rig.settings.accounts[0].stripe_account, "stripe_customer": "cus_1",
        "name": "Ada", "owner": None, "segment": None, "status": "active", "plan": "pro", "mrr": "10.00",
        "currency": "eur", "renewal": None, "updated": None, "email": None,
    }  # fmt: skip
    served.rig.sandbox.on_loop(lambda: served.rig.sandbox.world.crm.append(theirs))
    assert crm.post(f"/api/v1/records/{name}", json={"key": "crm_77"}).json() == {"marked": 0}
    assert ("pushed", f"crm:{name}") in served.rig.wakes.heard
    with served.store.reading() as session:
        assert served.flows.pushed.due(session)[0] == f"crm:{name}"
    served.flows.pushed.read(f"crm:{name}")
    with served.store.reading() as session:
        [kept] = [each for each in records.records_of(session, ["cus_1"]) if each.key == "crm_77"]
        marked = {Subject(row.account, row.kind, row.id) for row in session.execute(select(WORK))}
        assert f"crm:{name}" not in served.flows.pushed.due(session)
    assert kept.plan == "pro"
    assert Subject(served.rig.settings.accounts[0].id, "customer", "cus_1") in marked
