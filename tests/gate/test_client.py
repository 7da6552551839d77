"""The real client of Cheqpoint, unchanged, against a gate that is served."""

from typing import Any

import pytest
from cheqpoint import CheqpointError, GuardContext, RejectedError

from tests.desk.rig import OUTBOX, POLICY
from tests.gate.shop import Gate

AUTOMATIC = '\n[[auto]]\naction = "refund"\naccount = "{slug}"\neach = "20 EUR"\nday = "50 EUR"\n'
POLLS_EVERY_S = 0.02
ASKED = {"action": "issue_refund", "summary": "Paid twice", "justification": "Ticket 7"}


def details(charge: str, amount: int = 6_000) -> dict[str, Any]:
    """With a field that means nothing to us."""
    return {"charge_id": charge, "amount_cents": amount, "currency": "eur", "ticket": "T-7"}


def test_request_sync_waits_until_a_person_has_decided(gate_everywhere: Gate) -> None:
    gate = gate_everywhere
    ana, charge = gate.served.person("ana"), gate.rig.charge()
    asked = gate.meanwhile(gate.client().request_sync, **ASKED, details=details(charge))
    gate.approve(ana, gate.waiting(), note="Seen both payments.")
    answer = asked.result()
    assert (answer["status"], answer["modifiedDetails"]) == ("approved", None)
    assert answer["decisionNote"] == "Seen both payments."
    assert answer["stripeIdempotencyKey"]
    assert gate.row(answer["approvalId"]).execution == "caller"


def test_request_sync_hears_the_whole_of_what_was_edited_in_its_own_names(gate_everywhere: Gate) -> None:
    gate = gate_everywhere
    ana, charge = gate.served.person("ana"), gate.rig.charge()
    asked = gate.meanwhile(gate.client().request_sync, **ASKED, details=details(charge))
    row = gate.waiting()
    gate.approve(ana, row, details={**row.details, "amount": 4_000})
    answer = asked.result()
    assert answer["status"] == "approved"
    assert answer["modifiedDetails"] == details(charge, 4_000)


def test_request_sync_hears_no(gate: Gate) -> None:
    ana = gate.served.person("ana")
    asked = gate.meanwhile(gate.client().request_sync, **ASKED, details=details(gate.rig.charge()))
    gate.decide(ana, "reject", gate.waiting(), note="One was for another order.")
    answer = asked.result()
    assert (answer["status"], answer["retryable"]) == ("rejected", False)
    assert answer["decisionNote"] == "One was for another order."


def test_request_sync_gives_up_in_time_and_can_be_asked_about_later(gate: Gate) -> None:
    ana, client = gate.served.person("ana"), gate.client()
    answer = client.request_sync(**ASKED, details=details(gate.rig.charge()), timeout_ms=1)
    assert answer["status"] == "pending"
    gate.approve(ana, gate.row(answer["approvalId"]))
    assert client.get_request(answer["approvalId"]).status == "APPROVED"


def test_request_async_is_answered_at_once_and_polls(gate_everywhere: Gate) -> None:
    gate = gate_everywhere
    ana, client, charge = gate.served.person("ana"), gate.client(), gate.rig.charge()
    answer = client.request_async(**ASKED, details=details(charge))
    assert answer["status"] == "pending"
    row = gate.row(answer["approvalId"])
    assert answer["reviewUrl"].endswith(f"/cases/{row.case_id}")
    assert client.get_request(row.id).status == "PENDING"
    gate.decide(ana, "approve", row, details={**row.details, "amount": 4_000}, note="Only the shoes.")
    assert client.get_request(row.id).status == "PENDING", "it can still be taken back"
    assert client.get_request(row.id).modified_details is None
    gate.undone_no_more()
    found = client.get_request(row.id)
    assert (found.status, found.details) == ("APPROVED", details(charge))
    assert found.modified_details == details(charge, 4_000)
    assert (found.response_notes, found.decision_note) == ("Only the shoes.", "Only the shoes.")
    assert found.decided_at
    assert (found.auto_decided, found.auto_decision_rule_name) == (False, None)


def test_request_async_has_its_callback_told(gate: Gate) -> None:
    ana, charge = gate.served.person("ana"), gate.rig.charge()
    hook = "https://api.example.com/decided"
    answer = gate.client().request_async(**ASKED, details=details(charge), callback_url=hook)
    gate.approve(ana, gate.row(answer["approvalId"]))
    (told,) = gate.rig.rows(OUTBOX, topic_id=answer["approvalId"])
    assert (told.receiver, told.body["status"]) == ("api.example.com", "APPROVED")
    assert told.body["approvalId"] == answer["approvalId"]


def test_a_callback_to_a_host_that_nobody_allowed_is_refused(gate: Gate) -> None:
    asked = {**ASKED, "details": details(gate.rig.charge())}
    with pytest.raises(CheqpointError, match="callback_url") as refused:
        gate.client().request_async(**asked, callback_url="https://elsewhere.example.com/decided")
    assert refused.value.status_code == 422


def test_a_checkpoint_passes_when_it_is_approved(gate: Gate) -> None:
    ana, charge = gate.served.person("ana"), gate.rig.charge()
    asked = gate.meanwhile(
        gate.client().checkpoint, **ASKED, details=details(charge), poll_interval=POLLS_EVERY_S
    )
    gate.approve(ana, gate.waiting())
    assert asked.result().effective_details == details(charge)


