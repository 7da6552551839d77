"""How far votes reach: limits of people and of accounts, for each and for the day."""

from typing import Any

import pytest

from accounts.money import Money
from tests.desk.asking import holds, refusal_of
from tests.desk.rig import Rig, at_once, codes


def test_a_vote_reaches_no_further_than_its_persons_limit(rig: Rig) -> None:
    ana = rig.person("ana", limits=[Money(5_000, "eur")])
    at_it, over = (
        rig.stage(rig.agent("bot"), rig.charge(), 5_000),
        rig.stage(rig.agent("bot"), rig.charge(), 5_001),
    )
    foreign = rig.stage(rig.agent("bot"), rig.charge(currency="usd"), 1, "usd")
    assert rig.approve(ana, at_it).state == "approved"
    for each in (over, foreign):
        assert (refusal_of(rig.approve, ana, each).code, rig.state(each)) == ("limit", "pending")
    assert rig.approve(ana, over, details={**rig.row(over).details, "amount": 5_000}).state == "approved"


def test_a_day_has_limits_for_the_person_and_for_the_account_in_each_currency(rig: Rig) -> None:
    rig.policy(
        '[[approve]]\naction = "refund"\napprovers = 1\n'
        '[limits]\nperson_daily = ["100 EUR", "50 USD"]\naccount_daily = ["150 EUR"]\n'
    )
    agent, ana, ben = rig.agent("bot"), rig.person("ana"), rig.person("ben")

    def staged(amount: int, currency: str = "eur") -> Any:
        return rig.stage(agent, rig.charge(10_000, currency), amount, currency)

    assert rig.approve(ana, staged(6_000)).state == "approved"
    assert refusal_of(rig.approve, ana, staged(4_001)).code == "limit"
    assert rig.approve(ana, staged(4_000)).state == "approved"
    assert rig.approve(ana, staged(5_000, "usd")).state == "approved"
    assert refusal_of(rig.approve, ben, staged(5_001)).code == "limit"  # of the account: 100 of 150 EUR
    last = staged(5_000)
    assert rig.approve(ben, last).state == "approved"
    rig.desk.revoke(ben, last.case_id, last.version)
    assert rig.approve(ben, staged(5_000)).state == "approved"  # what was taken back is free again
    unnamed = staged(1, "gbp")
    assert rig.approve(ana, unnamed).state == "pending"  # no limit names it: two are needed
    assert rig.approve(ben, unnamed).state == "approved"
    rig.later(days=1)
    assert rig.approve(ana, staged(10_000)).state == "approved"


def test_a_day_is_a_day_where_the_configuration_says(rig: Rig) -> None:
    """Half past eleven at night in Berlin and half an hour later are two days, and one in UTC."""
    rig.policy('[[approve]]\naction = "refund"\napprovers = 1\n[limits]\nperson_daily = ["60 EUR"]\n')
    agent, ana = rig.agent("bot"), rig.person("ana")
    local = rig.now().astimezone(rig.desk.ground.timezone)
    night = local.replace(hour=23, minute=30, second=0, microsecond=0)
    rig.later(seconds=((night - local).total_seconds()) % 86_400)
    rig.approve(ana, rig.stage(agent, rig.charge(), 6_000))
    second = rig.stage(agent, rig.charge(), 6_000)
    assert refusal_of(rig.approve, ana, second).code == "limit"
    rig.later(minutes=31)
    assert rig.approve(ana, second).state == "approved"


def test_an_approval_counts_in_the_day_in_which_it_was_given(rig: Rig) -> None:
    text = '[[approve]]\naction = "refund"\napprovers = 1\n[limits]\naccount_daily = ["{} EUR"]\n'
    rig.policy(text.format(100))
    agent, ana = rig.agent("bot"), rig.person("ana")
    local = rig.now().astimezone(rig.desk.ground.timezone)
    midnight = local.replace(hour=23, minute=59, second=55, microsecond=0)
    rig.later(seconds=(midnight - local).total_seconds() % 86_400)
    late = rig.stage(agent, rig.charge(), 6_000)
    rig.approve(ana, late)
    rig.later(seconds=10)
    rig.approve(ana, rig.stage(agent, rig.charge(), 10_000))
    assert holds(rig, rig.row(late)) is None
    rig.policy(text.format(59))
    assert "too much" in str(holds(rig, rig.row(late)))


@pytest.mark.parametrize("whose", ["person", "account"])
def test_a_limit_that_is_raised_is_raised_for_what_is_asked_for_from_then_on(rig: Rig, whose: str) -> None:
    """Of old and new the stricter one holds for what is pending, in each currency."""
    line = '[[approve]]\naction = "refund"\napprovers = 1\n'
    rig.policy(f'{line}[limits]\n{whose}_daily = ["50 EUR", "50 USD"]\n')
    agent, ana = rig.agent("bot"), rig.person("ana")
    before = rig.stage(agent, rig.charge(), 6_000)
    rig.policy(f'{line}[limits]\n{whose}_daily = ["100 EUR", "10 USD"]\n')
    refusal = refusal_of(rig.approve, ana, before)
    assert (refusal.code, "50.00 EUR" in refusal.sentence) == ("limit", True)
    dollars = rig.stage(agent, rig.charge(10_000, "usd"), 2_000, "usd")
    assert refusal_of(rig.approve, ana, dollars).code == "limit"
    rig.policy(line)
    assert refusal_of(rig.approve, ana, before).code == "limit"
    assert rig.approve(ana, rig.stage(agent, rig.charge(), 6_000)).state == "approved"


def test_two_votes_at_once_do_not_pass_a_limit_together(rig: Rig) -> None:
    rig.policy('[[approve]]\naction = "refund"\napprovers = 1\n[limits]\naccount_daily = ["100 EUR"]\n')
    agent, ana, ben = rig.agent("bot"), rig.person("ana"), rig.person("ben")
    one, two = (rig.stage(agent, rig.charge(customer=name), 6_000) for name in ("cus_1", "cus_2"))
    rows = [rig.row(each) for each in (one, two)]
    rig.meet()
    results = at_once(
        lambda: rig.desk.approve(ana, one.case_id, 1, rows[0].state_hash),
        lambda: rig.desk.approve(ben, two.case_id, 1, rows[1].state_hash),
    )
    assert codes(results) == ["done", "limit"]
