"""Refunds that did not reach the customer."""

from datetime import timedelta
from typing import Any

from daemon.core.diff import Verb, diff
from daemon.core.model import CaseState, Kind, Money, Severity, Source, Standing, Substate
from tests.payments import ADOPTED, NOW, account, ago, at, case, cases, charge, facts, judged, refund

KIND = Kind.REFUND_FAILED
FAILED_AT = ADOPTED + timedelta(days=5)
FAILED = {(Source.REFUNDS, "re_1", "failed"): FAILED_AT}
BEFORE = at(ADOPTED - timedelta(days=10))


def test_pending_then_succeeded_then_failed_days_later() -> None:
    """Traps D12 and T30: a refund that comes back."""
    for status in ("pending", "succeeded", "requires_action"):
        assert cases(KIND, facts(refunds=(refund(status=status, created=BEFORE),))) == []
    failed = refund(status="failed", created=BEFORE, failure_reason="lost_or_stolen_card")

    found = case(KIND, facts(refunds=(failed,), reached=FAILED))

    assert found.severity is Severity.HIGH
    assert found.amount == Money(2000, "eur")
    assert {"re_1", "ch_1"} <= set(found.object_ids)


def test_a_case_that_was_made_good_comes_back_when_the_second_refund_fails_too() -> None:
    first = refund(status="failed", created=BEFORE)
    second = refund("re_2", created=at(FAILED_AT + timedelta(days=1)))
    stood = case(KIND, facts(refunds=(first,), reached=FAILED))
    fingerprint = stood.fingerprint(account())
    row = Standing(
        "case_1", fingerprint, KIND, CaseState.OPEN, Substate.NEW, stood.severity, stood.facts_hash, ""
    )
    ended = diff(
        judged(KIND, facts(refunds=(first, second), reached=FAILED)), {fingerprint: row}, {}, NOW, "p1"
    )
    assert [each.verb for each in ended.made if each.fingerprint == fingerprint] == [Verb.RESOLVE]

    again = cases(
        KIND, facts(refunds=(first, refund("re_2", status="failed", created=second.created)), reached=FAILED)
    )
    assert [each.per[1] for each in again] == ["re_1", "re_2"]


def test_one_that_failed_before_anybody_looked_does_not_stand() -> None:
    failed = refund(status="failed", created=BEFORE)

    assert cases(KIND, facts(refunds=(failed,))) == []
    before = {(Source.REFUNDS, "re_1", "failed"): ADOPTED - timedelta(seconds=1)}
    assert cases(KIND, facts(refunds=(failed,), reached=before)) == []


def test_a_canceled_refund_has_not_failed() -> None:
    assert cases(KIND, facts(refunds=(refund(status="canceled"),))) == []


def test_only_a_later_refund_of_at_least_as_much_makes_it_good() -> None:
    failed = refund(status="failed", created=BEFORE)

    def with_other(**changes: Any) -> int:
        given = {"created": at(FAILED_AT + timedelta(days=1))} | changes
        return len(cases(KIND, facts(refunds=(failed, refund("re_2", **given)), reached=FAILED)))

    assert with_other() == 0
    assert with_other(amount=4900) == 0
    assert with_other(amount=1999) == 1
    assert with_other(charge="ch_2") == 1
    assert with_other(status="pending") == 1
    assert with_other(created=at(FAILED_AT - timedelta(days=1))) == 1  # the other half, from before


def test_one_later_refund_makes_good_one_failure() -> None:
    two = (
        refund("re_1", status="failed", created=BEFORE),
        refund("re_2", status="failed", created=BEFORE + 1),
    )
    both_failed = FAILED | {(Source.REFUNDS, "re_2", "failed"): FAILED_AT}
    later = refund("re_3", created=at(FAILED_AT + timedelta(days=1)))

    assert [each.per[1] for each in cases(KIND, facts(refunds=(*two, later), reached=both_failed))] == [
        "re_2"
    ]


def test_the_same_refund_is_recommended_where_the_payment_still_bears_it() -> None:
    failed = refund(status="failed", created=ago(days=2), reason="requested_by_customer")

    def recommended(**changes: Any) -> str:
        found = case(KIND, facts(refunds=(failed,), charges=(charge(**changes),))).recommended
        assert found is not None
        return found.action

    assert recommended() == "refund"
    assert recommended(amount_refunded=4000) == "acknowledge"
    assert recommended(disputed=True) == "acknowledge"
