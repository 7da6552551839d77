"""How proposals end without being done: moot or dismissed with their case, withdrawn; and how one is tried again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from accounts.facts import Subject
from accounts.sandbox import objects
from daemon.core.approval.principal import OWNER
from daemon.core.diff import Change, Changes, Reason, Verb
from daemon.core.model import Kind, Substate
from daemon.faces.api.waiting import SLICE_S
from daemon.store import cases, held, journal, worklist
from daemon.store.desk import asked_of
from tests.desk.asking import refusal_of
from tests.desk.rig import ATTEMPTS, CASES, DECISIONS, PROPOSALS, Rig, at_once, codes

DAY = timedelta(days=1)


@contextmanager
def a_case(rig: Rig, kind: str = "fraud_warning", **changes: Any) -> Iterator[str]:
    """A case of a rule's own, on which something can be proposed; the rule would not want it any more."""
    now, charge = rig.now(), rig.charge()
    account = rig.desk.ground.accounts[rig.slug]
    new = {
        "id": f"case_{charge}", "account": rig.slug, "stripe_account": account.stripe_account,
        "livemode": True, "kind": kind, "subject_kind": "customer", "subject_id": "cus_1", "fingerprint": charge,
        "title": "A case", "severity": "high", "severity_rank": 1, "state": "open", "substate": "new", "opened_at": now,
        "seen_at": now, "rule": kind, "policy_version": "p", "facts": {}, "facts_hash": "f", "differences": [],
        "object_ids": [charge], "digest": "d",
        "detail": {"recommended": {"action": "acknowledge", "details": {}, "personal": []},
                   "drafts": [{"action": "refund", "details": {"charge": charge, "amount": 5_000, "currency": "eur",
                                                              "reason": "fraudulent"}, "personal": []}]},
    }  # fmt: skip
    with rig.store.transaction() as session:
        session.execute(CASES.insert().values(**{**new, **changes}))
    yield str(new["id"])


def resolve(rig: Rig, case_id: str) -> bool:
    """A look that finds that everything agrees."""
    with rig.store.transaction() as session:
        land = rig.desk.ground.land(session, rig.slug)
        row = session.execute(CASES.select().where(CASES.c.id == case_id)).one()
        standing = cases.standing(session, rig.slug, [rig.customer()], [row.fingerprint])
        (case,) = [each for each in standing[rig.customer()].values() if each.id == case_id]
        if case.claimed or row.state == "resolved":
            return False
        change = Change(
            Verb.RESOLVE, Reason.AGREEMENT, case.fingerprint, case, substate=Substate.AGREEMENT_RETURNED
        )
        policy = rig.works.policies.of(rig.slug)
        notes = cases.apply(session, land.facts, policy, [Changes((change,))], rig.now())
        journal.append_all(session, notes, rig.now())
    return True


def test_what_is_proposed_on_a_case_stays_on_it(rig: Rig) -> None:
    ana, ben = rig.person("ana"), rig.person("ben")
    with a_case(rig) as case_id:
        drafted = rig.desk.propose(ana, case_id, "refund")
        row = rig.row(drafted)
        assert (row.case_id, row.details["amount"], row.execution) == (case_id, 5_000, "daemon")
        assert (row.drafted_by, row.makers) == (ana.id, [ana.id])  # money is somebody's own idea
        assert refusal_of(rig.approve, ana, drafted).code == "self_approval"
        assert rig.approve(ben, drafted).state == "approved"
        assert [each.kind for each in rig.rows(CASES)] == ["fraud_warning"]


def test_what_a_rule_drafted_is_nobodys_own_where_no_money_moves(rig: Rig) -> None:
    rig.policy('[[approve]]\naction = "acknowledge"\napprovers = 1\n')
    ana = rig.person("ana")
    with a_case(rig) as case_id:
        drafted = rig.desk.propose(ana, case_id)
        row = rig.row(drafted)
        assert (row.action, row.drafted_by, row.makers) == ("acknowledge", "daemon", [])
        assert rig.approve(ana, drafted).state == "approved"


def test_a_case_that_is_resolved_first_is_moot_to_approve(rig: Rig) -> None:
    """Trap T12 (a): agreement returns first: what was proposed is moot, in the same transaction."""
    ana, ben = rig.person("ana"), rig.person("ben")
    with a_case(rig) as case_id:
        drafted = rig.desk.propose(ana, case_id, "refund")
        resolve(rig, case_id)
        assert (rig.state(drafted), rig.case(drafted).state) == ("moot", "resolved")
        assert rig.kinds()[-2:] == ["case_resolved", "proposal_moot"]
        assert refusal_of(rig.approve, ben, drafted).code == "moot"
        assert refusal_of(rig.desk.propose, ana, case_id, "refund").code == "moot"