def test_a_guard_runs_what_was_approved_and_not_what_was_asked_for(gate: Gate) -> None:
    ana, charge = gate.served.person("ana"), gate.rig.charge()

    def run(context: GuardContext) -> int:
        found = context.details
        return gate.refund(found["charge_id"], found["amount_cents"]).status_code

    asked = gate.meanwhile(
        gate.client().guard, "issue_refund", details(charge), run, poll_interval=POLLS_EVERY_S
    )
    row = gate.waiting()
    gate.approve(ana, row, details={**row.details, "amount": 4_000})
    assert asked.result() == 200
    assert gate.refund(charge, 6_001).status_code == 400, "4,000 of 10,000 are refunded already"
    assert gate.refund(charge, 6_000).status_code == 200


def test_a_guard_runs_nothing_that_was_rejected(gate: Gate) -> None:
    ana = gate.served.person("ana")
    ran: list[GuardContext] = []
    asked = gate.meanwhile(
        gate.client().guard,
        "issue_refund",
        details(gate.rig.charge()),
        ran.append,
        poll_interval=POLLS_EVERY_S,
    )
    gate.decide(ana, "reject", gate.waiting(), note="No.")
    with pytest.raises(RejectedError, match=r"No\."):
        asked.result()
    assert not ran


def test_what_the_policy_approves_by_itself_is_said_to_be_that(gate_everywhere: Gate) -> None:
    gate = gate_everywhere
    gate.policy(POLICY + AUTOMATIC.format(slug=gate.rig.slug))
    client = gate.client()
    id = client.request_async(**ASKED, details=details(gate.rig.charge(), 1_500))["approvalId"]
    assert not client.get_request(id).auto_decided, "not before it holds for good"
    gate.undone_no_more()
    found = client.get_request(id)
    assert (found.status, found.auto_decided, found.modified_details) == ("APPROVED", True, None)
    assert found.auto_decision_rule_name == gate.row(id).policy_rule
    assert gate.shown(id)["approvals"] == {"have": 0, "need": 0}
    above = client.request_async(**ASKED, details=details(gate.rig.charge(), 2_001))["approvalId"]
    gate.undone_no_more()
    assert client.get_request(above).status == "PENDING"


def test_what_expired_undecided_may_be_asked_for_again(gate: Gate) -> None:
    client, wanted = gate.client(), details(gate.rig.charge())
    id = client.create_request(action="issue_refund", summary="Paid twice", details=wanted)["id"]
    gate.rig.later(days=7, seconds=1)
    gate.served.flows.executor.act(gate.rig.slug)
    found = client.get_request(id)
    assert (found.status, found.retryable, found.decision_reason_code) == ("REJECTED", True, "expired")
    again = client.create_request(action="issue_refund", summary="Paid twice", details=wanted)["id"]
    assert again != id


def test_an_approval_that_expired_after_it_was_told_is_not_asked_for_again(gate: Gate) -> None:
    """Its caller may have used it: asked again, it could be refunded twice."""
    ana, client = gate.served.person("ana"), gate.client()
    id = client.request_async(**ASKED, details=details(gate.rig.charge()))["approvalId"]
    gate.approve(ana, gate.row(id))
    gate.rig.later(minutes=31)
    gate.served.flows.executor.act(gate.rig.slug)
    found = client.get_request(id)
    assert (found.status, found.retryable, found.decision_reason_code) == ("REJECTED", False, "expired")


def test_what_was_withdrawn_may_be_asked_for_again(gate: Gate) -> None:
    client = gate.client()
    id = client.request_async(**ASKED, details=details(gate.rig.charge()))["approvalId"]
    row = gate.row(id)
    withdrawn = gate.http.post(f"/api/v1/cases/{row.case_id}/withdraw", json={"version": row.version})
    assert withdrawn.status_code == 200, withdrawn.text
    found = client.get_request(id)
    assert (found.status, found.retryable, found.decision_reason_code) == ("REJECTED", True, "withdrawn")
    assert gate.row(id).state == "withdrawn"


def test_an_action_that_nobody_mapped_can_be_decided_and_is_not_verifiable(gate_everywhere: Gate) -> None:
    gate = gate_everywhere
    ana, ben = gate.served.person("ana"), gate.served.person("ben")
    wanted = {"to": "ada@example.com", "discount": 12.5, "steps": [{"share": 0.25}], "vip": True}
    asked = gate.meanwhile(
        gate.client().guard,
        "send_voucher",
        wanted,
        lambda context: context.details,
        poll_interval=POLLS_EVERY_S,
    )
    row = gate.waiting()
    assert "cannot be verified" in row.effect
    assert not row.details, "nobody knows what in it is personal, so all of it is encrypted"
    gate.decide(ana, "approve", row)
    assert gate.row(row.id).state == "pending", "what no line of the policy names takes two"
    gate.approve(ben, row)
    assert asked.result() == wanted
    assert gate.shown(row.id)["execution"]["verification"] == "not verifiable"


def test_a_token_that_is_none_is_refused_in_words(gate: Gate) -> None:
    with pytest.raises(CheqpointError) as refused:
        gate.client("cq_live_wrong").get_request("prop_1")
    assert refused.value.status_code == 401
    assert str(refused.value).endswith(".")
