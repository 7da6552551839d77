"""A vote is for one version: edits, and what moved on Stripe meanwhile."""

from tests.desk.asking import TWO, refusal_of
from tests.desk.rig import DECISIONS, PROPOSALS, Rig


def test_who_approves_a_version_that_was_edited_meanwhile_is_shown_what_changed(rig: Rig) -> None:
    """Trap T06: approve version 1 while somebody makes version 2."""
    ana, ben = rig.person("ana"), rig.person("ben")
    staged = rig.stage(rig.agent("bot"), rig.charge(), 6_000)
    edit = {**rig.row(staged).details, "amount": 7_000}
    assert rig.desk.propose(ben, staged.case_id, "refund", edit, version=1).version == 2
    stale = refusal_of(rig.approve, ana, staged)
    assert (stale.code, stale.status, stale.extra["version"]) == ("stale_version", 409, 2)
    assert stale.extra["diff"] == [{"op": "replace", "path": "/details/amount", "value": 7_000}]
    assert rig.rows(DECISIONS) == []


def test_who_approves_what_has_changed_on_stripe_is_shown_the_difference(rig: Rig) -> None:
    """Trap T07: a live refresh shows that something was refunded since: the vote is not taken."""
    ana, charge = rig.person("ana"), rig.charge(10_000)
    staged = rig.stage(rig.agent("bot"), charge, 6_000)
    rig.refund_in_dashboard(charge, 1_000)
    stale = refusal_of(rig.approve, ana, staged)
    assert (stale.code, stale.status, stale.extra["version"]) == ("stale_state", 409, 2)
    changed = {each["field"]: (each["was"], each["is"]) for each in stale.extra["difference"]}  # type: ignore[union-attr, index, call-overload]
    assert changed["amount_refunded"] == (0, 1_000)
    assert (rig.state(staged), rig.state(staged, 2)) == ("stale", "pending")
    assert rig.rows(DECISIONS) == []
    old = rig.row(staged).state_hash
    assert refusal_of(rig.desk.approve, ana, staged.case_id, 2, old).code == "stale_state"
    fresh = rig.row(staged, 2)
    assert rig.desk.approve(ana, staged.case_id, 2, fresh.state_hash).state == "approved"
    assert rig.journal("proposal_outdated")[-1].subject_id == staged.case_id


def test_an_edit_voids_every_vote(rig: Rig) -> None:
    rig.policy(TWO)
    ana, ben, cem = (rig.person(name) for name in ("ana", "ben", "cem"))
    staged = rig.stage(rig.agent("bot"), rig.charge(), 6_000)
    rig.approve(ana, staged)
    edit = {**rig.row(staged).details, "amount": 5_000}
    second = rig.desk.propose(cem, staged.case_id, "refund", edit, version=1)
    assert rig.shown(staged)["proposal"]["have"] == 0
    rig.approve(ben, second)
    assert rig.state(second) == "pending"
    rig.approve(ana, second)
    assert rig.state(second) == "approved"


def test_the_same_edit_again_is_no_new_version(rig: Rig) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge(), 6_000)
    same = dict(rig.row(staged).details)
    again = rig.desk.propose(rig.person("ana"), staged.case_id, "refund", same, version=1)
    assert (again.changed, again.version) == (False, 1)
    assert len(rig.rows(PROPOSALS)) == 1


def test_changes_are_asked_for_and_the_edit_is_voted_on_anew(rig: Rig) -> None:
    ana, ben = rig.person("ana"), rig.person("ben")
    staged = rig.stage(rig.agent("bot"), rig.charge(), 6_000)
    rig.desk.request_changes(ana, staged.case_id, 1, "too much")
    assert rig.state(staged) == "changes_requested"
    assert refusal_of(rig.approve, ben, staged).code == "already_decided"
    assert rig.desk.approval(ana, staged.proposal_id)["status"] == "pending"
    edit = {**rig.row(staged).details, "amount": 3_000}
    second = rig.desk.propose(ana, staged.case_id, "refund", edit, "half of it", version=1)
    assert rig.approve(ben, second).state == "approved"
