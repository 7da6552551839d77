"""Judging one subject: what was not read says nothing, what is new may settle first, and time is told ahead."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from accounts.money import Money
from daemon.core.judge import judge
from daemon.core.model import (
    DISAGREEMENTS,
    Facts,
    Kind,
    Neighbour,
    Policy,
    Source,
    Subject,
    Switch,
    Unknowable,
    monthly_of,
)
from daemon.core.rules import BY_KIND, RULES
from tests.builders import NOW, Scene, coupon, customer, item, kinds

POLICY = Policy(version="p1")
MINUTE = timedelta(minutes=1)
SETTLE = timedelta(minutes=10)


def closed_too_early() -> Scene:
    """Pays, and the product is closed."""
    return customer().paying("pro").given("pro", status="ended").filed()


def all_at_odds() -> Scene:
    """Two of everything, and little of it fits."""
    scene = (
        customer()
        .paying("pro", item("seat", seats=3), id="sub_1")
        .paying("team", id="sub_2", status="past_due")
    )
    scene.given("basic", "ent_1", quantity=9).given("archive", "ent_2", quantity=4)
    scene.filed("crm_1", plan="free", status="churned", mrr="7.00").filed("crm_2", plan="pro")
    scene.filed("crm_3", stripe_account="acct_8").filed("crm_4", stripe_account="acct_9")
    for number in (1, 2):
        owed = Money(2000, "eur")
        scene.invoiced(f"in_{number}", "sub_2", owed, NOW - timedelta(days=20 + number))
        scene.paid(f"ch_{number}", owed, NOW - timedelta(days=number), refunded=True, amount_refunded=2000)
        scene.same_person.append(Neighbour("acct_2", f"cus_{number}", paying=True))
    return scene


def test_a_rule_whose_need_is_unread_is_not_judged_and_all_others_are() -> None:
    facts = closed_too_early().facts()

    for source in Source:
        verdict = judge(replace(facts, unread=frozenset({source})), POLICY, NOW)
        needed = {rule.kind for rule in RULES if source in rule.needs and source is not Source.PRODUCTS}
        assert verdict.judged == frozenset(Kind) - needed
        assert {each.disagreement.kind for each in verdict.wanted} <= verdict.judged


def test_products_are_needed_only_where_plans_are_named_by_them() -> None:
    scene = closed_too_early()
    scene.unread.add(Source.PRODUCTS)

    assert Kind.PLAN_MISMATCH in judge(scene.facts(), POLICY, NOW).judged
    assert Kind.PLAN_MISMATCH not in judge(scene.naming(by="product").facts(), POLICY, NOW).judged


def test_a_crm_outage_hides_no_lack_of_access() -> None:
    scene = closed_too_early()
    scene.unread.add(Source.CRM)

    verdict = judge(scene.facts(), POLICY, NOW)

    assert kinds(verdict.wanted) == ["payment_without_access"]
    assert Kind.CRM_STATUS_MISMATCH not in verdict.judged


def test_a_rule_across_accounts_waits_for_a_complete_pass_in_all_of_them() -> None:
    scene = closed_too_early()
    scene.incomplete.add(Source.CUSTOMERS)

    judged = judge(scene.facts(), POLICY, NOW).judged

    waiting = {rule.kind for rule in RULES if Source.CUSTOMERS in rule.needs_whole}
    assert waiting == frozenset(Kind) - judged
    assert waiting == {Kind.WRONG_ACCOUNT, Kind.STRIPE_CUSTOMER_MISSING, Kind.DUPLICATE_CUSTOMER}


def test_a_switched_off_rule_is_judged_and_wants_nothing() -> None:
    policy = Policy(rules={Kind.PAYMENT_WITHOUT_ACCESS: Switch(on=False)})

    verdict = judge(closed_too_early().facts(), policy, NOW)

    assert verdict.wanted == ()
    assert Kind.PAYMENT_WITHOUT_ACCESS in verdict.judged
    assert verdict.off == {Kind.PAYMENT_WITHOUT_ACCESS}


def test_what_changed_long_ago_is_settled() -> None:
    (wanted,) = judge(closed_too_early().facts(), POLICY, NOW).wanted

    assert wanted.settled


@pytest.mark.parametrize(
    ("age", "product_read", "settled"),
    [
        (SETTLE - MINUTE, timedelta(0), False),
        (SETTLE, timedelta(0), True),
        (SETTLE + MINUTE, timedelta(0), True),
        (SETTLE + MINUTE, MINUTE, True),
        (SETTLE + MINUTE, 2 * MINUTE, False),
    ],
)
def test_a_change_settles_and_both_sides_are_read_afterwards(
    age: timedelta, product_read: timedelta, settled: bool
) -> None:
    scene = closed_too_early()
    scene.changed[Source.ENTITLEMENTS, "ent_1"] = NOW - age
    scene.read_at[Source.ENTITLEMENTS] = NOW - product_read

    verdict = judge(scene.facts(), POLICY, NOW)

    assert [each.settled for each in verdict.wanted] == [settled]
    if settled:
        assert verdict.look_again_at is None
    else:
        assert verdict.look_again_at == NOW - age + SETTLE


def test_what_must_be_read_again_before_a_case_opens_is_named() -> None:
    scene = closed_too_early()
    scene.changed[Source.SUBSCRIPTIONS, "sub_1"] = NOW - SETTLE - MINUTE
    scene.read_at[Source.ENTITLEMENTS] = NOW - SETTLE

    verdict = judge(scene.facts(), POLICY, NOW)

    assert verdict.read_again == {Source.ENTITLEMENTS}
    assert judge(closed_too_early().facts(), POLICY, NOW).read_again == frozenset()


def test_a_change_of_what_a_disagreement_is_not_about_unsettles_nothing() -> None:
    scene = closed_too_early()
    scene.changed[Source.CRM, "crm_1"] = NOW
    scene.changed[Source.CUSTOMERS, "cus_1"] = NOW

    assert [each.settled for each in judge(scene.facts(), POLICY, NOW).wanted] == [True]


def test_the_end_of_access_is_looked_forward_to() -> None:
    ends = NOW + timedelta(days=3)
    scene = customer().paying("pro").filed().given("pro", expires_at=ends)
    scene.given("pro", "ent_2", expires_at=ends + timedelta(days=1))

    assert judge(scene.facts(), POLICY, NOW).look_again_at == ends
    assert judge(scene.facts(), POLICY, ends).look_again_at == ends + timedelta(days=1)
    # The last has just run out, and its renewal may be on the way.
    assert (
        judge(scene.facts(), POLICY, ends + timedelta(days=1)).look_again_at
        == ends + timedelta(days=1) + SETTLE
    )


def test_agreement_wants_nothing_and_asks_for_nothing() -> None:
    scene = customer().paying("pro").given("pro", quantity=1).filed(plan="pro", status="active", mrr="20.00")

    verdict = judge(scene.facts(), POLICY, NOW)

    assert (verdict.wanted, verdict.look_again_at, verdict.judged) == ((), None, frozenset(Kind))


def test_several_disagreements_of_one_customer_stand_side_by_side() -> None:
    wanted = judge(all_at_odds().facts(), POLICY, NOW).wanted

    assert kinds([each for each in wanted if each.disagreement.kind in DISAGREEMENTS]) == [
        "crm_status_mismatch", "duplicate_customer", "duplicate_record", "grace_expired", "plan_mismatch",
        "plan_mismatch", "refunded_with_access", "revenue_mismatch", "wrong_account",
    ]  # fmt: skip


@given(st.randoms())
def test_the_order_in_which_things_were_read_changes_no_word(shuffled: random.Random) -> None:
    facts = all_at_odds().facts()
    parts = {}
    for name in ("subscriptions", "invoices", "charges", "records", "entitlements", "same_person"):
        part = list(getattr(facts, name))
        shuffled.shuffle(part)
        parts[name] = tuple(part)

    assert said(replace(facts, **parts)) == said(facts)


def said(facts: Facts) -> dict[str, str]:
    return {each.fingerprint: each.disagreement.digest("p1") for each in judge(facts, POLICY, NOW).wanted}


def test_time_alone_changes_no_word() -> None:
    facts = all_at_odds().facts()
    later = {
        each.fingerprint: each.disagreement.digest("p1")
        for each in judge(facts, POLICY, NOW + 9 * SETTLE).wanted
    }

    assert later == said(facts)


def test_every_kind_has_a_rule_and_every_rule_is_documented() -> None:
    assert [rule.kind for rule in RULES] == list(dict.fromkeys(rule.kind for rule in RULES))
    assert set(BY_KIND) == set(Kind)
    for rule in RULES:
        first = rule.documentation.partition("\n\n")[0]
        assert first.endswith("."), rule.kind
        assert rule.settles == (rule.kind in DISAGREEMENTS)


def test_every_rule_is_silent_about_a_subject_of_which_nothing_is_known() -> None:
    bare = customer().facts()
    for kind in ("customer", "charge", "refund", "dispute", "payout", "account", "payment_intent"):
        empty = replace(bare, subject=Subject("acme", kind, "x"), customer=None, person=None)
        assert judge(empty, POLICY, NOW).wanted == ()


def test_every_disagreement_names_what_it_is_about_and_what_to_do() -> None:
    for wanted in judge(all_at_odds().facts(), POLICY, NOW).wanted:
        found = wanted.disagreement
        assert "cus_1" in found.object_ids
        assert found.recommended is not None
        assert found.sides
        assert found.direction is not None or found.kind is Kind.PLAN_MISMATCH
        assert not found.title.endswith(".")


def test_an_amount_off_is_never_more_than_the_bill() -> None:
    scene = customer().paying("pro", discounts=[coupon("c", "forever", off=Money(9_900, "eur"))])

    assert monthly_of(scene.subscriptions[0], None).rounded() == Money(0, "eur")  # type: ignore[union-attr]


def test_a_discount_in_another_currency_cannot_be_taken_off() -> None:
    scene = customer().paying("pro", discounts=[coupon("c", "forever", off=Money(100, "usd"))])

    assert monthly_of(scene.subscriptions[0], None) is Unknowable.CURRENCIES


@given(st.integers(1, 10**9), st.integers(0, 1000), st.sampled_from(["eur", "jpy", "kwd", "isk"]))
def test_twelve_months_of_a_yearly_price_are_the_price_to_the_cent(
    amount: int, seats: int, currency: str
) -> None:
    yearly = item("pro", f"0 {currency}", seats=seats, every=("year", 1), unit_amount=amount)
    scene = customer().paying(yearly)

    monthly = monthly_of(scene.subscriptions[0], None)

    assert not isinstance(monthly, Unknowable)
    assert monthly.minor * 12 == amount * seats
