"""Voting: the races of many people at one proposal, and what each of them is told."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from accounts.money import Money
from daemon.core.approval.principal import OWNER, Principal, Role
from daemon.core.protocol import Step, since, to
from daemon.desk import Refusal
from daemon.store import proposals
from daemon.store.errors import StoreError
from tests.desk.rig import DECISIONS, PROPOSALS, Rig, at_once, codes

TWO = '[[approve]]\naction = "refund"\napprovers = 2\n'
THREE = '[[approve]]\naction = "refund"\napprovers = 3\n'


def refusal_of(what: Any, *given: Any, **named: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        what(*given, **named)
    return refused.value


def test_an_approval_may_be_done_after_the_time_to_undo_it_and_expires_after_that(rig: Rig) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge())
    done = rig.approve(rig.person("ana"), staged, note="looks right")
    row = rig.row(staged)
    assert (done.state, row.state) == ("approved", "approved")
    assert done.executable_at == row.executable_at == rig.now() + timedelta(seconds=10)
    assert row.expires_at == row.executable_at + timedelta(minutes=30)
    assert ("act", rig.slug) in rig.wakes.heard
    (vote,) = rig.rows(DECISIONS)
    assert (vote.person, vote.verdict, vote.state_hash) == ("per_ana", "approve", row.state_hash)
    assert vote.authority["role"] == "approver"
    assert rig.kinds()[-2:] == ["proposal_voted_for", "proposal_approved"]


def test_two_people_approve_at_once_and_one_is_told_that_it_is_decided(rig: Rig) -> None:
    """Trap T01: two approvers at once where one is needed. Trap E9: they click at the same time: one effect."""
    ana, ben = rig.person("ana"), rig.person("ben")
    staged = rig.stage(rig.agent("bot"), rig.charge())
    results = at_once(lambda: rig.approve(ana, staged), lambda: rig.approve(ben, staged))
    assert codes(results) == ["already_decided", "done"]
    (loser,) = [each for each in results if isinstance(each, Refusal)]
    (vote,) = rig.rows(DECISIONS)
    assert loser.extra["by"] == [vote.person.removeprefix("per_")]
    assert len(rig.journal("proposal_approved")) == 1


def test_of_three_at_once_two_are_the_quorum(rig: Rig) -> None:
    """Trap T02: two are needed and three approve at once: exactly two count."""
    rig.policy(TWO)
    staged = rig.stage(rig.agent("bot"), rig.charge())
    three = [rig.person(name) for name in ("ana", "ben", "cem")]
    results = at_once(*(lambda who=who: rig.approve(who, staged) for who in three))
    assert codes(results) == ["already_decided", "done", "done"]
    assert len(rig.rows(DECISIONS)) == 2
    assert len(rig.journal("proposal_approved")) == 1
    assert rig.shown(staged)["proposal"]["have"] == 2


def test_one_person_counts_once_from_two_tabs(rig: Rig) -> None:
    """Trap T03: the same person from two tabs or tokens, where two are needed, counts once."""
    rig.policy(TWO)
    staged = rig.stage(rig.agent("bot"), rig.charge())
    tabs = [rig.person("ana"), rig.person("ana")]
    assert tabs[0].token_id != tabs[1].token_id
    assert codes(at_once(*(lambda who=who: rig.approve(who, staged) for who in tabs))) == ["done", "done"]
    assert (len(rig.rows(DECISIONS)), rig.state(staged)) == (1, "pending")


def test_approve_and_reject_at_once_have_one_winner(rig: Rig) -> None:
    """Trap T04: approve and reject at once: one winner, and the loser is told who."""
    ana, ben = rig.person("ana"), rig.person("ben")
    for amount in range(1, 6):
        staged = rig.stage(rig.agent("bot"), rig.charge(), amount)
        results = at_once(
            lambda staged=staged: rig.approve(ana, staged),  # type: ignore[misc]
            lambda staged=staged: rig.desk.reject(ben, staged.case_id, staged.version),  # type: ignore[misc]
        )
        assert codes(results) == ["already_decided", "done"]
        winner = "ana" if rig.state(staged) == "approved" else "ben"
        assert rig.state(staged) in {"approved", "rejected"}
        assert next(each for each in results if isinstance(each, Refusal)).extra["by"] == [winner]


def test_a_double_click_is_one_vote_with_one_line_in_the_journal(rig: Rig) -> None:
    """Trap T05: the same decision again is done already: no second journal row, callback or wake."""
    ana = rig.person("ana")
    staged = rig.stage(rig.agent("bot"), rig.charge(), callback_url="https://api.example.com/x")
    assert rig.approve(ana, staged).changed
    before = (rig.kinds(), len(rig.wakes.heard))
    again = rig.approve(ana, staged)
    assert (again.changed, again.state) == (False, "approved")
    assert (rig.kinds(), len(rig.wakes.heard)) == before

    rejected = rig.stage(rig.agent("bot"), rig.charge())
    assert rig.desk.reject(ana, rejected.case_id, 1).changed
    before = (rig.kinds(), len(rig.wakes.heard))
    assert not rig.desk.reject(ana, rejected.case_id, 1).changed
    assert (rig.kinds(), len(rig.wakes.heard)) == before


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


def test_a_vote_counts_while_stripe_cannot_be_read(rig: Rig) -> None:
    """The claim reads again before anything is done."""
    staged = rig.stage(rig.agent("bot"), rig.charge())
    rig.unreachable()
    try:
        assert rig.approve(rig.person("ana"), staged).state == "approved"
    finally:
        rig.unreachable(False)


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


def holds(rig: Rig, row: Any) -> str | None:
    with rig.store.reading() as session:
        return rig.desk.holds(session, row, rig.now())


def test_an_expired_version_is_not_approved_whoever_is_first(rig: Rig) -> None:
    """Trap T11: approve and the expiry sweep at the same instant: one wins, and the expired is never done."""
    ana = rig.person("ana")
    for amount in range(1, 6):
        staged = rig.stage(rig.agent("bot"), rig.charge(), amount, expires_in_s=60)

        def sweep(id_: str = staged.proposal_id, case_id: str = staged.case_id) -> bool:
            with rig.store.transaction() as session:
                proposals.hold(session, case_id)
                return proposals.move(
                    session, id_, 1, since=since(Step.EXPIRE) & {"pending"}, to=to(Step.EXPIRE), now=rig.now()
                )

        swept, voted = at_once(sweep, lambda staged=staged: rig.approve(ana, staged))  # type: ignore[misc]
        if swept:
            assert isinstance(voted, Refusal)
            assert (voted.code, rig.state(staged)) == ("expired", "expired")
        else:
            assert rig.state(staged) == "approved"
    late = rig.stage(rig.agent("bot"), rig.charge(), expires_in_s=60)
    with rig.store.reading() as session:
        assert late.proposal_id not in {row.id for row in proposals.due_to_expire(session, rig.now())}
    rig.later(seconds=60)
    assert refusal_of(rig.approve, ana, late).code == "expired"
    with rig.store.reading() as session:
        assert late.proposal_id in {row.id for row in proposals.due_to_expire(session, rig.now())}


def test_revoke_wins_before_the_claim_and_not_after_it(rig: Rig) -> None:
    """Trap T13: withdraw or revoke before the claim wins; after it, it is being executed."""
    agent, ana = rig.agent("bot"), rig.person("ana")
    staged = rig.stage(agent, rig.charge())
    rig.approve(ana, staged)
    revoked = rig.desk.revoke(ana, staged.case_id, 1, "wrong customer")
    assert (revoked.version, revoked.state) == (2, "pending")
    assert (rig.state(staged), rig.row(staged).executable_at) == ("superseded", None)
    again = rig.desk.revoke(ana, staged.case_id, 1)
    assert (again.changed, again.version) == (False, 2)
    assert rig.shown(staged)["proposal"]["have"] == 0

    rig.approve(ana, revoked)
    rig.claim(revoked)
    assert refusal_of(rig.desk.revoke, ana, staged.case_id, 2).code == "executing"
    assert refusal_of(rig.desk.withdraw, agent, staged.case_id, 2).code == "executing"
    edit = {**rig.row(revoked).details, "amount": 1}
    assert refusal_of(rig.desk.propose, ana, staged.case_id, "refund", edit, version=2).code == "executing"
    assert rig.state(revoked) == "executing"


def test_approve_and_withdraw_at_once_never_leave_both(rig: Rig) -> None:
    """Trap T13: approve and withdraw at once."""
    agent, ana = rig.agent("bot"), rig.person("ana")
    for amount in range(1, 5):
        staged = rig.stage(agent, rig.charge(), amount)
        results = at_once(
            lambda staged=staged: rig.approve(ana, staged),  # type: ignore[misc]
            lambda staged=staged: rig.desk.withdraw(agent, staged.case_id, staged.version),  # type: ignore[misc]
        )
        assert rig.state(staged) == "withdrawn"  # an approval that nobody has used yet may be taken back
        assert codes(results) in (["done", "done"], ["done", "moot"])
        assert rig.case(staged).state == "resolved"


def test_a_batch_with_one_stale_row_does_the_others_and_is_a_no_op_again(rig: Rig) -> None:
    """Trap T15: one stale of ten: nine are done, one is told; the same batch again changes nothing."""
    ana, agent = rig.person("ana"), rig.agent("bot")
    staged = [rig.stage(agent, rig.charge(), amount) for amount in range(1, 11)]
    rig.refund_in_dashboard(rig.row(staged[4]).target_id, 100)
    rows = [vote(rig, each) for each in staged]
    first = rig.desk.batch(ana, rows)
    assert [each["status"] for each in first] == [200] * 4 + [409] + [200] * 5
    assert first[4]["code"] == "stale_state"
    before = rig.kinds()
    second = rig.desk.batch(ana, rows)
    assert [each.get("changed") for each in second] == [False] * 4 + [None] + [False] * 5
    assert second[4]["code"] == "stale_version"
    assert rig.kinds() == before


def test_a_batch_is_up_to_twenty_five_rows_each_for_itself(rig: Rig) -> None:
    """Trap E14: many at once: an outcome per row, and one that fails takes nothing from the rest."""
    ana, agent = rig.person("ana"), rig.agent("bot")
    charge = rig.charge(100_000)
    staged = [rig.stage(agent, charge, amount) for amount in range(1, 24)]
    rows: list[dict[str, Any]] = [vote(rig, each) for each in staged]
    rows += [{"verb": "approve", "case_id": "case_none", "version": 1, "state_hash": ""}, {"verb": "delete"}]
    results = rig.desk.batch(ana, rows)
    assert [each["status"] for each in results] == [200] * 23 + [404, 422]
    assert {rig.state(each) for each in staged} == {"approved"}
    assert refusal_of(rig.desk.batch, ana, [*rows, rows[0]]).code == "bad_details"


def vote(rig: Rig, staged: Any) -> dict[str, Any]:
    return {"verb": "approve", "case_id": staged.case_id, "version": staged.version,
            "state_hash": rig.row(staged).state_hash}  # fmt: skip


def test_where_nothing_can_be_written_down_nothing_is_decided(rig: Rig) -> None:
    """Trap E8: the journal is unavailable: no approval is recorded."""
    ana = rig.person("ana")
    staged = rig.stage(rig.agent("bot"), rig.charge())
    with rig.store.transaction() as session:
        session.execute(text("ALTER TABLE journal RENAME TO journal_away"))
    with pytest.raises(StoreError):
        rig.approve(ana, staged)
    with rig.store.transaction() as session:
        session.execute(text("ALTER TABLE journal_away RENAME TO journal"))
    assert (rig.state(staged), rig.rows(DECISIONS)) == ("pending", [])


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


def test_a_vote_reaches_no_further_than_its_persons_limit(rig: Rig) -> None:
    ana = rig.person("ana", limits=[Money(5_000, "eur")])
    at_it, over = (
        rig.stage(rig.agent("bot"), rig.charge(), 5_000),
        rig.stage(rig.agent("bot"), rig.charge(), 5_001),
    )
    foreign = rig.stage(rig.agent("bot"), rig.charge(currency="usd"), 1, "usd")
    assert rig.approve(ana, at_it).state == "approved"
    for each in (over, foreign):
        assert (refusal_of(rig.approve, ana, each).code, rig.state(each)) == ("limit", "pending")
    assert rig.approve(ana, over, details={**rig.row(over).details, "amount": 5_000}).state == "approved"


def test_a_day_has_limits_for_the_person_and_for_the_account_in_each_currency(rig: Rig) -> None:
    rig.policy(
        '[[approve]]\naction = "refund"\napprovers = 1\n'
        '[limits]\nperson_daily = ["100 EUR", "50 USD"]\naccount_daily = ["150 EUR"]\n'
    )
    agent, ana, ben = rig.agent("bot"), rig.person("ana"), rig.person("ben")

    def staged(amount: int, currency: str = "eur") -> Any:
        return rig.stage(agent, rig.charge(10_000, currency), amount, currency)

    assert rig.approve(ana, staged(6_000)).state == "approved"
    assert refusal_of(rig.approve, ana, staged(4_001)).code == "limit"
    assert rig.approve(ana, staged(4_000)).state == "approved"
    assert rig.approve(ana, staged(5_000, "usd")).state == "approved"
    assert refusal_of(rig.approve, ben, staged(5_001)).code == "limit"  # of the account: 100 of 150 EUR
    last = staged(5_000)
    assert rig.approve(ben, last).state == "approved"
    rig.desk.revoke(ben, last.case_id, last.version)
    assert rig.approve(ben, staged(5_000)).state == "approved"  # what was taken back is free again
    unnamed = staged(1, "gbp")
    assert rig.approve(ana, unnamed).state == "pending"  # no limit names it: two are needed
    assert rig.approve(ben, unnamed).state == "approved"
    rig.later(days=1)
    assert rig.approve(ana, staged(10_000)).state == "approved"


def test_a_day_is_a_day_where_the_configuration_says(rig: Rig) -> None:
    """Half past eleven at night in Berlin and half an hour later are two days, and one in UTC."""
    rig.policy('[[approve]]\naction = "refund"\napprovers = 1\n[limits]\nperson_daily = ["60 EUR"]\n')
    agent, ana = rig.agent("bot"), rig.person("ana")
    local = rig.now().astimezone(rig.desk.ground.timezone)
    night = local.replace(hour=23, minute=30, second=0, microsecond=0)
    rig.later(seconds=((night - local).total_seconds()) % 86_400)
    rig.approve(ana, rig.stage(agent, rig.charge(), 6_000))
    second = rig.stage(agent, rig.charge(), 6_000)
    assert refusal_of(rig.approve, ana, second).code == "limit"
    rig.later(minutes=31)
    assert rig.approve(ana, second).state == "approved"


def test_an_approval_counts_in_the_day_in_which_it_was_given(rig: Rig) -> None:
    text = '[[approve]]\naction = "refund"\napprovers = 1\n[limits]\naccount_daily = ["{} EUR"]\n'
    rig.policy(text.format(100))
    agent, ana = rig.agent("bot"), rig.person("ana")
    local = rig.now().astimezone(rig.desk.ground.timezone)
    midnight = local.replace(hour=23, minute=59, second=55, microsecond=0)
    rig.later(seconds=(midnight - local).total_seconds() % 86_400)
    late = rig.stage(agent, rig.charge(), 6_000)
    rig.approve(ana, late)
    rig.later(seconds=10)
    rig.approve(ana, rig.stage(agent, rig.charge(), 10_000))
    assert holds(rig, rig.row(late)) is None
    rig.policy(text.format(59))
    assert "too much" in str(holds(rig, rig.row(late)))


def test_two_votes_at_once_do_not_pass_a_limit_together(rig: Rig) -> None:
    rig.policy('[[approve]]\naction = "refund"\napprovers = 1\n[limits]\naccount_daily = ["100 EUR"]\n')
    agent, ana, ben = rig.agent("bot"), rig.person("ana"), rig.person("ben")
    one, two = (rig.stage(agent, rig.charge(customer=name), 6_000) for name in ("cus_1", "cus_2"))
    rows = [rig.row(each) for each in (one, two)]
    rig.meet()
    results = at_once(
        lambda: rig.desk.approve(ana, one.case_id, 1, rows[0].state_hash),
        lambda: rig.desk.approve(ben, two.case_id, 1, rows[1].state_hash),
    )
    assert codes(results) == ["done", "limit"]


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