def test_an_approval_that_nobody_has_begun_to_use_becomes_moot_and_a_claimed_one_keeps_its_case(
    rig: Rig,
) -> None:
    """Trap T12 (b): approved first: the resolver takes what is unclaimed, and leaves what is claimed."""
    ana, ben = rig.person("ana"), rig.person("ben")
    with a_case(rig) as case_id:
        drafted = rig.desk.propose(ana, case_id, "refund")
        rig.approve(ben, drafted)
        resolve(rig, case_id)
        assert (rig.state(drafted), rig.row(drafted).executable_at) == ("moot", None)
    with a_case(rig) as case_id:
        drafted = rig.desk.propose(ana, case_id, "refund")
        rig.approve(ben, drafted)
        rig.claim(drafted)
        resolve(rig, case_id)
        assert (rig.state(drafted), rig.case(drafted).state) == ("executing", "open")


def test_approve_and_the_loop_at_once_leave_no_approval_on_a_resolved_case(rig: Rig) -> None:
    """Trap T12: the loop and an approver at the same instant."""
    ana, ben = rig.person("ana"), rig.person("ben")
    for _ in range(4):
        with a_case(rig) as case_id:
            drafted = rig.desk.propose(ana, case_id, "refund")
            results = at_once(
                lambda case_id=case_id: resolve(rig, case_id),  # type: ignore[misc]
                lambda drafted=drafted: rig.approve(ben, drafted),  # type: ignore[misc]
            )
            assert codes(results) in (["done", "done"], ["done", "moot"])
            assert (rig.state(drafted), rig.case(drafted).state) == ("moot", "resolved")
            assert rig.journal("proposal_moot")


def test_the_loop_leaves_a_request_alone_for_as_long_as_it_waits(rig: Rig) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge())
    rig.look(rig.customer())
    assert (rig.state(staged), rig.case(staged).state) == ("pending", "open")
    rig.desk.withdraw(rig.agent("bot"), staged.case_id, 1)
    assert rig.case(staged).state == "resolved"
    rig.look(rig.customer())
    assert rig.case(staged).state == "resolved"


def test_a_look_that_began_before_a_request_neither_ends_it_nor_brings_a_decided_one_back(rig: Rig) -> None:
    """What a look has read is older than what it writes: in between people have asked, and decided."""
    agent, ana, charge = rig.agent("bot"), rig.person("ana"), rig.charge()
    old = rig.stage(agent, charge, 1_000)
    waits = rig.stage(rig.agent("other"), rig.charge())
    rig.desk.reject(ana, old.case_id, old.version)
    later: list[Any] = []

    def meanwhile() -> None:
        later.append(rig.stage(agent, charge, 2_000))
        rig.desk.reject(ana, waits.case_id, waits.version)

    rig.look(rig.customer(), between=meanwhile)
    assert (later[0].case_id, rig.state(later[0]), rig.case(later[0]).state) == (
        old.case_id,
        "pending",
        "open",
    )
    assert rig.case(waits).state == "resolved"
    assert [entry.subject_id for entry in rig.journal("case_reopened")] == [old.case_id]
    assert rig.journal("proposal_moot") == []


def test_a_request_is_about_one_object_and_what_is_proposed_beside_it_is_for_the_same_requester(
    rig: Rig,
) -> None:
    agent, ana, ben = rig.agent("bot"), rig.person("ana"), rig.person("ben")
    staged = rig.stage(agent, rig.charge(), 6_000)
    elsewhere = {**rig.row(staged).details, "charge": rig.charge()}
    assert (
        refusal_of(rig.desk.propose, ana, staged.case_id, "refund", elsewhere, version=1).code
        == "bad_details"
    )
    rig.approve(ben, staged)
    rig.claim(staged)
    second = rig.desk.propose(ana, staged.case_id, "refund", {**rig.row(staged).details, "amount": 1_000})
    row = rig.row(second)
    assert (row.version, row.requested_by, row.drafted_by, row.makers) == (2, agent.id, ana.id, [ana.id])
    assert [case.id for case in rig.rows(CASES)] == [staged.case_id]
    other = {**rig.row(staged).details, "amount": 3}
    assert refusal_of(rig.desk.propose, rig.agent("else"), staged.case_id, "refund", other).code == "role"


