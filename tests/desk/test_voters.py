"""Who may vote on what: never on their own, and only with the rights that they have at this moment."""

from datetime import timedelta
from typing import Any

import pytest

from daemon.core.approval.principal import OWNER, Principal, Role
from tests.desk.asking import THREE, TWO, holds, refusal_of
from tests.desk.rig import DECISIONS, PROPOSALS, Rig


@pytest.mark.parametrize("role", ["approver", "disputes", "admin", "analyst"])
def test_nobody_approves_what_they_asked_for_on_any_path(rig: Rig, role: Role) -> None:
    """Trap T08, trap E7: requester, agent's owner, editor: refused on every path, admins too."""
    rig.policy(
        '[[approve]]\naction = "refund"\napprovers = 1\nroles = ["approver", "disputes", "admin", "analyst"]\n'
    )
    ana, ben = rig.person("ana", role), rig.person("ben")
    rig.person("cem")
    own = rig.stage(ana, rig.charge())
    by_agent = rig.stage(rig.agent("bot", made_by=ana), rig.charge())
    edited = rig.stage(rig.agent("foreign"), rig.charge(), 5_000)
    details = {**rig.row(edited).details, "amount": 6_000}
    up = rig.desk.propose(ana, edited.case_id, "refund", details, version=edited.version)
    for each in (own, by_agent, up):
        assert each.version is not None
        assert refusal_of(rig.approve, ana, each).code == "self_approval"
        row = {"verb": "approve", "case_id": each.case_id, "version": each.version}
        (result,) = rig.desk.batch(ana, [{**row, "state_hash": rig.row(each).state_hash}])
        assert (result["status"], result["code"]) == (403, "self_approval")
        assert refusal_of(rig.desk.reject, ana, each.case_id, each.version).code == "self_approval"
        assert rig.state(each) == "pending"
        assert rig.approve(ben, each).state == "approved"
    outbid = rig.stage(rig.agent("foreign"), rig.charge(), 5_000)
    details = {**rig.row(outbid).details, "amount": 5_001}
    assert refusal_of(rig.approve, ana, outbid, details=details).code == "self_approval"
    assert [row.state for row in rig.rows(PROPOSALS, id=outbid.proposal_id)] == ["pending"]


def test_a_lone_reviewer_may_give_less_and_never_more(rig: Rig) -> None:
    ana = rig.person("ana")
    staged = rig.stage(rig.agent("bot"), rig.charge(), 6_000)
    details = {**rig.row(staged).details, "amount": 4_000}
    done = rig.approve(ana, staged, details=details)
    assert (done.version, done.state) == (2, "approved")
    row = rig.row(done)
    assert (row.amount, row.makers, rig.state(staged)) == (4_000, [], "superseded")
    assert "40.00" in row.effect
    again = rig.desk.approve(ana, staged.case_id, 1, rig.row(staged).state_hash, details=details)
    assert (again.changed, again.version) == (False, 2)
    told = rig.desk.approval(ana, staged.proposal_id)
    assert told["details"]["amount"] == 6_000  # type: ignore[index, call-overload]
    assert told["effective_details"]["amount"] == 4_000  # type: ignore[index, call-overload]
    assert told["diff"] == [{"op": "replace", "path": "/amount", "value": 4_000}]

    other = {**details, "reason": "fraudulent", "amount": 3_000}
    second = rig.stage(rig.agent("bot"), rig.charge(), 6_000)
    other["charge"] = rig.row(second).details["charge"]
    assert refusal_of(rig.approve, ana, second, details=other).code == "self_approval"


def test_a_stricter_policy_holds_for_what_is_pending_and_a_milder_one_does_not(rig: Rig) -> None:
    """Trap T10: the policy is tightened between two votes: the stricter need applies."""
    rig.policy(TWO)
    ana, ben, cem = (rig.person(name) for name in ("ana", "ben", "cem"))
    staged = rig.stage(rig.agent("bot"), rig.charge())
    rig.approve(ana, staged)
    rig.policy(THREE)
    assert rig.approve(ben, staged).state == "pending"
    rig.policy('[[approve]]\naction = "refund"\napprovers = 1\n')
    assert rig.shown(staged)["proposal"]["need"] == 2
    assert rig.approve(cem, staged).state == "approved"
    milder = rig.stage(rig.agent("bot"), rig.charge())
    assert rig.approve(ana, milder).state == "approved"


