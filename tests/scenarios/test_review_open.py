"""Payments that wait for a review."""

from accounts.stripe.shapes.payments import Outcome
from daemon.core.model import Kind, Severity
from tests.payments import ago, case, cases, charge, facts, review

KIND = Kind.REVIEW_OPEN


def test_an_open_review_stands_on_its_charge_until_it_is_closed() -> None:
    found = case(KIND, facts(reviews=(review(),), charges=(charge(),)))

    assert found.per == ("charge", "ch_1")
    assert found.severity is Severity.NORMAL
    assert (
        cases(KIND, facts(reviews=(review(open=False, closed_reason="approved"),), charges=(charge(),))) == []
    )


def test_a_review_that_names_only_the_intent_finds_its_charge() -> None:
    named = review(charge=None, payment_intent="pi_1")

    assert case(KIND, facts(reviews=(named,), charges=(charge(),))).per == ("charge", "ch_1")
    assert case(KIND, facts(reviews=(named,))).per == ("review", "prv_1")


def test_approving_is_recommended_only_for_known_customers_without_risk() -> None:
    earlier = charge("ch_0", created=ago(days=60))
    risky = charge(outcome=Outcome(type="manual_review", risk_level="elevated"))

    def recommended(*charges: object) -> str:
        found = case(KIND, facts(reviews=(review(),), charges=charges)).recommended
        assert found is not None
        return found.action

    assert recommended(charge(), earlier) == "review_approve"
    assert recommended(charge()) == "acknowledge"
    assert recommended(risky, earlier) == "acknowledge"
