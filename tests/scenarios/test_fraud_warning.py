"""A warning of fraud, as long as there is something left to prevent."""

from daemon.core.model import Kind, Money, Policy, Severity, Switch
from tests.payments import ago, case, cases, charge, dispute, facts, refund, warning

KIND = Kind.FRAUD_WARNING


def test_an_actionable_warning_stands_on_its_charge() -> None:
    found = case(KIND, facts(fraud_warnings=(warning(),), charges=(charge(),)))

    assert found.per == ("charge", "ch_1")
    assert found.severity is Severity.HIGH
    assert found.amount == Money(4900, "eur")
    assert {"ch_1", "issfr_1"} <= set(found.object_ids)


def test_two_warnings_of_one_charge_are_one_case() -> None:
    both = (warning("issfr_1"), warning("issfr_2"))

    assert len(cases(KIND, facts(fraud_warnings=both, charges=(charge(),)))) == 1


def test_nothing_is_left_to_prevent() -> None:
    paid = charge()
    assert cases(KIND, facts(fraud_warnings=(warning(actionable=False),), charges=(paid,))) == []
    refunded = charge(refunded=True, amount_refunded=4900)
    assert cases(KIND, facts(fraud_warnings=(warning(),), charges=(refunded,))) == []
    disputed = charge(disputed=True)
    assert cases(KIND, facts(fraud_warnings=(warning(),), charges=(disputed,))) == []
    # The charge was read before the dispute came.
    known = facts(fraud_warnings=(warning(),), charges=(paid,), disputes=(dispute(due_by=ago(days=1)),))
    assert cases(KIND, known) == []


def test_a_partial_refund_leaves_the_rest_at_risk() -> None:
    part = charge(amount_refunded=3000)

    found = case(KIND, facts(fraud_warnings=(warning(),), charges=(part,), refunds=(refund(amount=3000),)))

    assert found.amount == Money(1900, "eur")


def test_a_refund_is_recommended_where_it_costs_no_more_than_the_fee() -> None:
    known = facts(fraud_warnings=(warning(),), charges=(charge(amount=2000),))

    found = case(KIND, known)

    assert found.recommended is not None
    assert found.recommended.action == "refund"
    assert found.recommended.details == {
        "charge": "ch_1",
        "amount": 2000,
        "currency": "eur",
        "reason": "fraudulent",
    }
    dear = case(KIND, facts(fraud_warnings=(warning(),), charges=(charge(amount=2001),)))
    assert dear.recommended is not None
    assert dear.recommended.action == "acknowledge"
    agreed = Policy(rules={KIND: Switch(parameters={"dispute_fee": ["50 EUR"]})})
    cheaper = case(KIND, facts(fraud_warnings=(warning(),), charges=(charge(amount=2001),)), agreed)
    assert cheaper.recommended is not None
    assert cheaper.recommended.action == "refund"