def test_a_request_moves_with_its_case_and_its_votes(rig: Rig) -> None:
    """Trap T14: the case comes to another subject: its proposals follow it, and their votes are intact."""
    rig.policy('[[approve]]\naction = "refund"\napprovers = 2\n')
    ana, ben = rig.person("ana"), rig.person("ben")
    charge = rig.charge(customer=None)
    staged = rig.stage(rig.agent("bot"), charge, justification="please")
    assert rig.case(staged).subject_kind == "charge"
    rig.approve(ana, staged)
    rig.change_charge(charge, customer="cus_1")
    with rig.store.transaction() as session:
        worklist.mark(session, [Subject(rig.slug, "charge", charge)], rig.now())
    while rig.works.loop.look_at(rig.slug):
        pass
    case = rig.case(staged)
    assert (case.state, case.subject_kind, case.subject_id) == ("open", "customer", "cus_1")
    assert (rig.state(staged), rig.shown(staged)["proposal"]["have"]) == ("pending", 1)
    assert rig.shown(staged)["untrusted"]["justifications"][0]["text"] == "please"
    stale = refusal_of(rig.approve, ben, staged) if rig.shown(staged)["proposal"]["version"] != 1 else None
    assert stale is None
    rig.approve(ben, staged)
    assert rig.state(staged) == "approved"


def test_a_snooze_ends_before_the_deadline_however_late_it_was_set(rig: Rig) -> None:
    """Trap T41: a snoozed dispute wakes three days before its deadline, even if it was snoozed for longer."""
    ana, due = rig.person("ana"), rig.now() + timedelta(days=10)
    dated = {"due_at": due, "due_order": int(due.timestamp() * 1_000_000)}
    with a_case(rig, "dispute_deadline", **dated) as case_id:
        rig.desk.snooze(ana, case_id, due)
        (case,) = rig.rows(CASES, id=case_id)
        assert (case.state, case.snoozed_until) == ("snoozed", due - timedelta(hours=72))
        assert not rig.desk.snooze(ana, case_id, due + DAY).changed
        rig.desk.snooze(ana, case_id, None)
        assert rig.rows(CASES, id=case_id)[0].state == "open"
    near = rig.now() + timedelta(hours=71)
    dated = {"due_at": near, "due_order": int(near.timestamp() * 1_000_000)}
    with a_case(rig, "dispute_deadline", **dated) as case_id:
        assert refusal_of(rig.desk.snooze, ana, case_id, rig.now() + timedelta(hours=1)).code == "bad_details"
    with a_case(rig, "dispute_deadline", due_at=None, due_order=-1) as case_id:
        assert refusal_of(rig.desk.snooze, ana, case_id, rig.now() + DAY).code == "bad_details"


def test_the_loop_wakes_a_snoozed_dispute_whose_deadline_came_nearer(rig: Rig) -> None:
    """Trap T41: by a look, though nobody asks for it: the desk has marked the subject for that moment."""
    ana, charge = rig.person("ana"), rig.charge()
    due = rig.now() + timedelta(days=6)
    rig.put(objects.dispute(
        "dp_1", created=int(rig.now().timestamp()), amount=10_000, currency="eur", charge=charge,
        payment_intent=charge.replace("ch_", "pi_"), due_by=int(due.timestamp()), livemode=True,
    ))  # fmt: skip
    for address in (("charge", charge), ("dispute", "dp_1")):
        with rig.store.transaction() as session:
            worklist.mark(session, [Subject(rig.slug, *address)], rig.now())
    while rig.works.loop.look_at(rig.slug):
        pass
    (case,) = [each for each in rig.rows(CASES, kind="dispute_deadline") if each.state == "open"]
    rig.desk.snooze(ana, case.id, due + DAY)
    rig.later(days=2, hours=23)
    rig.works.loop.look_at(rig.slug)
    assert rig.rows(CASES, id=case.id)[0].state == "snoozed"
    rig.later(hours=1, seconds=1)
    rig.works.loop.look_at(rig.slug)
    assert rig.rows(CASES, id=case.id)[0].state == "open"