def test_roles_that_the_old_policy_did_not_let_vote_do_not_vote_on_what_is_pending(rig: Rig) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge())
    rig.policy('[[approve]]\naction = "refund"\napprovers = 1\nroles = ["approver", "admin"]\n')
    assert refusal_of(rig.approve, rig.person("ada", "admin"), staged).code == "role"
    assert rig.approve(rig.person("ana"), staged).state == "approved"


def test_who_lost_the_right_to_vote_no_longer_counts(rig: Rig) -> None:
    """Trap T09: a role is removed or a user disabled between vote and claim: the approval no longer holds."""
    rig.policy(TWO)
    ana, ben, cem = (rig.person(name) for name in ("ana", "ben", "cem"))
    staged = rig.stage(rig.agent("bot"), rig.charge())
    for who in (ana, ben):
        rig.approve(who, staged)
    row = rig.row(staged)
    assert holds(rig, row) is None
    for lost in (
        {"disabled_at": rig.now()},
        {"disabled_at": None, "role": "viewer"},
        {"accounts": [rig.other]},
    ):
        rig.change_person(ben, **lost)
        assert "1 of 2 approvals" in str(holds(rig, row))
    rig.change_person(ben, role="approver", accounts=None)
    assert holds(rig, row) is None
    rig.policy(THREE)
    assert "2 of 3 approvals" in str(holds(rig, row))
    del cem


@pytest.mark.parametrize("role", ["viewer", "auditor", "analyst", "disputes", "admin"])
def test_only_the_roles_of_the_matrix_vote_and_admins_are_not_among_them_by_themselves(
    rig: Rig, role: Role
) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge())
    who = rig.person("zoe", role)
    assert refusal_of(rig.approve, who, staged).code == "role"
    assert refusal_of(rig.desk.reject, who, staged.case_id, 1).code == "role"


def test_programs_and_the_machines_owner_never_vote(rig: Rig) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge())
    service = Principal("tok_s", "service", "viewer", token_id="tok_s")
    for who in (rig.agent("bot"), service, OWNER):
        assert refusal_of(rig.approve, who, staged).code == "role"
    assert rig.rows(DECISIONS) == []


def test_somebody_alone_cannot_approve_their_own_before_there_is_a_sign_in(rig: Rig) -> None:
    ana = rig.person("ana")
    staged = rig.stage(ana, rig.charge())
    refused = refusal_of(rig.approve, ana, staged)
    assert refused.code == "self_approval"
    assert "no sign-in yet" in refused.sentence
    row = rig.row(staged)
    stepped_up = rig.person("ana", stepped_up=True)
    done = rig.desk.approve(stepped_up, staged.case_id, 1, row.state_hash)
    assert done.executable_at == rig.now() + timedelta(minutes=60)
    assert holds(rig, rig.row(staged)) is None
    rig.person("ben")
    second = rig.stage(stepped_up, rig.charge())
    assert refusal_of(rig.approve, stepped_up, second).code == "self_approval"


def test_somebody_with_another_accounts_rights_finds_no_case(rig: Rig) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge())
    far = rig.person("far", accounts=[rig.other])
    row = rig.row(staged)
    verbs: list[Any] = [
        lambda: rig.desk.approve(far, staged.case_id, 1, row.state_hash),
        lambda: rig.desk.reject(far, staged.case_id, 1),
        lambda: rig.desk.request_changes(far, staged.case_id, 1),
        lambda: rig.desk.withdraw(far, staged.case_id, 1),
        lambda: rig.desk.revoke(far, staged.case_id, 1),
        lambda: rig.desk.retry(far, staged.case_id, 1),
        lambda: rig.desk.propose(far, staged.case_id, "refund", dict(row.details)),
        lambda: rig.desk.assign(far, staged.case_id, None),
        lambda: rig.desk.snooze(far, staged.case_id, rig.now() + timedelta(days=1)),
        lambda: rig.desk.comment(far, staged.case_id, "hello"),
        lambda: rig.desk.dismiss(far, staged.case_id, "known"),
        lambda: rig.desk.release(far, staged.case_id),
    ]
    for verb in verbs:
        assert (refusal_of(verb).code, refusal_of(verb).status) == ("unknown_case", 404)
    assert rig.state(staged) == "pending"
