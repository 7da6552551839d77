"""Voting: the races of many people at one proposal, and what each of them is told."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from daemon.core.protocol import Step, since, to
from daemon.desk.refusals import Refusal
from daemon.store import proposals
from daemon.store.errors import StoreError
from tests.desk.asking import TWO, refusal_of
from tests.desk.rig import DECISIONS, Rig, at_once, codes


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
    """Traps T01 and E9: two approvers click at the same time where one is needed: one effect."""
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


def test_a_vote_counts_while_stripe_cannot_be_read(rig: Rig) -> None:
    """The claim reads again before anything is done."""
    staged = rig.stage(rig.agent("bot"), rig.charge())
    rig.unreachable()
    try:
        assert rig.approve(rig.person("ana"), staged).state == "approved"
    finally:
        rig.unreachable(False)


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