def test_only_whoever_asked_or_an_admin_withdraws(rig: Rig) -> None:
    agent, maker = rig.agent("bot", made_by=rig.person("ana")), rig.person("ana")
    staged = [rig.stage(agent, rig.charge(), amount) for amount in (1, 2, 3, 4)]
    assert refusal_of(rig.desk.withdraw, rig.agent("other"), staged[0].case_id, 1).code == "role"
    assert refusal_of(rig.desk.withdraw, rig.person("ben"), staged[0].case_id, 1).code == "role"
    for who, each in zip((agent, maker, rig.person("ada", "admin"), OWNER), staged, strict=True):
        assert rig.desk.withdraw(who, each.case_id, 1).changed
        assert not rig.desk.withdraw(who, each.case_id, 1).changed
        assert (rig.state(each), rig.case(each).state) == ("withdrawn", "resolved")
    assert rig.desk.approval(agent, staged[0].proposal_id)["status"] == "withdrawn"


def test_a_callers_approval_that_it_may_have_been_told_of_cannot_be_taken_back_and_explains_what_happens(
    rig: Rig,
) -> None:
    agent, ana = rig.agent("bot"), rig.person("ana")
    early, late = (rig.stage(agent, rig.charge(), execution="caller") for _ in range(2))
    for each in (early, late):
        rig.approve(ana, each)
    rig.desk.revoke(ana, early.case_id, 1)
    rig.later(seconds=10)
    assert refusal_of(rig.desk.revoke, ana, late.case_id, 1).code == "executing"
    edit = {**rig.row(late).details, "amount": 1}
    assert refusal_of(rig.desk.propose, ana, late.case_id, "refund", edit, version=1).code == "executing"
    resolve(rig, late.case_id)
    assert rig.state(late) == "approved"
    with rig.store.transaction() as session:
        session.execute(update(PROPOSALS).where(PROPOSALS.c.id == late.proposal_id).values(state="expired"))
    with rig.store.reading() as session:
        asked = asked_of(session, rig.slug, [rig.customer()])[rig.customer()]
    assert [each.proposal_id for each in asked.approvals] == [late.proposal_id]
    assert {each.id for each in asked.proposals} == {early.proposal_id}


def test_attempts_at_what_is_over_still_explain_what_happened(rig: Rig) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge())
    rig.approve(rig.person("ana"), staged)
    rig.claim(staged)
    rig.set_state(staged, "stale", "outdated", finished_at=rig.now())
    with rig.store.reading() as session:
        asked = asked_of(session, rig.slug, [rig.customer()])[rig.customer()]
    assert [each.state for each in asked.attempts] == ["outdated"]
    assert asked.proposals == []


def test_a_dismissed_case_takes_what_was_proposed_on_it_along(rig: Rig) -> None:
    ana, ben = rig.person("ana"), rig.person("ben")
    with a_case(rig) as case_id:
        drafted = rig.desk.propose(ana, case_id, "refund")
        rig.approve(ben, drafted)
        assert refusal_of(rig.desk.dismiss, ana, case_id, "  ").code == "bad_details"
        rig.desk.dismiss(ana, case_id, "we know this customer")
        assert (rig.state(drafted), rig.case(drafted).substate) == ("moot", "dismissed")
        assert not rig.desk.dismiss(ana, case_id, "again").changed
        assert rig.shown(drafted)["untrusted"]["dismissals"] == ["we know this customer"]
    with a_case(rig) as case_id:
        drafted = rig.desk.propose(ana, case_id, "refund")
        rig.approve(ben, drafted)
        rig.claim(drafted)
        assert refusal_of(rig.desk.dismiss, ana, case_id, "known").code == "executing"
        assert rig.case(drafted).state == "open"


def test_a_person_has_what_failed_tried_again_under_a_new_key(rig: Rig) -> None:
    agent, ana = rig.agent("bot"), rig.person("ana")
    staged = rig.stage(agent, rig.charge())
    assert refusal_of(rig.desk.retry, ana, staged.case_id, 1).code == "stale_state"
    rig.approve(ana, staged)
    rig.claim(staged)
    assert refusal_of(rig.desk.retry, ana, staged.case_id, 1).code == "executing"
    rig.set_state(staged, "failed", "failed", finished_at=rig.now())
    assert refusal_of(rig.desk.retry, agent, staged.case_id, 1).code == "role"
    rig.person("ben")
    rig.later(hours=2)
    done = rig.desk.retry(ana, staged.case_id, 1, "the card works again")
    row = rig.row(staged)
    assert (done.state, row.state, row.epoch) == ("approved", "approved", 2)
    assert (row.executable_at, row.expires_at) == (rig.now(), rig.now() + timedelta(minutes=30))
    assert not rig.desk.retry(ana, staged.case_id, 1).changed
    assert rig.row(staged).epoch == 2


