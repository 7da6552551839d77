"""A dispute that waits for an answer, and every state that looks like it and is none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.stripe.shapes import BalanceTransaction, Dispute
from daemon.core.diff import diff
from daemon.core.model import (
    DUE_UNKNOWN,
    CaseState,
    Deadlines,
    Kind,
    Money,
    Policy,
    Severity,
    Source,
    Standing,
    Subject,
    Substate,
    Switch,
)
from tests.payments import (
    NOW,
    account,
    ago,
    ahead,
    at,
    case,
    cases,
    charge,
    dispute,
    entitlement,
    facts,
    filed,
    invoice,
    invoice_payment,
    judged,
    subscription,
)

KIND = Kind.DISPUTE_DEADLINE


@pytest.mark.parametrize(
    ("due_by", "severity"),
    [
        (ahead(days=6), Severity.NORMAL),
        (ahead(hours=71), Severity.HIGH),
        (ahead(hours=23), Severity.CRITICAL),
        (ago(days=2), Severity.CRITICAL),
        (None, Severity.CRITICAL),
    ],
)
def test_the_nearer_the_deadline_the_more_urgent(due_by: int | None, severity: Severity) -> None:
    found = case(KIND, facts(disputes=(dispute(due_by=due_by),)))

    assert found.severity is severity
    assert found.amount == Money(4900, "eur")
    assert found.due_at == (DUE_UNKNOWN if due_by is None else datetime.fromtimestamp(due_by, UTC))


@pytest.mark.parametrize(
    "quiet",
    [
        dispute(due_by=ahead(days=30)),
        dispute(due_by=0),
        dispute(due_by=ahead(days=2), submitted=1, status="under_review"),
        dispute(due_by=ahead(days=2), submitted=1),
        dispute(due_by=ago(days=9), status="won", submitted=1),
        dispute(due_by=ago(days=9), status="lost"),
        dispute(due_by=None, status="prevented"),
        dispute(due_by=ago(days=5), status="warning_closed"),
        dispute(due_by=ahead(days=1), status="warning_under_review", submitted=1),
        dispute(due_by=ahead(days=4), status="appeal_needs_response", submitted=1),
        dispute(due_by=ahead(days=3), status="appeal_needs_response"),
        dispute(due_by=None, status="appeal_under_review", submitted=2),
    ],
    ids=lambda each: f"{each.status}-{each.evidence_details.due_by}",
)
def test_no_case_where_no_answer_is_due_now(quiet: Dispute) -> None:
    assert cases(KIND, facts(disputes=(quiet,))) == []


def test_staged_evidence_is_not_submitted_evidence() -> None:
    found = case(KIND, facts(disputes=(dispute(due_by=ahead(days=2), has_evidence=True),)))

    assert found.notes["staged_evidence"] is True


def test_an_inquiry_says_that_no_money_was_withdrawn_and_is_never_accepted() -> None:
    inquiry = dispute(due_by=ahead(days=4), status="warning_needs_response", amount=500)

    found = case(KIND, facts(disputes=(inquiry,), charges=(charge(amount=500),)))

    assert "no money was withdrawn" in found.title
    assert found.notes["money_withdrawn"] is False
    assert found.recommended is not None
    assert found.recommended.action == "dispute_evidence"
    assert found.drafts == ()


def test_a_chargeback_shows_what_was_taken_and_its_fee() -> None:
    taken = BalanceTransaction(
        id="txn_1", amount=-4900, created=ago(days=5), currency="eur", fee=2000, net=-6900, type="adjustment"
    )

    found = case(KIND, facts(disputes=(dispute(due_by=None, balance_transactions=(taken,)),)))

    assert found.notes["money_withdrawn"] is True
    assert found.notes["fees"] == ["20.00 EUR"]


def test_accepting_is_recommended_where_most_answers_would_have_to_win() -> None:
    small, large = dispute("dp_1", due_by=None, amount=1999), dispute("dp_2", due_by=None, amount=2001)

    first, second = cases(KIND, facts(disputes=(small, large)))

    assert first.recommended is not None
    assert first.recommended.action == "dispute_accept"
    assert first.recommended.details == {"dispute": "dp_1"}
    assert [each.action for each in first.drafts] == ["dispute_evidence"]
    assert second.recommended is not None
    assert second.recommended.action == "dispute_evidence"
    assert second.notes["arithmetic"] == {
        "accepting_loses": "20.01 EUR",
        "fee_of_an_answer": "20.00 EUR",
        "answers_must_win_percent": 50,
        "recommended": "answer",
    }


def test_a_currency_without_a_known_fee_is_answered() -> None:
    found = case(KIND, facts(disputes=(dispute(due_by=None, amount=100, currency="jpy"),)))

    assert found.recommended is not None
    assert found.recommended.action == "dispute_evidence"


def test_a_window_that_would_open_on_a_weekend_opens_on_friday_where_the_account_is() -> None:
    # Due on Sunday the 15th at 18:00 UTC; 24 hours before is Saturday. In Berlin Friday 18:00 UTC is 19:00.
    due = datetime(2026, 3, 15, 18, tzinfo=UTC)
    known = facts(disputes=(dispute(due_by=at(due)),), account=account(timezone=ZoneInfo("Europe/Berlin")))
    friday = datetime(2026, 3, 13, 18, tzinfo=UTC)

    assert case(KIND, known, now=friday - timedelta(seconds=1)).severity is Severity.HIGH
    assert case(KIND, known, now=friday).severity is Severity.CRITICAL
    weekends = Policy(deadlines=Deadlines(business_days=False))
    assert case(KIND, known, weekends, now=friday).severity is Severity.HIGH


def test_every_moment_at_which_the_urgency_changes_is_looked_at() -> None:
    known, now, seen = facts(disputes=(dispute(due_by=ahead(days=30)),)), NOW, list[Severity | None]()
    while (again := judged(KIND, known, now=now).look_again_at) is not None:
        assert cases(KIND, known, now=again - timedelta(seconds=1)) == cases(KIND, known, now=now)
        now = again
        seen.append(case(KIND, known, now=now).severity)

    assert seen == [Severity.NORMAL, Severity.HIGH, Severity.CRITICAL, Severity.CRITICAL]


def test_a_deadline_that_stripe_moves_moves_the_case() -> None:
    """Trap E12."""
    near, moved = dispute(due_by=ahead(hours=20)), dispute(due_by=ahead(days=5))

    before, after = (case(KIND, facts(disputes=(each,))) for each in (near, moved))

    assert after.severity is Severity.NORMAL
    assert after.due_at == NOW + timedelta(days=5)
    assert before.facts_hash != after.facts_hash  # a dismissal was for the old deadline
    assert before.fingerprint(account()) == after.fingerprint(account())


def test_an_unknown_deadline_is_the_most_urgent_one() -> None:
    """Trap E13."""
    found = case(KIND, facts(disputes=(dispute(due_by=None),)))

    assert found.due_at is DUE_UNKNOWN
    assert "nobody knows until when" in found.title


@pytest.mark.parametrize(
    ("now_is", "substate"),
    [
        (dispute(due_by=ago(days=1), status="lost"), Substate.MISSED_DEADLINE),
        (dispute(due_by=ago(days=1), status="warning_closed"), Substate.MISSED_DEADLINE),
        (dispute(due_by=ahead(days=1), status="under_review", submitted=1), Substate.DONE_ELSEWHERE),
        (dispute(due_by=ahead(days=1), status="won"), Substate.DONE_ELSEWHERE),
        (dispute(due_by=ahead(days=3), status="lost"), Substate.AGREEMENT_RETURNED),  # accepted in time
        (dispute(due_by=ahead(days=60)), Substate.AGREEMENT_RETURNED),
    ],
)
def test_how_it_ended_is_said(now_is: Dispute, substate: Substate) -> None:
    stood = case(KIND, facts(disputes=(dispute(due_by=ago(days=1)),)))
    fingerprint = stood.fingerprint(account())
    standing = Standing(
        "case_1", fingerprint, KIND, CaseState.OPEN, Substate.ONGOING, stood.severity, stood.facts_hash, ""
    )

    changes = diff(judged(KIND, facts(disputes=(now_is,))), {fingerprint: standing}, {}, NOW, "p1")

    (change,) = changes.made
    assert change.substate is substate


def test_a_dispute_without_a_customer_is_its_own_subject() -> None:
    subject = Subject("acme", "dispute", "dp_1")

    assert case(KIND, facts(subject, disputes=(dispute(due_by=None),))).subject == subject


def test_an_unreachable_crm_delays_no_deadline_and_changes_no_case() -> None:
    whole = facts(
        disputes=(dispute(due_by=ahead(days=6)),), records=(filed(),), entitlements=(entitlement(),)
    )
    blind = facts(
        disputes=(dispute(due_by=ahead(days=6)),), unread=frozenset({Source.CRM, Source.ENTITLEMENTS})
    )
    stood = case(KIND, whole)
    fingerprint = stood.fingerprint(account())
    standing = Standing(
        "case_1",
        fingerprint,
        KIND,
        CaseState.OPEN,
        Substate.NEW,
        stood.severity,
        stood.facts_hash,
        stood.digest("p1"),
        due_at=NOW + timedelta(days=6),
    )

    assert [each.verb for each in diff(judged(KIND, blind), {}, {}, NOW, "p1").made] == ["open"]
    assert diff(judged(KIND, blind), {fingerprint: standing}, {}, NOW, "p1").made == ()
    later = NOW + timedelta(days=5, hours=12)
    urgent = diff(judged(KIND, blind, now=later), {fingerprint: standing}, {}, later, "p1").made
    assert [each.reason for each in urgent] == ["urgency_changed"]


def test_nothing_personal_is_in_what_the_case_says() -> None:
    known = facts(
        disputes=(dispute(due_by=None),),
        charges=(charge(),),
        records=(filed(name="Ada Lovelace"),),
        subscriptions=(subscription(),),
        invoices=(invoice(status="paid"),),
        invoice_payments=(invoice_payment(),),
    )

    found = case(KIND, known)

    assert "Ada" not in repr(found)
    assert found.recommended is not None
    assert found.recommended.personal == ("evidence",)
    assert set(found.object_ids) == {"cus_1", "dp_1", "ch_1", "in_1", "sub_1"}


def test_a_switched_off_rule_is_silent() -> None:
    off = Policy(rules={KIND: Switch(on=False)})

    assert cases(KIND, facts(disputes=(dispute(due_by=None),)), off) == []
