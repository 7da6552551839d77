"""Payouts that the bank sent back."""

from datetime import timedelta
from typing import Any

from accounts.facts import Subject
from daemon.core.model import Kind, Money, Severity, Source
from tests.payments import ADOPTED, account, ago, at, case, cases, facts, payout

KIND = Kind.PAYOUT_FAILED
PAYOUT = Subject("acme", "payout", "po_1")
FAILED_AT = ADOPTED + timedelta(days=7)
FAILED = {(Source.PAYOUTS, "po_1", "failed"): FAILED_AT}


def test_a_payout_that_failed_after_it_was_paid_stands() -> None:
    old = payout(created=at(ADOPTED - timedelta(days=1)))

    found = case(KIND, facts(PAYOUT, payouts=(old,), reached=FAILED))

    assert found.severity is Severity.HIGH
    assert found.amount == Money(90_000, "eur")
    assert "account closed" in found.title


def test_one_that_failed_before_anybody_looked_does_not() -> None:
    assert cases(KIND, facts(PAYOUT, payouts=(payout(created=ago(days=20)),))) == []
    assert cases(KIND, facts(PAYOUT, payouts=(payout(),), account=account(adopted=None))) == []


def test_only_failed_is_failed() -> None:
    for status in ("paid", "pending", "in_transit", "canceled"):
        assert cases(KIND, facts(PAYOUT, payouts=(payout(status=status),))) == []


def test_a_later_success_ends_it_and_one_that_was_under_way_does_not() -> None:
    failed = payout()

    def with_other(**changes: Any) -> int:
        other = payout("po_2", status="paid", **changes)
        return len(cases(KIND, facts(PAYOUT, payouts=(failed, other), reached=FAILED)))

    assert with_other(created=at(FAILED_AT + timedelta(days=1))) == 0
    assert with_other(created=at(FAILED_AT - timedelta(days=1))) == 1
    assert with_other(created=at(FAILED_AT + timedelta(days=1)), currency="usd") == 1
    assert with_other(created=at(FAILED_AT + timedelta(days=1)), amount=100) == 1


def test_a_payout_says_nothing_about_the_others() -> None:
    known = facts(Subject("acme", "payout", "po_2"), payouts=(payout(), payout("po_2", status="paid")))

    assert cases(KIND, known) == []