def test_what_nobody_knows_is_tried_again_only_once_its_absence_was_verified(rig: Rig) -> None:
    ana = rig.person("ana")
    staged = rig.stage(rig.agent("bot"), rig.charge())
    rig.approve(ana, staged)
    rig.claim(staged)
    rig.set_state(staged, "unknown", "unknown", sent_at=rig.now())
    refused = refusal_of(rig.desk.retry, ana, staged.case_id, 1)
    assert (refused.code, refused.status, rig.state(staged)) == ("not_verified", 409, "unknown")
    rig.set_state(staged, "unknown", "unknown", absent_at=rig.now())
    rig.desk.retry(ana, staged.case_id, 1)
    (attempt,) = rig.rows(ATTEMPTS, proposal_id=staged.proposal_id)
    assert (rig.row(staged).epoch, attempt.state) == (2, "failed")


def test_comments_assignments_and_leases(rig: Rig) -> None:
    ana, staged = rig.person("ana", "analyst"), rig.stage(rig.agent("bot"), rig.charge())
    rig.desk.comment(rig.agent("bot"), staged.case_id, "Ada wrote again.")
    (said,) = rig.shown(staged)["untrusted"]["comments"]
    assert (said["by"], said["text"]) == ("bot", "Ada wrote again.")
    assert refusal_of(rig.desk.comment, ana, staged.case_id, "4242 4242 4242 4242").code == "bad_details"
    rig.desk.assign(ana, staged.case_id, "ana")
    case = rig.case(staged)
    assert (case.assignee, case.assigned_until) == (ana.id, rig.now() + timedelta(minutes=15))
    shown = rig.shown(staged)
    assert (shown["assignee"], shown["assignee_name"]) == (ana.id, "ana")
    rig.later(minutes=15)
    left = rig.shown(staged)
    assert (left["assignee"], left["assignee_name"], left["assigned_until"]) == (None, None, None)
    assert refusal_of(rig.desk.assign, ana, staged.case_id, "nobody").code == "bad_details"
    rig.desk.assign(ana, staged.case_id, None)
    assert rig.case(staged).assignee is None
    assert not any("Ada" in entry.body for entry in rig.journal())


def test_a_held_rule_is_released_by_whoever_wants_to_see_its_cases(rig: Rig) -> None:
    ana = rig.person("ana", "analyst")
    with rig.store.transaction() as session:
        weighed = {"per": (Kind.PLAN_MISMATCH, rig.customer())}
        held.weigh(session, weighed, 1, rig.now())
        held.hold(session, rig.slug, ["per"])
    with a_case(rig, "rule_storm", facts={"stripe": {"rule": "plan_mismatch"}}) as case_id:
        assert rig.desk.release(ana, case_id).changed
        assert not rig.desk.release(ana, case_id).changed
        assert ("look", rig.slug) in rig.wakes.heard
    with rig.store.reading() as session:
        assert held.brake(session, rig.slug).released == {"per"}
    with a_case(rig) as case_id:
        assert refusal_of(rig.desk.release, ana, case_id).code == "bad_details"


def test_an_agent_drafts_on_a_case_and_edits_only_what_it_asked_for_itself(rig: Rig) -> None:
    rig.policy("[limits]\nagent_open_proposals = 2\n")
    agent, other, ana = rig.agent("bot", made_by=rig.person("ana")), rig.agent("other"), rig.person("ana")
    with a_case(rig) as case_id:
        by_person = rig.desk.propose(ana, case_id, "refund")
        details = dict(rig.row(by_person).details)
        refused = refusal_of(rig.desk.propose, agent, case_id, "refund", {**details, "amount": 1}, version=1)
        assert refused.code == "role"
        own = rig.desk.propose(agent, case_id, "refund", {**details, "amount": 2})
        assert (own.version, rig.state(by_person), rig.row(own).makers) == (2, "pending", [ana.id])
        third = rig.desk.propose(agent, case_id, "refund", {**details, "amount": 3}, version=2)
        assert (third.version, rig.state(own)) == (3, "superseded")
        assert refusal_of(rig.desk.propose, other, case_id, "refund", details, version=3).code == "role"
        assert refusal_of(rig.approve, ana, third).code == "self_approval"
    rig.stage(agent, rig.charge())
    with a_case(rig) as case_id:
        assert refusal_of(rig.desk.propose, agent, case_id, "refund").code == "too_many_open"


