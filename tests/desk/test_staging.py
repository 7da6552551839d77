"""Staging: the case is there when the answer is, and asking again is not asking for more."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from daemon.desk.refusals import Refusal
from daemon.store import personal
from daemon.store.personal import Piece
from tests.desk.rig import OUTBOX, PROPOSALS, Rig, at_once


def test_the_case_is_there_when_the_answer_is(rig: Rig) -> None:
    agent, charge = rig.agent("bot"), rig.charge()
    staged = rig.stage(agent, charge, 6_000, justification="They were charged twice.")
    case, row = rig.case(staged), rig.row(staged)
    assert (case.kind, case.state, case.amount, case.currency) == ("approval_request", "open", 6_000, "eur")
    assert (case.subject_kind, case.subject_id) == ("customer", "cus_1")
    assert (row.state, row.version, row.target_id, row.approvals_needed) == ("pending", 1, charge, 1)
    assert "60.00" in row.effect
    assert rig.slug in row.effect
    assert case.due_at == row.expires_at == rig.now() + timedelta(days=7)
    assert rig.kinds()[-2:] == ["case_opened", "proposal_staged"]
    rig.look(rig.customer())
    assert rig.case(staged).state == "open"


def test_a_payment_intent_is_staged_under_its_charge(rig: Rig) -> None:
    charge = rig.charge()
    details = {"payment_intent": charge.replace("ch_", "pi_"), "amount": 100, "currency": "eur"}
    staged = rig.desk.stage(rig.agent("bot"), rig.request(charge, details=details))
    assert rig.row(staged).target_id == charge


def test_what_is_written_about_a_request_is_kept_encrypted_and_shown_apart(rig: Rig) -> None:
    staged = rig.stage(
        rig.agent("bot"), rig.charge(), justification="Ada was charged twice.", summary="Sorry"
    )
    with rig.store.reading() as session:
        stored = str(session.connection().exec_driver_sql("SELECT * FROM proposals").all())
        name = f"justification:{staged.proposal_id}:v1"
        piece = Piece(rig.customer(), name)
        assert personal.read(session, rig.desk.ground.seal, piece) == "Ada was charged twice."
    assert "Ada" not in stored
    assert not any("Ada" in entry.body for entry in rig.journal())
    untrusted = rig.shown(staged)["untrusted"]
    assert [each["text"] for each in untrusted["justifications"]] == ["Ada was charged twice."]
    assert [each["text"] for each in untrusted["summaries"]] == ["Sorry"]


def test_the_same_key_is_the_same_request_for_good(rig: Rig) -> None:
    agent, charge, ana = rig.agent("bot"), rig.charge(), rig.person("ana")
    first = rig.stage(agent, charge, key="k1")
    again = rig.stage(agent, charge, key="k1")
    assert (again.proposal_id, again.deduplicated, first.deduplicated) == (first.proposal_id, True, False)
    rig.approve(ana, first)
    rig.later(days=2)
    assert rig.stage(agent, charge, key="k1").proposal_id == first.proposal_id
    assert len(rig.rows(PROPOSALS)) == 1


def test_the_same_key_for_something_else_is_refused(rig: Rig) -> None:
    agent, charge = rig.agent("bot"), rig.charge()
    rig.stage(agent, charge, 6_000, key="k1")
    for changes in ({"amount": 7_000}, {"justification": "other"}, {"expires_in_s": 600}):
        with pytest.raises(Refusal) as refused:
            rig.stage(agent, charge, changes.pop("amount", 6_000), key="k1", **changes)  # type: ignore[arg-type]
        assert (refused.value.code, refused.value.status) == ("idempotency_key_reused", 422)
    assert rig.stage(rig.agent("another"), charge, 7_000, key="k1").deduplicated is False


def test_without_a_key_the_same_is_the_same_while_it_waits_and_for_ten_minutes(rig: Rig) -> None:
    agent, charge = rig.agent("bot"), rig.charge()
    first = rig.stage(agent, charge, 1_000)
    rig.later(minutes=9)
    assert rig.stage(agent, charge, 1_000).proposal_id == first.proposal_id
    assert rig.stage(agent, charge, 1_001).proposal_id != first.proposal_id
    rig.later(minutes=2)
    second = rig.stage(agent, charge, 1_000)
    assert second.proposal_id != first.proposal_id
    rig.desk.reject(rig.person("ana"), second.case_id, second.version)
    assert rig.stage(agent, charge, 1_000).deduplicated is False


def test_two_equal_refunds_of_one_charge_are_two_proposals_on_one_case(rig: Rig) -> None:
    """Trap E3: two legitimate equal partial refunds on one charge: both are executed, each under its own key."""
    agent, ana, charge = rig.agent("bot"), rig.person("ana"), rig.charge(10_000)
    one, two = rig.stage(agent, charge, 3_000, key="1"), rig.stage(agent, charge, 3_000, key="2")
    assert one.case_id == two.case_id
    assert (one.version, two.version) == (1, 2)
    assert one.proposal_id != two.proposal_id
    for each in (one, two):
        rig.approve(ana, each)
    assert [rig.state(each) for each in (one, two)] == ["approved", "approved"]
    keys = {rig.desk.approval(agent, each.proposal_id)["execution"]["idempotency_key"] for each in (one, two)}  # type: ignore[index, call-overload]
    assert len(keys) == 2
    assert len(rig.shown(one)["proposals"]) == 2


def test_a_request_that_is_sent_by_many_threads_at_once_is_one(rig: Rig) -> None:
    agent, charge = rig.agent("bot"), rig.charge()
    rig.meet(4)
    with_key = at_once(*(lambda: rig.stage(agent, charge, 1_000, key="k") for _ in range(4)))
    without = at_once(*(lambda: rig.stage(agent, charge, 2_000) for _ in range(4)))
    assert {each.proposal_id for each in with_key} == {rig.stage(agent, charge, 1_000, key="k").proposal_id}  # type: ignore[union-attr]
    assert len({each.proposal_id for each in without}) == 1  # type: ignore[union-attr]
    assert len(rig.rows(PROPOSALS)) == 2
    assert len(rig.journal("proposal_staged")) == 2


@pytest.mark.parametrize(
    "details",
    [
        {"charge": "ch_unknown", "amount": 100, "currency": "eur"},
        {"charge": "CHARGE", "amount": 10_001, "currency": "eur"},
        {"charge": "CHARGE", "amount": 100, "currency": "usd"},
        {"charge": "CHARGE", "amount": 60.0, "currency": "eur"},
        {"charge": "CHARGE", "amount": "60.00", "currency": "eur"},
        {"charge": "CHARGE", "amount": -1, "currency": "eur"},
        {"charge": "CHARGE", "amount": 100, "currency": "eur", "note": "4242 4242 4242 4242"},
        {"charge": "CHARGE", "payment_intent": "pi_1", "amount": 100, "currency": "eur"},
        {},
    ],
    ids=str,
)
def test_what_cannot_be_meant_so_is_refused_and_leaves_nothing(rig: Rig, details: dict[str, object]) -> None:
    """Trap E15: an amount above what is refundable, or of the wrong unit, is refused."""
    charge = rig.charge(10_000)
    given = {name: charge if value == "CHARGE" else value for name, value in details.items()}
    with pytest.raises(Refusal) as refused:
        rig.desk.stage(rig.agent("bot"), rig.request(charge, details=given))
    assert (refused.value.code, refused.value.status) == ("bad_details", 422)
    assert rig.rows(PROPOSALS) == []


def test_an_account_that_one_may_not_see_does_not_exist(rig: Rig) -> None:
    agent = rig.agent("bot", accounts=frozenset({rig.other}))
    charge = rig.charge()
    with pytest.raises(Refusal) as refused:
        rig.stage(agent, charge)
    assert refused.value.status == 404
    staged = rig.stage(rig.agent("free"), charge)
    with pytest.raises(Refusal) as hidden:
        rig.desk.approval(agent, staged.proposal_id)
    with pytest.raises(Refusal) as unknown:
        rig.desk.approval(agent, "prop_unknown")
    assert (hidden.value.status, hidden.value.sentence) == (404, unknown.value.sentence)


def test_a_charge_of_another_account_is_not_there(rig: Rig) -> None:
    charge = rig.charge(slug=rig.other)
    with pytest.raises(Refusal) as refused:
        rig.stage(rig.agent("bot"), charge)
    assert refused.value.code == "bad_details"


def test_an_agent_has_no_more_requests_open_than_the_policy_allows(rig: Rig) -> None:
    rig.policy("[limits]\nagent_open_proposals = 2\n")
    agent, charge = rig.agent("bot"), rig.charge()
    open_ones = [rig.stage(agent, charge, amount) for amount in (1, 2)]
    with pytest.raises(Refusal) as refused:
        rig.stage(agent, charge, 3)
    assert (refused.value.code, refused.value.status) == ("too_many_open", 429)
    assert rig.stage(rig.person("ana"), charge, 3).version == 1
    rig.desk.withdraw(agent, open_ones[0].case_id, open_ones[0].version)
    rig.stage(agent, charge, 3)


@pytest.mark.parametrize("name", ["summary", "justification"])
@pytest.mark.parametrize(
    "text", ["paid with 4242424242424242", "5555-5555-5555-4444", "x" * 10_001, "\ud800"]
)
def test_card_numbers_and_novels_are_not_taken(rig: Rig, name: str, text: str) -> None:
    with pytest.raises(Refusal) as refused:
        rig.desk.stage(rig.agent("bot"), rig.request(rig.charge(), 1, "eur", **{name: text}))
    assert refused.value.code == "bad_details"
    assert "4242" not in refused.value.sentence


@pytest.mark.parametrize(
    "address",
    ["http://api.example.com/x", "https://evil.example.com/", "https://a@api.example.com/", "nonsense"],
)
def test_a_callback_goes_only_where_the_configuration_allows(rig: Rig, address: str) -> None:
    with pytest.raises(Refusal) as refused:
        rig.stage(rig.agent("bot"), rig.charge(), callback_url=address)
    assert refused.value.code == "bad_details"


def test_whoever_wants_to_be_called_is_told_once_it_can_no_longer_be_taken_back(rig: Rig) -> None:
    staged = rig.stage(rig.agent("bot"), rig.charge(), callback_url="https://api.example.com/x")
    rig.approve(rig.person("ana"), staged)
    (told,) = rig.rows(OUTBOX)
    assert (told.body["status"], told.due) == ("approved", rig.row(staged).executable_at)


def test_an_account_that_only_observes_takes_no_requests(rig: Rig) -> None:
    account = rig.desk.ground.accounts[rig.slug].model_copy(update={"mode": "observe"})
    rig.desk.ground.accounts[rig.slug] = account  # type: ignore[index]
    with pytest.raises(Refusal) as refused:
        rig.stage(rig.agent("bot"), rig.charge())
    assert (refused.value.code, refused.value.status) == ("mode", 409)


def test_an_account_that_is_set_to_observe_lets_nobody_go_on_towards_doing_anything(rig: Rig) -> None:
    """Read-only: what stands may be looked at, turned down and put aside."""
    agent, ana, ben = rig.agent("bot"), rig.person("ana"), rig.person("ben")
    waiting, failed = rig.stage(agent, rig.charge(), 1_000), rig.stage(agent, rig.charge(), 2_000)
    rig.approve(ana, failed)
    rig.claim(failed)
    rig.set_state(failed, "failed", "failed", finished_at=rig.now())
    account = rig.desk.ground.accounts[rig.slug].model_copy(update={"mode": "observe"})
    rig.desk.ground.accounts[rig.slug] = account  # type: ignore[index]
    details = {**rig.row(waiting).details, "amount": 1}
    towards: list[Callable[[], object]] = [
        lambda: rig.stage(agent, rig.charge()),
        lambda: rig.desk.propose(ben, waiting.case_id, "refund", details, version=1),
        lambda: rig.approve(ana, waiting),
        lambda: rig.desk.retry(ben, failed.case_id, 1),
    ]
    for each in towards:
        with pytest.raises(Refusal) as refused:
            each()
        assert (refused.value.code, refused.value.status) == ("mode", 409)
    rig.desk.comment(ana, waiting.case_id, "Later.")
    assert rig.desk.reject(ana, waiting.case_id, 1).state == "rejected"


def test_an_action_of_the_callers_own_can_be_decided_and_is_all_encrypted(rig: Rig) -> None:
    details = {"to": "ada@example.com", "value": 12.5}
    request = rig.request("", action="gift_card", details=details, execution="caller", mapped=False)
    agent = rig.agent("bot")
    staged = rig.desk.stage(agent, request)
    row = rig.row(staged)
    assert (row.details, row.amount, row.approvals_needed) == ({}, None, 2)
    assert rig.desk.stage(agent, request).deduplicated
    assert rig.desk.approval(agent, staged.proposal_id)["effective_details"] == details
    for name in ("ana", "ben"):
        rig.approve(rig.person(name), staged)
    assert rig.state(staged) == "approved"
    with pytest.raises(Refusal) as refused:
        rig.desk.stage(agent, rig.request("", action="gift_card", details=details, mapped=False))
    assert refused.value.code == "bad_details"


def test_two_workers_that_poll_get_the_same_key_to_act_with(rig: Rig) -> None:
    """Trap T31: a caller's approval polled by two workers: both get the same idempotency key."""
    agent = rig.agent("bot")
    staged = rig.stage(agent, rig.charge(), execution="caller")
    rig.approve(rig.person("ana"), staged)
    told = [rig.desk.approval(agent, staged.proposal_id)["execution"] for _ in range(2)]
    assert told[0] == told[1]
    assert told[0]["idempotency_key"] == f"rcl:{staged.proposal_id}:v1:e1"  # type: ignore[index, call-overload]


def test_what_cannot_be_read_is_not_staged(rig: Rig) -> None:
    charge = rig.charge()
    rig.unreachable()
    try:
        with pytest.raises(Refusal) as refused:
            rig.stage(rig.agent("bot"), charge)
    finally:
        rig.unreachable(False)
    assert (refused.value.code, refused.value.status) == ("unreadable", 503)
    assert rig.rows(PROPOSALS) == []
