"""From the request to the refund and on: with the real desk before it, and the loop after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.money import CURRENCIES, Money, exponent, step
from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from accounts.sandbox.stripe.refunds import fail
from accounts.stripe.connection import open_client
from accounts.stripe.writes import WriteClient
from daemon.actions.shape import BadDetails
from daemon.core.canonical import Json
from daemon.desk.refusals import Refusal
from daemon.desk.request import Request
from daemon.store.db import Store
from tests.act.office import Office
from tests.desk.rig import CASES, Rig

on_one_database = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
TOLD_IN = ("eur", "jpy", "isk", "ugx", "kwd")
POLICY = "".join(
    f'[[approve]]\naction = "refund"\nover = "100 {currency.upper()}"\napprovers = 2\n' for currency in TOLD_IN
) + '[[approve]]\naction = "refund"\napprovers = 1\n'  # fmt: skip


@pytest.fixture
def office(sandbox: Sandbox, store: Store, tmp_path: Path) -> Iterator[Office]:
    writes = WriteClient()
    with open_client() as reads, Rig(sandbox, store, tmp_path / "etc", policy=POLICY) as desk:
        yield Office(desk, reads, writes)
    writes.close()


def test_a_pending_refund_keeps_its_case_until_stripe_has_settled_it(office: Office) -> None:
    """Trap T30: awaiting_stripe while it is pending, and over when an event says that it has succeeded."""
    charge = office.desk.charge()
    office.fault(refunds_pending_s=120)
    staged = office.done(charge, 6_000)
    office.look(("customer", "cus_1"))
    case = office.desk.case(staged)
    assert (office.desk.state(staged), case.state, case.substate) == ("succeeded", "open", "awaiting_stripe")
    office.desk.later(seconds=121)
    (made,) = office.refunds(charge)
    assert made["status"] == "succeeded"
    office.look(("refund", made["id"]))
    case = office.desk.case(staged)
    assert (case.state, case.substate) == ("resolved", "executed")


@pytest.mark.parametrize("pending", [True, False], ids=["was_pending", "had_succeeded"])
def test_a_refund_that_fails_after_all_stands_as_a_case_of_its_own(office: Office, pending: bool) -> None:
    """Trap T30: it is done, and then an event says that it failed; the customer does not have the money."""
    office.adopted()
    charge = office.desk.charge()
    office.fault(refunds_pending_s=120 * pending, refunds_fail=True)
    staged = office.done(charge, 6_000)
    office.look(("customer", "cus_1"))
    (made,) = office.refunds(charge)
    office.desk.later(seconds=121)
    if not pending:
        office.desk.sandbox.on_loop(lambda: fail(office.account, str(made["id"])))
    office.look(("refund", str(made["id"])))
    assert office.refunds(charge)[0]["status"] == "failed"
    (case,) = office.desk.rows(CASES, account=office.slug, kind="refund_failed", state="open")
    assert made["id"] in case.object_ids
    assert office.desk.state(staged) == "succeeded", "what was done was done"
    assert len(office.refunds(charge)) == 1


def test_evidence_that_was_approved_is_no_unapproved_move_though_nobody_had_read_the_dispute(
    office: Office,
) -> None:
    """Whose it is was asked when it was staged, so that attempt and dispute are found on one customer."""
    office.adopted()
    at = int(office.desk.now().timestamp())
    office.desk.put(
        objects.dispute(
            "dp_1", created=at, amount=10_000, currency="eur", charge=office.desk.charge(), due_by=at + 86_400
        )
    )
    details: dict[str, Json] = {"dispute": "dp_1", "evidence": {"product_description": "A chair"}}
    request = Request(account=office.slug, action="dispute_evidence", details=details)
    staged = office.desk.desk.stage(office.agent, request, None)
    case = office.desk.case(staged)
    assert (case.subject_kind, case.subject_id) == ("customer", "cus_1")
    for who in (office.ana, office.ben):
        office.desk.approve(who, staged)
    office.desk.later(seconds=11)
    office.act()
    for row in (("dispute", "dp_1"), ("customer", "cus_1")):
        office.look(row)
    assert office.desk.state(staged) == "succeeded"
    assert not office.desk.rows(CASES, account=office.slug, kind="unapproved_money_move")


@on_one_database
def test_every_currency_is_refunded_in_stripes_own_minor_units(office: Office) -> None:
    """Each is staged, shown, approved and sent; ISK and UGX as if they had two decimals."""
    staged = {}
    for currency in sorted(CURRENCIES):
        amount = 50 * 10 ** exponent(currency)
        charge = office.desk.charge(2 * amount, currency)
        staged[currency] = charge, amount, office.desk.stage(office.agent, charge, amount, currency)
        row = office.desk.row(staged[currency][2])
        assert str(Money(amount, currency)) in row.effect
        assert (row.amount, row.currency, row.approvals_needed) == (amount, currency, 1)
        office.desk.approve(office.ana, staged[currency][2])
    office.desk.later(seconds=11)
    office.act()
    for currency, (charge, amount, asked) in staged.items():
        assert office.desk.state(asked) == "succeeded", currency
        assert [(each["amount"], each["currency"]) for each in office.refunds(charge)] == [(amount, currency)]


@on_one_database
@pytest.mark.parametrize("currency", TOLD_IN)
def test_amounts_are_compared_in_the_currency_they_are_in(office: Office, currency: str) -> None:
    """A limit of 100 is a hundred crowns, not one."""
    limit = 100 * 10 ** exponent(currency)
    charge = office.desk.charge(10 * limit, currency)
    at = office.desk.stage(office.agent, charge, limit, currency, key="at")
    over = office.desk.stage(office.agent, charge, limit + step(currency), currency, key="over")
    assert [office.desk.row(each).approvals_needed for each in (at, over)] == [1, 2]


@on_one_database
@pytest.mark.parametrize(
    ("amount", "currency"),
    [(100, "xyz"), (100, "btc"), (150, "isk"), (1, "ugx"), (1_001, "kwd"), (0, "eur"), (True, "eur")],
)
def test_what_stripe_does_not_take_is_refused(office: Office, amount: int, currency: str) -> None:
    charge = office.desk.charge(1_000_000, currency)
    with pytest.raises((Refusal, BadDetails)) as refused:
        office.desk.stage(office.agent, charge, amount, currency)
    assert "currency" in str(refused.value) or "amount" in str(refused.value)


@on_one_database
def test_without_an_amount_it_says_how_much_could_be_refunded(office: Office) -> None:
    charge = office.desk.charge(10_000)
    office.desk.refund_in_dashboard(charge, 2_500)
    request = office.desk.request(charge)
    details = {name: value for name, value in request.details.items() if name != "amount"}
    with pytest.raises(Refusal, match=r"75.00 EUR"):
        office.desk.desk.stage(office.agent, office.desk.request(charge, details=details), None)


def test_an_approver_who_lost_the_right_since_the_vote_has_approved_nothing(office: Office) -> None:
    """Trap T09: disabled between vote and claim; it goes back to people, and nothing is done."""
    charge = office.desk.charge()
    staged = office.desk.stage(office.agent, charge, 6_000)
    office.desk.approve(office.ana, staged)
    office.desk.change_person(office.ana, disabled_at=office.desk.now())
    office.desk.later(seconds=11)
    office.act()
    assert office.desk.state(staged) == "superseded"
    assert office.desk.state(staged, 2) == "pending"
    assert not office.refunds(charge)


def test_what_was_failed_after_it_was_asked_for_is_retried_by_a_person(office: Office) -> None:
    charge = office.desk.charge()
    office.fault(errors_before_write=1)
    staged = office.done(charge, 6_000)
    assert staged.version is not None
    for _ in range(4):
        office.desk.later(minutes=7)
        office.act()
    assert office.desk.state(staged) == "unknown"
    office.desk.desk.retry(office.ana, staged.case_id, staged.version, "Stripe says that nothing was done.")
    office.act()
    assert office.desk.state(staged) == "succeeded"
    assert len(office.refunds(charge)) == 1