@pytest.mark.parametrize("name", ["case_\x00", "", "case_none", "x" * 10_000])
def test_a_case_that_is_none_is_not_found(rig: Rig, name: str) -> None:
    ana = rig.person("ana")
    assert refusal_of(rig.desk.reject, ana, name, 1).status == 404
    assert refusal_of(rig.desk.approval, ana, name).status == 404
    staged = rig.stage(rig.agent("bot"), rig.charge())
    if name:
        assert refusal_of(rig.desk.assign, ana, staged.case_id, name).code == "bad_details"


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_only_reads_changes_nothing(rig: Rig, role: Any) -> None:
    who, staged = rig.person("zoe", role), rig.stage(rig.agent("bot"), rig.charge())
    verbs: list[Any] = [
        lambda: rig.stage(who, rig.charge()),
        lambda: rig.desk.propose(who, staged.case_id, "refund", dict(rig.row(staged).details)),
        lambda: rig.desk.withdraw(who, staged.case_id, 1),
        lambda: rig.desk.assign(who, staged.case_id, "zoe"),
        lambda: rig.desk.comment(who, staged.case_id, "hello"),
        lambda: rig.desk.snooze(who, staged.case_id, rig.now() + DAY),
        lambda: rig.desk.dismiss(who, staged.case_id, "known"),
        lambda: rig.desk.release(who, staged.case_id),
    ]
    for verb in verbs:
        assert (refusal_of(verb).code, refusal_of(verb).status) == ("role", 403)
    assert rig.desk.approval(who, staged.proposal_id)["status"] == "pending"


AUTO = """\
[[auto]]
action = "refund"
account = "{slug}"
each = "20 EUR"
day = "50 EUR"
"""


def test_what_the_policy_approves_by_itself_needs_two_admins_and_stays_inside_its_caps(rig: Rig) -> None:
    agent, text = rig.agent("bot"), AUTO.format(slug=rig.slug)
    rig.policy(text)
    assert rig.state(rig.stage(agent, rig.charge(), 1_000)) == "pending"
    rig.policy(text + "# confirmed\n", confirmed_by="per_ben")
    done = rig.stage(agent, rig.charge(), 2_000)
    row = rig.row(done)
    assert (row.state, row.approvals_needed, row.policy_rule) == ("approved", 0, "auto line 1: refund")
    assert row.executable_at == rig.now() + timedelta(seconds=10)
    assert rig.rows(DECISIONS) == []
    assert rig.journal("proposal_approved")[-1].actor == "policy"
    assert rig.desk.approval(agent, done.proposal_id)["auto_approved"] == "auto line 1: refund"
    assert rig.state(rig.stage(agent, rig.charge(), 2_001)) == "pending"
    assert rig.state(rig.stage(agent, rig.charge(currency="usd"), 1, "usd")) == "pending"
    assert rig.state(rig.stage(agent, rig.charge(), 2_000)) == "approved"
    assert rig.state(rig.stage(agent, rig.charge(), 1_001)) == "pending"  # 40 of 50 EUR are spent
    assert rig.state(rig.stage(agent, rig.charge(slug=rig.other), 1_000, account=rig.other)) == "pending"
    with rig.store.reading() as session:
        assert rig.desk.holds(session, row, rig.now()) is None
        rig.policy(text + "# not confirmed\n")
        assert rig.desk.holds(session, row, rig.now()) is not None


def test_many_requests_at_once_do_not_pass_the_cap_of_a_day_together(rig: Rig) -> None:
    agent = rig.agent("bot")
    rig.policy(AUTO.format(slug=rig.slug), confirmed_by="per_ben")
    charges = [rig.charge(customer=f"cus_{number}") for number in range(4)]
    rig.meet(4)
    at_once(*(lambda charge=charge: rig.stage(agent, charge, 2_000) for charge in charges))
    assert sorted(row.state for row in rig.rows(PROPOSALS)) == ["approved", "approved", "pending", "pending"]


def test_whoever_waits_is_told_at_once(rig: Rig) -> None:
    agent, ana = rig.agent("bot"), rig.person("ana")
    staged = rig.stage(agent, rig.charge())

    before = rig.desk.approval(agent, staged.proposal_id)

    def wait() -> bool:
        while rig.desk.approval(agent, staged.proposal_id) == before:
            rig.desk.waiting(staged.proposal_id, SLICE_S)  # it may have changed just before it is waited for
        return rig.desk.approval(agent, staged.proposal_id)["status"] == "approved"

    seen, _ = at_once(wait, lambda: rig.approve(ana, staged).changed)
    assert seen is True
