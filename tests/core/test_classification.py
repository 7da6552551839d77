"""Why a payment failed: every line holds for something, the first one wins, and everything has a bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.classification import (
    AUTHENTICATE,
    LINES,
    NEVER_TOLD,
    PASSING,
    SUSPECTED,
    UNUSABLE,
    Bucket,
    Signals,
    classify,
    may_be_told,
)

EXAMPLES = {
    "authentication_needed.requires_action": Signals(intent_status="requires_action"),
    "authentication_needed.code": Signals(codes=frozenset({"card_declined", "authentication_required"})),
    "missing_payment_method.none_on_file": Signals(on_file=False, charged=False),
    "missing_payment_method.never_charged": Signals(intent_status="requires_payment_method", charged=False),
    "missing_payment_method.code": Signals(codes=frozenset({"expired_card"})),
    "missing_payment_method.advice": Signals(advice=frozenset({"confirm_card_data"})),
    "high_risk_churn.blocked": Signals(outcome="blocked"),
    "high_risk_churn.risk_level": Signals(risk_level="highest"),
    "high_risk_churn.code": Signals(codes=frozenset({"stop_payment_order"})),
    "high_risk_churn.do_not_try_again": Signals(advice=frozenset({"do_not_try_again"})),
    "high_risk_churn.leaving": Signals(leaving=True, codes=frozenset({"insufficient_funds"})),
    "high_risk_churn.disputed": Signals(disputed=True),
    "high_risk_churn.warned": Signals(warned=True),
    "high_risk_churn.retries_spent": Signals(attempts=4, retries_left=False),
    "temporary_failure.code": Signals(codes=frozenset({"card_declined", "insufficient_funds"})),
    "temporary_failure.advice": Signals(advice=frozenset({"try_again_later"})),
    "unknown": Signals(codes=frozenset({"card_declined", "do_not_honor"})),
}
CODES = sorted(
    AUTHENTICATE | UNUSABLE | SUSPECTED | PASSING | NEVER_TOLD | {"generic_decline", "do_not_honor"}
)


def test_every_line_has_an_example() -> None:
    assert [line.id for line in LINES] == list(EXAMPLES)


@pytest.mark.parametrize("id", EXAMPLES)
def test_this_line_decides(id: str) -> None:
    assert classify(EXAMPLES[id]).id == id
    assert id.startswith(classify(EXAMPLES[id]).bucket.value)


def test_an_id_names_one_line() -> None:
    assert len({line.id for line in LINES}) == len(LINES)


@pytest.mark.parametrize(
    ("signals", "id"),
    [
        # Retries are scheduled but Stripe will not carry them out: the bank wants to see the customer.
        (Signals(codes=frozenset({"authentication_required"}), attempts=9, retries_left=False),
         "authentication_needed.code"),
        (Signals(codes=frozenset({"stolen_card"}), outcome="blocked"), "missing_payment_method.code"),
        (Signals(attempts=4, retries_left=True), "unknown"),
        (Signals(attempts=3, retries_left=False), "unknown"),
        (Signals(on_file=False, charged=False, codes=frozenset({"insufficient_funds"})), "temporary_failure.code"),
    ],
)  # fmt: skip
def test_the_first_line_that_holds_wins(signals: Signals, id: str) -> None:
    assert classify(signals).id == id


@given(
    st.builds(
        Signals,
        intent_status=st.sampled_from(
            [None, "requires_action", "requires_payment_method", "canceled", "new"]
        ),
        codes=st.frozensets(st.sampled_from(CODES), max_size=3),
        advice=st.frozensets(
            st.sampled_from(["confirm_card_data", "do_not_try_again", "try_again_later", "new"])
        ),
        outcome=st.sampled_from([None, "issuer_declined", "blocked", "invalid", "new"]),
        risk_level=st.sampled_from([None, "normal", "elevated", "highest"]),
        on_file=st.booleans(),
        charged=st.booleans(),
        leaving=st.booleans(),
        disputed=st.booleans(),
        warned=st.booleans(),
        attempts=st.integers(0, 12),
        retries_left=st.booleans(),
    )
)
def test_whatever_comes_has_one_bucket_and_nothing_before_it_holds(signals: Signals) -> None:
    line = classify(signals)

    assert isinstance(line.bucket, Bucket)
    assert not any(each.holds(signals) for each in LINES[: LINES.index(line)])
    if signals.codes & NEVER_TOLD:
        assert not may_be_told(signals)
