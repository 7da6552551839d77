"""What should stand and what should not: drift either way, grace, what comes back, two who look at once."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from accounts.facts import Subject
from accounts.sandbox import objects
from accounts.sandbox.business.billing import newest_paid, subscribe
from accounts.sandbox.business.disagreements import SHORT_OF_MONEY, agreeing
from accounts.sandbox.business.records import entitle, moment, record
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.business.trouble import dispute
from daemon import rejudge
from daemon import settings as configured
from daemon.loop import LEASE
from daemon.scan import EVERYTHING
from daemon.store import policies, worklist
from daemon.store.errors import LostTake, Renamed, StoreError
from daemon.wiring.flows import POLICIES
from tests.loop.rig import Rig
from tests.traps.scene import EU, notes, paying

LONG_AGO_S = DAY_S
WAIT_S = 20.0


def about(rig: Rig, customer: str) -> dict[str, Any]:
    """The standing cases of a customer, by kind."""
    return {row.kind: row for row in rig.standing() if row.subject_id == customer}


def write_in_crm(rig: Rig, customer: str, **changes: Any) -> None:
    """The CRM says something else of a customer, and has said so for long."""

    def do() -> None:
        for each in rig.sandbox.world.crm:
            if each["stripe_customer"] == customer:
                each |= changes | {"updated": moment(rig.sandbox.world.clock.now() - LONG_AGO_S)}

    rig.sandbox.on_loop(do)


def pass_over_the_others(rig: Rig) -> None:
    rig.read_records()
    rig.read_entitlements()
    rig.rest()


def test_drift_in_either_direction_is_a_case_and_so_is_a_side_that_is_missing(rig: Rig) -> None:
    """Trap D4: too much, too little, and nothing at all."""
    less, more, gone = paying(rig).customer, paying(rig).customer, paying(rig).customer
    billed = Decimal("49.00")
    write_in_crm(rig, less, mrr=str(billed - 20))
    write_in_crm(rig, more, mrr=str(billed + 20))

    def forget() -> None:
        rows = rig.sandbox.world.crm
        rows[:] = [each for each in rows if each["stripe_customer"] != gone]

    rig.sandbox.on_loop(forget)
    for _ in range(2):
        pass_over_the_others(rig)
        rig.sandbox.advance("11m")
    assert about(rig, less).keys() == about(rig, more).keys() == {"revenue_mismatch"}
    amounts = [about(rig, each)["revenue_mismatch"].amount for each in (less, more)]
    assert amounts == [2000, 2000]
    assert about(rig, gone).keys() == {"crm_record_missing"}


def test_of_two_live_subscriptions_and_of_two_records_none_is_picked(rig: Rig) -> None:
    """Traps D2 and D5: what is ambiguous is one case that names all of them, and nothing is settled with the first."""

    def twice(shop: Shop) -> str:
        customer = shop.customer()
        both = subscribe(shop, customer), subscribe(shop, customer, "basic_month")
        for each in both:
            entitle(shop, each)
            record(shop, customer, *both)
        return customer

    customer = rig.on(EU, twice)
    rig.told()
    rig.read_everything()
    rig.rest()
    found = about(rig, customer)
    assert found.keys() == {"duplicate_record"}
    case = found["duplicate_record"]
    keys = {each["key"] for each in rig.sandbox.world.crm if each["stripe_customer"] == customer}
    assert len(keys) == 2
    assert keys <= set(case.object_ids)


def test_who_is_past_due_keeps_access_until_the_grace_is_over_and_then_at_once(rig: Rig) -> None:
    """Trap D8: dunning is no reason to close anybody's access."""

    def falls_behind(shop: Shop) -> str:
        made = subscribe(shop, shop.customer(), status="past_due", into_s=4 * DAY_S, last=SHORT_OF_MONEY)
        record(shop, made.customer, made)
        entitle(shop, made)
        return made.customer

    customer = rig.on(EU, falls_behind)
    rig.told()
    rig.read_everything()
    rig.rest()
    for _ in range(2):
        assert about(rig, customer).keys() == {"payment_failed"}
        rig.sandbox.advance("1d")
        rig.rest()
    rig.sandbox.advance("1d")  # nobody says anything; the week is over
    rig.rest()
    assert about(rig, customer).keys() == {"payment_failed", "grace_expired"}


