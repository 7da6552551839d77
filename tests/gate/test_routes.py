"""The gate's three routes over plain HTTP: names of fields, who may ask, the same asked twice, refusals in words."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.money import Money
from accounts.sandbox.server import Sandbox
from daemon.faces.gate.app import HOLD_S_MAX
from daemon.faces.gate.body import BadBody, read
from daemon.store import schema
from daemon.store.db import open_store
from tests.faces.served import Served
from tests.gate.shop import Gate

REQUEST, INBOUND = "/api/approvals/request", "/api/webhooks/inbound"
MAPPED = """\
[gate.actions.give_back]
action = "refund"
fields = { payment_intent = "payment", amount = "cents", currency = "in" }
[gate.actions.issue_refund]
action = "refund"
fields = { charge = "ch", amount = "amount", currency = "currency" }
"""

Opening = Callable[..., Gate]


@pytest.fixture
def opened(sandbox: Sandbox, tmp_path: Path) -> Iterator[Opening]:
    """A gate whose configuration says something of its own."""
    with ExitStack() as stack:

        def opening(**more: Any) -> Gate:
            address = f"sqlite:///{tmp_path / 'reconciled.db'}"
            schema.upgrade(address)
            store = stack.enter_context(open_store(address))
            return stack.enter_context(
                Gate(stack.enter_context(Served(sandbox, store, tmp_path / "etc", **more)))
            )

        yield opening


def refused(answer: httpx.Response) -> tuple[int, str]:
    """In the form that its clients read: a sentence, and our word for it."""
    found = answer.json()
    assert set(found) == {"error", "code"}
    assert found["error"].endswith(".")
    return answer.status_code, found["code"]


def test_a_request_is_a_case_when_it_is_answered(gate_everywhere: Gate) -> None:
    gate = gate_everywhere
    body = gate.body(gate.rig.charge(), reason="requested_by_customer") | {
        "riskScore": 0.7,
        "trace": {"steps": []},
    }
    answer = gate.http.post(REQUEST, json=body)
    assert answer.status_code == 201
    asked = answer.json()
    assert (asked["status"], asked["modifiedDetails"], asked["details"]) == ("PENDING", None, body["details"])
    row = gate.row(asked["id"])
    case = gate.served.person("ana").get(f"/api/v1/cases/{row.case_id}").json()
    assert (case["kind"], case["state"], case["account"]) == ("approval_request", "open", gate.rig.slug)
    assert (row.action, row.execution, row.amount, row.currency) == ("refund", "caller", 6_000, "eur")
    assert row.details["reason"] == "requested_by_customer"


def test_the_status_is_spelled_as_each_route_spells_it(gate: Gate) -> None:
    ana, body = gate.served.person("ana"), gate.body(gate.rig.charge())
    inbound = gate.http.post(INBOUND, json=body)
    assert (inbound.status_code, inbound.json()["status"]) == (200, "pending")
    id = inbound.json()["approvalId"]
    assert gate.shown(id)["status"] == "PENDING"
    gate.decide(ana, "reject", gate.row(id), note="No.")
    found = gate.shown(id)
    assert (found["status"], found["retryable"], found["decisionReasonCode"]) == (
        "REJECTED",
        False,
        "rejected",
    )


def test_a_bearer_comes_in_as_a_connection_key_does(gate: Gate) -> None:
    bearer = gate.served.client(gate.token)
    assert bearer.post(REQUEST, json=gate.body(gate.rig.charge())).status_code == 201


def test_a_key_in_the_body_is_kept_nowhere_and_lets_nobody_in(
    gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ana, body = gate.served.person("ana"), gate.body(gate.rig.charge()) | {"apiKey": "cq_live_marker"}
    assert refused(gate.served.client().post(REQUEST, json={**body, "apiKey": gate.token})) == (
        401,
        "token_missing",
    )
    id = gate.http.post(REQUEST, json=body).json()["id"]
    case = ana.get(f"/api/v1/cases/{gate.row(id).case_id}").text
    files = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]
    assert files
    assert not [
        each for each in (*files, case.encode(), capsys.readouterr().out.encode()) if b"cq_live_m" in each
    ]


def test_a_token_for_several_accounts_is_for_none_here(gate: Gate) -> None:
    body = gate.body(gate.rig.charge())
    for number, accounts in enumerate([(), (gate.rig.slug, gate.rig.other)]):
        many = gate.served.client(gate.token_for(f"many-{number}", *accounts))
        answer = many.post(REQUEST, json=body)
        assert refused(answer) == (403, "role")
        assert "exactly one account" in answer.json()["error"]


def test_a_token_of_another_account_sees_nothing_of_it(gate: Gate) -> None:
    id = gate.ask(gate.rig.charge())["id"]
    stranger = gate.served.client(gate.token_for("stranger", gate.rig.other))
    assert refused(stranger.get(f"/api/approvals/{id}")) == (404, "unknown_case")


def test_the_same_asked_again_is_the_same_request(gate_everywhere: Gate) -> None:
    gate = gate_everywhere
    charge = gate.rig.charge()
    first, again = gate.ask(charge), gate.ask(charge)
    assert (first["deduplicated"], again["deduplicated"]) == (False, True)
    assert first["id"] == again["id"]
    by_the_other_route = gate.http.post(INBOUND, json=gate.body(charge)).json()
    assert (by_the_other_route["approvalId"], by_the_other_route["deduplicated"]) == (first["id"], True)
    assert gate.ask(charge, 5_000)["id"] != first["id"]
    gate.rig.later(minutes=11)
    assert gate.ask(charge)["id"] != first["id"]


def test_a_key_of_the_callers_own_says_what_is_the_same(gate: Gate) -> None:
    key, body = {"idempotency-key": "ticket-7"}, gate.body(gate.rig.charge())
    first = gate.http.post(REQUEST, json=body, headers=key)
    gate.rig.later(hours=2)
    again = gate.http.post(REQUEST, json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = gate.http.post(REQUEST, json=gate.body(gate.rig.charge()), headers=key)
    assert refused(other) == (422, "idempotency_key_reused")


def test_configured_names_are_heard_and_answered(opened: Opening) -> None:
    gate = opened(more=MAPPED)
    ana, charge = gate.served.person("ana"), gate.rig.charge()
    wanted = {"payment": charge.replace("ch_", "pi_"), "cents": 6_000, "in": "EUR"}
    id = gate.http.post(REQUEST, json={"action": "give_back", "details": wanted}).json()["id"]
    row = gate.row(id)
    assert (row.action, row.target_id, row.details["currency"]) == ("refund", charge, "eur")
    gate.approve(ana, row, details={**row.details, "amount": 1})
    assert gate.shown(id)["details"] == wanted
    assert gate.shown(id)["modifiedDetails"] == {**wanted, "cents": 1, "in": "eur"}
    configured = {"ch": gate.rig.charge(), "amount": 2_000, "currency": "eur"}
    body = {"action": "issue_refund", "details": configured}
    assert gate.row(gate.http.post(REQUEST, json=body).json()["id"]).amount == 2_000, (
        "it wins over what is built in"
    )


@pytest.mark.parametrize("currency", ["eur", "jpy"])
def test_a_refund_without_a_currency_is_in_the_one_that_was_paid_in(
    gate_everywhere: Gate, currency: str
) -> None:
    """As the client's own sample sends it. What is shown, limited and answered names it."""
    gate = gate_everywhere
    ana = gate.served.person("ana")
    details = {"charge_id": gate.rig.charge(currency=currency), "amount_cents": 6_000}
    asked = gate.http.post(REQUEST, json={"action": "issue_refund", "details": details})
    assert (asked.status_code, asked.json()["details"]) == (201, details)
    row = gate.row(asked.json()["id"])
    assert (row.amount, row.currency, row.details["currency"]) == (6_000, currency, currency)
    assert row.effect.startswith(f"Refund {Money(6_000, currency)} of ")
    gate.decide(ana, "approve", row, details={**row.details, "amount": 4_000})
    gate.undone_no_more()
    told = gate.shown(row.id)
    assert told["modifiedDetails"] == {**details, "amount_cents": 4_000, "currency": currency}


