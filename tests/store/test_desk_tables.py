"""Cases, proposals, decisions, attempts: what the database itself refuses, whoever asks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlmodel import Session

from daemon.store.db import Store
from daemon.store.errors import Conflict
from daemon.store.tables import table
from daemon.store.tables.desk import (
    DUE_NEVER,
    DUE_UNKNOWN,
    SEVERITIES,
    URGENCY,
    AttemptRow,
    CaseRow,
    DecisionRow,
    DismissalRow,
    OutboxRow,
    PolicyRow,
    ProposalRow,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CASES = table("cases")


def a_case(id: str = "case_1", **changes: Any) -> CaseRow:
    severity = changes.get("severity", "normal")
    row: dict[str, Any] = {
        "id": id, "account": "eu", "stripe_account": "acct_1", "livemode": True, "kind": "plan_mismatch",
        "subject_kind": "customer", "subject_id": "cus_1", "fingerprint": f"fingerprint of {id}",
        "title": "Stripe bills pro, the CRM names basic", "severity": severity,
        "severity_rank": SEVERITIES.index(severity) if severity in SEVERITIES else 0, "state": "open",
        "substate": "new",
        "opened_at": NOW, "seen_at": NOW, "rule": "plan_mismatch", "policy_version": "p1",
        "facts": {"stripe": {"plan": "pro"}, "crm": {"plan": "basic"}}, "facts_hash": "f1",
        "differences": [["plan", "pro", "basic"]], "object_ids": ["cus_1", "sub_1"],
        "detail": {"odd_one_out": "crm"}, "digest": "d1",
    }  # fmt: skip
    return CaseRow(**row | changes)


def a_proposal(version: int = 1, **changes: Any) -> ProposalRow:
    row: dict[str, Any] = {
        "id": "prop_1", "version": version, "case_id": "case_1", "account": "eu", "stripe_account": "acct_1",
        "livemode": True, "action": "refund", "target_type": "charge", "target_id": "ch_1",
        "details": {"charge": "ch_1", "amount": 1250, "currency": "eur"}, "details_digest": "d1", "snapshot": {},
        "state_hash": "s1", "execution": "daemon", "requested_by": "agent", "drafted_by": "agent",
        "policy_version": "p1",
        "policy_rule": "refund up to 500", "approvals_needed": 1, "created_at": NOW, "expires_in_s": 1800,
        "state_since": NOW,
    }  # fmt: skip
    return ProposalRow(**row | changes)


def a_decision(person: str = "ana", version: int = 1, **changes: Any) -> DecisionRow:
    row: dict[str, Any] = {
        "proposal_id": "prop_1", "version": version, "person": person, "verdict": "approve", "state_hash": "s1",
        "authority": {"role": "approver"}, "policy_version": "p1", "policy_rule": "refund up to 500", "decided_at": NOW,
    }  # fmt: skip
    return DecisionRow(**row | changes)


def an_attempt(id: str = "att_1", epoch: int = 1, **changes: Any) -> AttemptRow:
    row: dict[str, Any] = {
        "id": id, "proposal_id": "prop_1", "version": 1, "epoch": epoch, "account": "eu", "target_type": "charge",
        "target_id": "ch_1", "idempotency_key": f"rcl:prop_1:v1:e{epoch}", "request": {"amount": 1250},
        "request_digest": "r1", "claim": "c1", "claimed_at": NOW, "claimed_until": NOW + timedelta(minutes=5),
    }  # fmt: skip
    return AttemptRow(**row | changes)


def add(store: Store, *rows: Any) -> None:
    with store.transaction() as session:
        for row in rows:
            session.add(row)
            session.flush()


def refused(store: Store, *rows: Any) -> bool:
    try:
        add(store, *rows)
    except Conflict:
        return True
    return False


@pytest.fixture
def staged(store: Store) -> Store:
    add(store, a_case(), a_proposal())
    return store


def test_a_case_comes_back_as_it_was_stored(store: Store) -> None:
    add(store, a_case(amount=1250, currency="eur"))
    with store.reading() as session:
        row = session.get(CaseRow, "case_1")
        assert row is not None
        assert row.facts == {"stripe": {"plan": "pro"}, "crm": {"plan": "basic"}}
        assert (row.opened_at, row.amount, row.object_ids) == (NOW, 1250, ["cus_1", "sub_1"])


def test_a_fingerprint_has_one_case_whatever_its_state(store: Store) -> None:
    add(store, a_case("1", fingerprint="same", state="resolved", resolved_at=NOW))
    assert refused(store, a_case("2", fingerprint="same"))
    assert refused(store, a_case("3", fingerprint="same", state="snoozed", snoozed_until=NOW))


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "closed"},
        {"severity": "urgent"},
        {"severity": "critical", "severity_rank": 2},
        {"due_order": 5},
        {"due_at": NOW},
        {"due_at": NOW, "due_order": 5},
        {"amount": 1250},
        {"currency": "eur"},
        {"state": "resolved"},
        {"resolved_at": NOW},
        {"state": "snoozed"},
        {"snoozed_until": NOW},
    ],
    ids=str,
)
def test_a_case_that_contradicts_itself_is_refused(store: Store, wrong: dict[str, Any]) -> None:
    assert refused(store, a_case(**wrong))


def test_cases_are_ordered_by_urgency_and_the_index_serves_it(store: Store) -> None:
    def due(hours: int) -> dict[str, Any]:
        at = NOW + timedelta(hours=hours)
        return {
            "due_at": at,
            "due_order": (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1),
        }

    add(
        store,
        a_case("9", severity="low", due_at=None, due_order=DUE_UNKNOWN),
        a_case("8", opened_at=NOW + timedelta(1)),
        a_case("7", opened_at=NOW),
        a_case("6", amount_order=-900_00),
        a_case("5", amount_order=-1_000_00),
        a_case("4", **due(48)),
        a_case("3", **due(24)),
        a_case("2", due_order=DUE_UNKNOWN),
        a_case("1", severity="critical", due_order=DUE_NEVER),
    )
    order = [CASES.c[name] for name in URGENCY]
    query = select(CASES.c.id).where(CASES.c.state == "open").order_by(*order)
    with store.reading() as session:
        assert list(session.scalars(query)) == list("123456789")
        assert "ix_cases_urgency" in plan(session, query)


def plan(session: Session, query: Any) -> str:
    statement = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
    if session.get_bind().dialect.name == "sqlite":
        return str(session.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all())
    session.execute(
        text("SET LOCAL enable_seqscan = off")
    )  # nine rows are not worth an index, nine thousand are
    return str(session.execute(text(f"EXPLAIN {statement}")).all())


def test_a_version_of_a_proposal_exists_once(staged: Store) -> None:
    add(staged, a_proposal(version=2))
    assert refused(staged, a_proposal(version=2))
    assert refused(staged, a_proposal(version=2, id="prop_2"))
    assert refused(staged, a_proposal(version=0))
    assert refused(staged, a_proposal(version=3, case_id="of no case"))


def test_what_a_proposal_says_never_changes_but_its_state_moves(staged: Store) -> None:
    with staged.transaction() as session:
        session.execute(text("UPDATE proposals SET state = 'approved', state_since = state_since + 1"))
    for change in (
        "UPDATE proposals SET details = '{}'",
        "UPDATE proposals SET state_hash = 's2'",
        "DELETE FROM proposals",
    ):
        with pytest.raises(Conflict, match="a proposal never changes"), staged.transaction() as session:
            session.execute(text(change))


def test_one_person_decides_once_on_one_version_and_for_good(staged: Store) -> None:
    add(staged, a_proposal(version=2), a_decision("ana", 1), a_decision("ben", 1), a_decision("ana", 2))
    assert refused(staged, a_decision("ana", 1, verdict="reject"))
    assert refused(staged, a_decision("cem", 3))
    assert refused(staged, a_decision("cem", 1, verdict="maybe"))
    for change in ("UPDATE decisions SET verdict = 'reject'", "DELETE FROM decisions"):
        with pytest.raises(Conflict, match="a decision is written once"), staged.transaction() as session:
            session.execute(text(change))


@pytest.mark.parametrize("unfinished", ["claimed", "sent", "unknown"])
def test_an_object_has_one_unfinished_attempt(staged: Store, unfinished: str) -> None:
    add(staged, an_attempt("att_1", state=unfinished, sent_at=NOW))
    assert refused(staged, an_attempt("att_2", epoch=2))
    add(staged, an_attempt("att_3", epoch=3, target_id="ch_2"), an_attempt("att_4", epoch=4, account="us"))

    with staged.transaction() as session:
        session.execute(text("UPDATE attempts SET state = 'failed', finished_at = 1 WHERE id = 'att_1'"))
    add(staged, an_attempt("att_2", epoch=2))


@pytest.mark.parametrize(
    "wrong",
    [{"state": "succeeded"}, {"finished_at": NOW}, {"state": "sent"}, {"state": "lost"}, {"version": 9}],
    ids=str,
)
def test_an_attempt_that_contradicts_itself_is_refused(staged: Store, wrong: dict[str, Any]) -> None:
    assert refused(staged, an_attempt(**wrong))


def test_a_key_and_an_epoch_are_used_once(staged: Store) -> None:
    add(staged, an_attempt("att_1", state="failed", finished_at=NOW))
    assert refused(staged, an_attempt("att_2", epoch=1, idempotency_key="another", target_id="ch_2"))
    assert refused(staged, an_attempt("att_3", epoch=2, idempotency_key="rcl:prop_1:v1:e1", target_id="ch_2"))


def test_a_dismissal_holds_once_per_fingerprint(staged: Store) -> None:
    def dismissal(id: str, **changes: Any) -> DismissalRow:
        row: dict[str, Any] = {
            "id": id, "fingerprint": "same", "case_id": "case_1", "facts_hash": "f1", "person": "ana",
            "reason": "known", "dismissed_at": NOW,
        }  # fmt: skip
        return DismissalRow(**row | changes)

    add(staged, dismissal("1", ended_at=NOW), dismissal("2"))
    assert refused(staged, dismissal("3"))
    assert refused(staged, dismissal("4", fingerprint="other", case_id="of no case"))


def test_one_version_of_a_policy_is_active(store: Store) -> None:
    def policy(hash: str, *, active: bool, name: str = "default") -> PolicyRow:
        return PolicyRow(hash=hash, name=name, text="", active=active, added_at=NOW)

    add(store, policy("1", active=False), policy("2", active=True), policy("3", active=True, name="other"))
    assert refused(store, policy("4", active=True))
    add(store, policy("5", active=False))


def test_a_delivery_is_delivered_when_it_says_when(store: Store) -> None:
    def delivery(id: str, **changes: Any) -> OutboxRow:
        row: dict[str, Any] = {
            "id": id, "channel": "callback", "topic_kind": "proposal", "topic_id": "prop_1", "sequence": 1,
            "body": {}, "due": NOW, "created_at": NOW,
        }  # fmt: skip
        return OutboxRow(**row | changes)

    add(store, delivery("1"), delivery("2", state="delivered", delivered_at=NOW))
    assert refused(store, delivery("3", state="delivered"))
    assert refused(store, delivery("4", delivered_at=NOW))
    assert refused(store, delivery("5", state="lost"))
