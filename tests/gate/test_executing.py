"""What callers do with an approval, and what reconciliation makes of it."""

from datetime import timedelta

import pytest

from tests.gate.shop import Gate

APPROVED = 6_000


def approved(gate: Gate, charge: str) -> str:
    """A refund that was asked for, approved, and told so; the idempotency key that came with it."""
    ana = gate.served.person("ana")
    id = gate.ask(charge, APPROVED)["id"]
    gate.approve(ana, gate.row(id))
    told = gate.shown(id)
    assert told["status"] == "APPROVED"
    key: str = told["stripeIdempotencyKey"]
    return key


def test_a_refund_that_is_made_as_approved_leaves_nothing_standing(gate_everywhere: Gate) -> None:
    """Trap T32: the caller does what was approved."""
    gate = gate_everywhere
    gate.adopt()
    charge = gate.rig.charge()
    assert gate.refund(charge, APPROVED, approved(gate, charge)).status_code == 200
    assert gate.standing() == []
    gate.rig.later(hours=2)
    assert gate.standing() == [], "nor once the approval is over"


def test_another_amount_than_approved_is_executed_differently(gate_everywhere: Gate) -> None:
    """Trap T32: the caller refunds more than was approved."""
    gate = gate_everywhere
    gate.adopt()
    charge = gate.rig.charge()
    assert gate.refund(charge, APPROVED + 1_500, approved(gate, charge)).status_code == 200
    assert gate.standing() == [("executed_differently", 1_500)]


def test_an_approval_that_nobody_used_by_its_expiry_is_told_of(gate_everywhere: Gate) -> None:
    """Trap T32: the caller never executes."""
    gate = gate_everywhere
    gate.adopt()
    charge = gate.rig.charge()
    approved(gate, charge)
    assert gate.standing() == [], "it may still come"
    gate.rig.later(minutes=31)
    assert gate.standing() == [("approved_not_executed", APPROVED)]


def test_a_refund_after_the_expiry_is_not_covered_by_the_approval(gate: Gate) -> None:
    gate.adopt()
    charge = gate.rig.charge()
    key = approved(gate, charge)
    gate.rig.later(hours=1)
    assert gate.refund(charge, APPROVED, key).status_code == 200
    assert gate.standing() == [("approved_not_executed", APPROVED), ("unapproved_money_move", APPROVED)]


@pytest.mark.parametrize("asked", ["never", "undecided", "rejected"])
def test_a_refund_that_nobody_approved_stands_out(gate: Gate, asked: str) -> None:
    """Trap T32: whatever was asked, nobody has said yes."""
    gate.adopt()
    charge = gate.rig.charge()
    if asked != "never":
        id = gate.ask(charge, APPROVED)["id"]
        if asked == "rejected":
            gate.decide(gate.served.person("ana"), "reject", gate.row(id), note="No.")
    assert gate.refund(charge, APPROVED).status_code == 200
    assert gate.standing() == [("unapproved_money_move", APPROVED)]


def test_two_workers_that_both_hear_of_an_approval_refund_once(gate_everywhere: Gate) -> None:
    """Trap T31: both are handed the same idempotency key, so that Stripe makes one refund of it."""
    gate = gate_everywhere
    ana, charge = gate.served.person("ana"), gate.rig.charge()
    id = gate.ask(charge, 4_000)["id"]
    gate.approve(ana, gate.row(id))
    first, second = (gate.meanwhile(gate.shown, id) for _ in range(2))
    keys = [each.result()["stripeIdempotencyKey"] for each in (first, second)]
    assert keys[0]
    assert keys[0] == keys[1]
    made = [gate.refund(charge, 4_000, key).json()["id"] for key in keys]
    assert made[0] == made[1]


def test_an_approval_says_until_when_it_holds(gate: Gate) -> None:
    ana = gate.served.person("ana")
    id = gate.ask(gate.rig.charge())["id"]
    gate.decide(ana, "approve", gate.row(id))
    early = gate.shown(id)
    assert (early["status"], early["stripeIdempotencyKey"], early["approvalExpiresAt"]) == (
        "PENDING",
        None,
        None,
    )
    gate.undone_no_more()
    told, row = gate.shown(id), gate.row(id)
    assert told["status"] == "APPROVED"
    assert told["approvalExpiresAt"] == row.expires_at.isoformat().replace("+00:00", "Z")
    assert row.expires_at == row.executable_at + timedelta(minutes=30)
    assert told["execution"]["mode"] == "caller"


def test_what_the_caller_executes_is_never_executed_here(gate: Gate) -> None:
    ana, charge = gate.served.person("ana"), gate.rig.charge()
    id = gate.ask(charge)["id"]
    gate.approve(ana, gate.row(id))
    gate.served.flows.executor.act(gate.rig.slug)
    assert gate.row(id).state == "approved"
    assert gate.refund(charge, 10_000).status_code == 200, "nothing of it was refunded before"