def test_our_own_names_need_no_mapping(gate: Gate) -> None:
    wanted = {"charge": gate.rig.charge(), "amount": 6_000, "currency": "eur"}
    id = gate.http.post(REQUEST, json={"action": "refund", "details": wanted}).json()["id"]
    assert gate.row(id).amount == 6_000
    assert gate.shown(id)["execution"]["verification"] == "by reconciliation"


def test_a_reason_in_a_sentence_is_a_justification(gate: Gate) -> None:
    ana = gate.served.person("ana")
    row = gate.row(gate.ask(gate.rig.charge(), reason="The parcel came twice.")["id"])
    assert row.details["reason"] is None
    said = ana.get(f"/api/v1/cases/{row.case_id}").json()["untrusted"]["justifications"]
    assert [each["text"] for each in said] == ["The parcel came twice."]


def test_an_account_that_only_observes_stages_nothing(opened: Opening) -> None:
    gate = opened(mode="observe")
    for route in (REQUEST, INBOUND):
        assert refused(gate.http.post(route, json=gate.body(gate.rig.charge()))) == (409, "mode")


def test_what_a_program_executes_itself_is_not_turned_into_what_we_execute(gate: Gate) -> None:
    """Its program hears “approved” and executes; so it would be done twice."""
    ana = gate.served.person("ana")
    row = gate.row(gate.ask(gate.rig.charge())["id"])
    address = f"/api/v1/cases/{row.case_id}/proposals"
    edit = {"action": "refund", "details": {**row.details, "amount": 1}, "version": row.version}
    answer = ana.post(address, json={**edit, "execution": "daemon"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_details")
    assert gate.row(row.id).version == row.version
    assert ana.post(address, json=edit).status_code in {200, 201}
    assert (gate.row(row.id).amount, gate.row(row.id).execution) == (1, "caller"), "it stays as it was"


def test_nobody_is_handed_the_key_to_what_we_execute(gate: Gate) -> None:
    ana = gate.served.person("ana")
    asked = gate.http.post("/api/v1/approvals", json=gate.served.refund(gate.rig.charge())).json()
    gate.approve(ana, gate.row(asked["id"]))
    found = gate.shown(asked["id"])
    assert (found["execution"]["mode"], found["stripeIdempotencyKey"]) == ("daemon", None)


def test_an_edit_leaves_what_is_theirs_alone_as_they_spelled_it(gate: Gate) -> None:
    ana = gate.served.person("ana")
    theirs: dict[str, Any] = {"confidence": 0.25, "lines": [{"weight": 12.5}], "gift": None}
    asked = gate.ask(gate.rig.charge(), **theirs)
    row = gate.row(asked["id"])
    gate.approve(ana, row, details={**row.details, "amount": 4_000})
    assert gate.shown(row.id)["modifiedDetails"] == {**asked["details"], "amount_cents": 4_000}
    assert asked["details"].items() >= theirs.items()


VOUCHER = {
    "to": "ada@example.com",
    "value": 12.5,
    "lines": [{"weight": 0.5, "count": 2}],
    "note": "sorry",
    "cc": None,
}


def test_an_action_that_nobody_mapped_can_be_edited_and_its_caller_hears_the_whole(
    gate_everywhere: Gate,
) -> None:
    gate = gate_everywhere
    ana, ben, cem = (gate.served.person(name) for name in ("ana", "ben", "cem"))
    asked = gate.http.post(REQUEST, json={"action": "send_voucher", "details": VOUCHER}).json()
    row = gate.row(asked["id"])
    details = ana.get(f"/api/v1/cases/{row.case_id}").json()["proposal"]["details"]
    assert details == {**VOUCHER, "value": "12.5", "lines": [{"weight": "0.5", "count": 2}]}
    less = {**details, "lines": [{"weight": "0.5", "count": 1}], "to": "ada@example.org"}
    del less["note"]
    address = f"/api/v1/cases/{row.case_id}/proposals"
    edit = {"action": "send_voucher", "details": less, "version": row.version}
    assert ana.post(address, json=edit).status_code in {200, 201}
    edited = gate.row(row.id)
    assert (edited.version, edited.details, edited.target_id) == (2, {}, row.target_id)
    refusal = ana.post(
        f"/api/v1/cases/{row.case_id}/approve", json={"version": 2, "state_hash": edited.state_hash}
    )
    assert (refusal.status_code, refusal.json()["code"]) == (403, "self_approval")
    gate.decide(ben, "approve", edited)
    gate.approve(cem, edited)
    told = gate.shown(row.id)
    assert (told["status"], told["details"]) == ("APPROVED", VOUCHER)
    assert told["modifiedDetails"] == {
        "to": "ada@example.org", "value": 12.5, "lines": [{"weight": 0.5, "count": 1}], "cc": None,
    }  # fmt: skip
    assert told["execution"]["verification"] == "not verifiable"


def test_whoever_edits_what_nobody_mapped_does_not_approve_it_in_the_same_step(gate: Gate) -> None:
    """Less of what, nobody can tell: so it takes two others."""
    ana = gate.served.person("ana")
    asked = gate.http.post(REQUEST, json={"action": "send_voucher", "details": {"value": 10}}).json()
    row = gate.row(asked["id"])
    body = {"version": 1, "state_hash": row.state_hash, "details": {"value": 5}}
    answer = ana.post(f"/api/v1/cases/{row.case_id}/approve", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "self_approval")
    assert gate.row(row.id).version == 1, "nothing of it was written"


def test_what_a_program_does_itself_is_not_edited_into_something_else(gate: Gate) -> None:
    """It hears “approved” and does what it asked for, so nothing else may be what was approved."""
    ana = gate.served.person("ana")
    wanted = {"invoice": "in_1"}
    for action, details, other in (
        ("send_voucher", {"value": 10}, "refund"),
        ("issue_refund", gate.body(gate.rig.charge())["details"], "send_voucher"),
    ):
        asked = gate.http.post(REQUEST, json={"action": action, "details": details}).json()
        row = gate.row(asked["id"])
        edit = {"action": other, "details": wanted, "version": row.version}
        answer = ana.post(f"/api/v1/cases/{row.case_id}/proposals", json=edit)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_details")
        assert "can only be for" in answer.json()["detail"]
        assert gate.row(row.id).version == row.version


@pytest.mark.parametrize("body", [
    b"{", b"[]", b"{}", b'{"action": "issue_refund"}', b'{"action": 1, "details": {}}',
    b'{"action": "a", "details": []}', b'{"action": "a", "details": {"b": "\\u0000"}}',
    b'{"action": "a", "details": ' + b'{"b":' * 50 + b"1" + b"}" * 51, b"\xff",
])  # fmt: skip
def test_a_body_that_is_none_is_refused_in_words(gate: Gate, body: bytes) -> None:
    for route in (REQUEST, INBOUND):
        answer = gate.http.post(route, content=body, headers={"content-type": "application/json"})
        assert refused(answer) == (422, "bad_body")


@pytest.mark.parametrize("wrong", [
    {"amount_cents": 0}, {"amount_cents": 60.5}, {"amount_cents": "60"}, {"amount_cents": 10_001},
    {"charge_id": "ch_none"}, {"currency": "usd"}, {"amount_cents": None},
])  # fmt: skip
def test_details_that_cannot_be_done_are_refused_in_words(gate: Gate, wrong: dict[str, Any]) -> None:
    body = gate.body(gate.rig.charge())
    answer = gate.http.post(REQUEST, json={**body, "details": {**body["details"], **wrong}})
    assert refused(answer) == (422, "bad_details")


def test_what_is_not_there_is_said_not_to_be(gate: Gate) -> None:
    assert refused(gate.http.get("/api/approvals/prop_none")) == (404, "unknown_case")
    assert refused(gate.http.get("/api/approvals/a/b")) == (404, "unknown_path")
    assert refused(gate.http.get(REQUEST))[0] in {404, 405}
    assert refused(gate.http.post("/api/approvals/prop_1", json={})) == (405, "method_not_allowed")


def test_nobody_is_held_longer_than_ten_seconds() -> None:
    waits = [
        read(b'{"action": "a", "details": {}, "maxWaitMs": %s}' % ms).wait_s(HOLD_S_MAX)
        for ms in (b"0", b"-5", b"null", b"2500", b"30000", b"1e300")
    ]
    assert waits == [0.0, 0.0, 0.0, 2.5, 10.0, 10.0]
    with pytest.raises(BadBody):
        read(b'{"action": "a", "details": {}, "maxWaitMs": "soon"}')