def test_a_disagreement_that_is_seen_a_hundred_times_is_one_case(rig: Rig) -> None:
    """Trap D7: one row and one line in the journal, however often it is seen; resolved and back, it is the same."""
    customer = paying(rig).customer
    write_in_crm(rig, customer, status="churned")
    pass_over_the_others(rig)
    case = about(rig, customer)["crm_status_mismatch"]
    for _ in range(100):
        with rig.store.transaction() as session:
            rig.works.rejudging.request(session, [EU])
        rig.mark(EU, "customer", customer, reading=False)
        rig.rest()
    again = about(rig, customer)["crm_status_mismatch"]
    assert (again.id, again.seen_count, again.digest) == (case.id, 1, case.digest)
    assert notes(rig, case) == ["case_opened"]

    write_in_crm(rig, customer, status="active")
    pass_over_the_others(rig)
    assert about(rig, customer) == {}
    write_in_crm(rig, customer, status="churned")
    pass_over_the_others(rig)
    rig.sandbox.advance("11m")
    pass_over_the_others(rig)
    back = about(rig, customer)["crm_status_mismatch"]
    assert (back.id, back.seen_count) == (case.id, 2)
    assert notes(rig, case) == ["case_opened", "case_resolved", "case_reopened"]


def test_a_policy_that_changes_during_a_pass_judges_everything_once_more(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap D10: at the end every case stands by one version, and says by which."""
    monkeypatch.setattr(rejudge, "SUBJECTS_A_STEP", 5)
    customer = paying(rig).customer
    write_in_crm(rig, customer, status="churned")
    pass_over_the_others(rig)
    assert about(rig, customer)
    with rig.store.transaction() as session:
        rig.works.rejudging.request(session, rig.accounts)
    assert rig.works.rejudging.step(EU)

    text = (rig.folder / "policy.toml").read_text() + "\n[rules]\ncrm_status_mismatch = false\n"
    with rig.store.transaction() as session:
        version = policies.add(session, "default", text, rig.now())
        policies.activate(session, "default", version.hash, rig.now())
    rig.turns.wake(POLICIES, EVERYTHING)
    rig.rest()
    assert rig.standing()
    assert {row.policy_version for row in rig.standing()} == {version.hash}
    assert rig.stands("crm_status_mismatch") == []


def test_money_that_looks_different_and_is_not_disagrees_with_nothing(rig: Rig) -> None:
    """Trap D14: a partial capture whose remainder comes back as a refund, a conversion, money for another account."""

    def captured_in_part(shop: Shop) -> str:
        made = agreeing(shop)
        bill = made.latest
        remainder = bill.amount // 4
        moved = shop.move(
            shop.id("re"), "refund", -remainder, "usd", bill.created
        )  # in the balance's currency
        back = objects.refund(
            shop.id("re"),
            created=shop.now,
            amount=remainder,
            currency=bill.currency,
            charge=bill.charge,
            payment_intent=bill.intent,
            customer=bill.customer,
            balance_transaction=moved["id"],
            reason="expired_uncaptured_charge",
        )
        shop.keep(back, "refund.created")
        shop.change(
            "charge",
            bill.charge,
            "charge.captured",
            amount_captured=bill.amount - remainder,
            amount_refunded=remainder,
            transfer_data={"destination": "acct_1SomebodyElse", "amount": None},
        )
        return made.customer

    customer = rig.on(EU, captured_in_part)
    rig.hear()
    rig.rest()
    rig.read_everything()
    rig.sandbox.advance("11m")
    pass_over_the_others(rig)
    assert about(rig, customer) == {}


def run_both(*both: Callable[[], object]) -> list[BaseException]:
    """Each in a thread of its own; gives what they raised."""
    raised: list[BaseException] = []

    def guarded(do: Callable[[], object]) -> None:
        try:
            do()
        except (LostTake, StoreError) as lost:
            raised.append(lost)

    threads = [threading.Thread(target=guarded, args=(each,)) for each in both]
    for each in threads:
        each.start()
    for each in threads:
        each.join(WAIT_S)
    assert not any(each.is_alive() for each in threads)
    return raised


def together(rig: Rig, monkeypatch: pytest.MonkeyPatch, threads: int = 2) -> None:
    """Those who judge wait for each other before they write anything."""
    barrier = threading.Barrier(threads, timeout=WAIT_S)
    verdicts = rig.works.judging.verdicts

    def all_at_once(*given: Any) -> Any:
        found = verdicts(*given)
        barrier.wait()
        return found

    monkeypatch.setattr(type(rig.works.judging), "verdicts", lambda self, *given: all_at_once(*given))


def dispute_one(rig: Rig) -> str:
    customer = paying(rig).customer
    rig.on(
        EU,
        lambda shop: dispute(shop, newest_paid(shop, customer), due_by=shop.now + 2 * DAY_S, ago_s=0),
    )
    rig.told()
    return customer


def test_two_looks_that_see_the_same_at_once_open_one_case(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap T36: one case, seen once, and one line in the journal; the slower look keeps nothing."""
    customer = dispute_one(rig)
    (disputed,) = rig.on(EU, lambda shop: [each["id"] for each in shop.account.newest_first("dispute")][:1])
    rig.mark(EU, "dispute", disputed)
    rig.turns.waiting.clear()

    def take() -> list[worklist.Taken]:
        with rig.store.transaction() as session:
            return worklist.take(session, EU, now=rig.now(), lease=LEASE)

    first = take()
    rig.sandbox.advance(f"{int(LEASE / timedelta(minutes=1)) + 1}m")
    second = take()
    assert Subject(EU, "dispute", disputed) in {each.subject for each in first} & {
        each.subject for each in second
    }
    with monkeypatch.context() as patched:
        together(rig, patched)
        raised = run_both(lambda: rig.works.loop.look(EU, first), lambda: rig.works.loop.look(EU, second))
    assert len(raised) == 1
    rig.rest()
    case = about(rig, customer)["dispute_deadline"]
    assert case.seen_count == 1
    assert notes(rig, case) == ["case_opened"]


def test_a_look_and_a_pass_that_see_the_same_at_once_open_one_case(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap T36: the pass judges the same customer at the same time; whoever comes second finds the case there."""
    customer = dispute_one(rig)
    rig.read_stripe(EU)
    rig.mark(EU, "customer", customer, reading=False)
    rig.turns.waiting.clear()
    with rig.store.transaction() as session:
        taken = worklist.take(session, EU, now=rig.now(), lease=LEASE)
    assert customer in {each.subject.id for each in taken}
    with monkeypatch.context() as patched, capture_logs():
        together(rig, patched)
        run_both(lambda: rig.works.loop.look(EU, taken), lambda: rig.works.rejudging.step(EU))
    rig.sandbox.advance(f"{int(LEASE / timedelta(minutes=1)) + 1}m")
    rig.rest()
    case = about(rig, customer)["dispute_deadline"]
    assert case.seen_count == 1
    assert notes(rig, case) == ["case_opened"]


def configure(rig: Rig, old: str, new: str) -> None:
    file = rig.folder / "reconciled.toml"
    file.write_text(file.read_text().replace(old, new))
    rig.settings = configured.load(file)


def test_what_is_stored_under_a_name_stays_one_accounts_whatever_the_configuration_says(rig: Rig) -> None:
    """Trap T42: an account that gets another name, or another's, is told so, and its cases stay what they are."""
    before = {row.id: (row.fingerprint, row.digest) for row in rig.standing()}
    assert before
    known, other = 'id = "acme-eu"', 'stripe_account = "acct_1SandboxAcmeEu"'
    for old, new, says in (
        (known, 'id = "europe"', 'id = "acme-eu"'),
        (other, 'stripe_account = "acct_1SomebodyElse"', "acct_1SandboxAcmeEu (live)"),
    ):
        configure(rig, old, new)
        with pytest.raises(Renamed, match=re.escape(says)):
            rig.start()
        configure(rig, new, old)
    rig.start_again()
    rig.read_everything()
    rig.rest()
    assert {row.id: (row.fingerprint, row.digest) for row in rig.standing()} == before
    assert {row.seen_count for row in rig.standing()} == {1}
