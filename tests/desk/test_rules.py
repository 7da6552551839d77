"""Who may decide what, as pure functions: matrix, limits, separation, edits, and what may be written."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from accounts.money import CURRENCIES, Money, exponent, step
from daemon.core.approval import limits, wording
from daemon.core.approval.editing import Draft, is_down, makers_after, patch
from daemon.core.approval.matrix import NO_LINE, Need, auto_line, need_of, stricter
from daemon.core.approval.objection import Objection
from daemon.core.approval.principal import OWNER, Principal
from daemon.core.approval.roles import MAY, objection, objection_to_vote
from daemon.core.approval.separation import Apart, apart
from daemon.core.canonical import Json, NotCanonical
from daemon.core.model import ApproveLine, AutoLine, Limits, Policy
from daemon.core.policy import read_policy

EUR, USD = Money(50_000, "eur"), Money(50_000, "usd")
ANA = Principal("per_ana", "ana", "approver", "per_ana")
STEPPED_UP = Principal("per_ana", "ana", "approver", "per_ana", stepped_up=True)


def test_the_first_line_that_matches_applies() -> None:
    policy = Policy(
        approve=(
            ApproveLine("refund", 3, account="us"),
            ApproveLine("refund", 2, over=EUR, roles=("approver", "admin")),
            ApproveLine("refund", 1),
        )
    )
    assert need_of(policy, "refund", "us", EUR).approvers == 3
    assert need_of(policy, "refund", "eu", EUR).approvers == 1  # strictly more than the line says
    over = need_of(policy, "refund", "eu", Money(50_001, "eur"))
    assert (over.approvers, over.roles) == (2, ("approver", "admin"))
    assert over.rule == "approve line 2: refund, over 500.00 EUR"
    assert need_of(policy, "refund", "eu", Money(10**9, "usd")).approvers == 1


def test_what_no_line_matches_needs_two() -> None:
    assert need_of(Policy(), "refund", "eu", EUR) == Need(2, ("approver",), NO_LINE)
    assert need_of(Policy(), "dispute_evidence", "eu", None).roles == ("approver", "disputes")


def test_a_currency_that_no_limit_names_needs_two_where_limits_are_set() -> None:
    line = (ApproveLine("refund", 1),)
    limited = Policy(approve=line, limits=Limits(person_daily=(EUR,)))
    assert need_of(limited, "refund", "eu", EUR).approvers == 1
    assert need_of(limited, "refund", "eu", USD).approvers == 2
    assert need_of(Policy(approve=line), "refund", "eu", USD).approvers == 1
    assert need_of(limited, "crm_task", "eu", None).rule == NO_LINE


@given(old=some.integers(1, 5), new=some.integers(1, 5))
def test_the_stricter_of_two_policies_holds(old: int, new: int) -> None:
    both = stricter(Need(old, ("approver", "admin"), "old"), Need(new, ("approver", "analyst"), "new"))
    assert (both.approvers, both.roles) == (max(old, new), ("approver",))
    assert stricter(Need(1, ("admin",), "old"), Need(1, ("approver",), "new")).roles == ("approver",)


@pytest.mark.parametrize(
    ("money", "found"),
    [(Money(2_000, "eur"), True), (Money(2_001, "eur"), False), (Money(1, "usd"), False), (None, False)],
)
def test_a_refund_is_approved_by_itself_only_inside_its_caps(money: Money | None, found: bool) -> None:
    line = AutoLine("refund", "eu", Money(2_000, "eur"), Money(5_000, "eur"))
    assert (auto_line(Policy(auto=(line,)), "refund", "eu", money) is not None) is found
    assert auto_line(Policy(auto=(line,)), "refund", "us", money) is None
    assert auto_line(Policy(auto=(AutoLine("refund"),)), "refund", "eu", money) is None
    assert auto_line(Policy(auto=(AutoLine("crm_task"),)), "crm_task", "eu", None) is not None


def test_nobody_decides_on_what_they_made() -> None:
    assert apart(ANA, [], approvers=1, could_vote=1) == Apart()
    assert apart(ANA, ["per_ben"], approvers=2, could_vote=2) == Apart()
    for could_vote in (0, 1, 2, 9):
        refused = apart(ANA, ["per_ana"], approvers=1, could_vote=could_vote)
        assert isinstance(refused, Objection)
        assert refused.code == "self_approval"
    assert apart(STEPPED_UP, ["per_ana"], approvers=1, could_vote=1) == Apart(solo=True)
    assert isinstance(apart(STEPPED_UP, ["per_ana"], approvers=1, could_vote=2), Objection)
    assert isinstance(apart(OWNER, [], approvers=1, could_vote=0), Objection)


def test_every_role_may_what_its_name_says_and_nothing_more() -> None:
    assert {role for role, verbs in MAY.items() if "vote" in verbs} == {
        "analyst",
        "approver",
        "disputes",
        "admin",
    }
    assert {role for role, verbs in MAY.items() if "journal" in verbs} == {"admin", "auditor", "owner"}
    assert MAY["agent"] == {"read", "stage", "propose", "withdraw", "comment"}
    assert MAY["viewer"] == {"read"}
    assert objection(Principal("t", "t", "agent"), "dismiss") is not None
    assert objection_to_vote(ANA, ("admin",)) is not None
    assert objection_to_vote(ANA, ("approver",)) is None
    viewer = Principal("per_v", "v", "viewer", "per_v")
    assert objection_to_vote(viewer, ("viewer",)) is not None


def test_only_less_of_the_same_is_an_edit_down() -> None:
    old = Draft("refund", {"charge": "ch_1", "amount": 6_000, "reason": None}, "daemon", Money(6_000, "eur"))

    def down(amount: int = 5_000, currency: str = "eur", **changes: object) -> bool:
        details = {"charge": "ch_1", "amount": amount, "reason": None, **changes}
        return is_down(old, Draft("refund", details, "daemon", Money(amount, currency)))  # type: ignore[arg-type]

    assert down()
    assert not down(6_000)
    assert not down(6_001)
    assert not down(0)
    assert not down(-1)
    assert not down(currency="usd")
    assert not down(charge="ch_2")
    assert not down(reason="fraudulent")
    assert not down(more=None)
    assert not is_down(old, Draft("credit_note", {**old.details, "amount": 1}, "daemon", Money(1, "eur")))
    assert not is_down(old, Draft("refund", {**old.details, "amount": 1}, "caller", Money(1, "eur")))
    less = Draft("refund", {**old.details, "amount": 1}, "daemon", Money(1, "eur"))
    assert makers_after(["per_ben"], ["per_ana"], old, less) == {"per_ben"}
    assert makers_after(["per_ben"], ["per_ana"], less, old) == {"per_ana", "per_ben"}


def test_a_difference_is_a_json_patch() -> None:
    old: Json = {"a": 1, "b": {"c": [1], "d/e~": 2}, "gone": True}
    assert patch(old, {"a": 1, "b": {"c": [1, 2], "d/e~": 3}, "new": None}) == [
        {"op": "replace", "path": "/b/c", "value": [1, 2]},
        {"op": "replace", "path": "/b/d~1e~0", "value": 3},
        {"op": "remove", "path": "/gone"},
        {"op": "add", "path": "/new", "value": None},
    ]
    assert patch({"a": 1}, {"a": True}) == [{"op": "replace", "path": "/a", "value": True}]
    assert patch(old, old) == []


def test_a_days_limit_counts_what_was_approved_before_in_its_own_currency() -> None:
    daily = Limits(person_daily=(Money(10_000, "eur"),), account_daily=(Money(15_000, "eur"),))

    def of_day(amount: int, person: int, account: int, currency: str = "eur") -> Objection | None:
        spent = ("ana", {"eur": person}), ("eu", {"eur": account, "usd": 10**9})
        return limits.of_day(daily, Money(amount, currency), person=spent[0], account=spent[1])

    assert of_day(4_000, 6_000, 6_000) is None
    assert of_day(4_001, 6_000, 6_000) is not None
    assert of_day(4_000, 0, 11_001) is not None
    assert of_day(10**9, 10**9, 10**9, "usd") is None
    assert limits.of_day(daily, None, person=("", {}), account=("", {})) is None


@pytest.mark.parametrize("currency", sorted(CURRENCIES))
def test_every_currency_is_limited_in_its_own_minor_units(currency: str) -> None:
    named = f'"50 {currency.upper()}"'
    line = '[[approve]]\naction = "refund"\napprovers = 1\n'
    policy = read_policy(f"{line}[limits]\nperson_daily = [{named}]\naccount_daily = [{named}]\n")
    half, least = Money.from_major("25", currency), step(currency)

    def of_day(amount: int, person: int = 0, account: int = 0) -> Objection | None:
        spent = ("ana", {currency: person}), ("eu", {currency: account})
        return limits.of_day(policy.limits, Money(amount, currency), person=spent[0], account=spent[1])

    assert half.amount_minor == 25 * 10 ** exponent(currency)
    assert of_day(half.amount_minor, half.amount_minor, half.amount_minor) is None
    for spent in ({"person": half.amount_minor}, {"account": half.amount_minor}):
        refused = of_day(half.amount_minor + least, **spent)
        assert refused is not None
        assert str(Money.from_major("50", currency)) in refused.sentence


def test_of_two_limits_the_lower_holds_in_each_currency() -> None:
    old = Limits((EUR,), (USD,), agent_open_proposals=5)
    new = Limits((Money(60_000, "eur"), USD), (Money(1, "usd"),), agent_open_proposals=9)
    assert limits.stricter(old, new) == Limits((EUR, USD), (Money(1, "usd"),), agent_open_proposals=9)
    assert limits.stricter(Limits(), new) == limits.stricter(new, Limits(agent_open_proposals=9)) == new


def test_a_vote_of_somebody_with_limits_reaches_nothing_else() -> None:
    ben = Principal("per_ben", "ben", "approver", "per_ben", limits=(EUR,))
    assert limits.of_vote(ben, EUR) is None
    assert limits.of_vote(ben, Money(50_001, "eur")) is not None
    assert limits.of_vote(ben, Money(1, "usd")) is not None
    assert limits.of_vote(ben, None) is None
    assert limits.of_vote(ANA, Money(10**9, "eur")) is None


@pytest.mark.parametrize(
    ("moment", "hours"),
    [("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25), ("2026-10-25T00:30", 25), ("2026-07-01T22:30", 24)],
)
def test_a_day_may_have_23_or_25_hours(moment: str, hours: int) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    begins, ends = limits.day_of(now, ZoneInfo("Europe/Berlin"))
    assert begins <= now < ends
    assert ends - begins == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "5555-5555-5555-4444",
        "no: 378282246310005.",
        "6011.1111.1111.1117",
    ],
)
def test_card_numbers_are_found(text: str) -> None:
    assert wording.has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "ch_4242424242424242",
        "4242424242424241",
        "1763698000",
        "0000000000000000",
        "1763698000009",
        "9400111899223197428490",
        "+49 30 1234567",
        "x4242424242424242",
    ],
)
def test_other_numbers_are_not_taken_for_cards(text: str) -> None:
    assert not wording.has_card_number(text)


def test_what_is_nested_without_end_is_not_followed() -> None:
    nested: list[object] = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(NotCanonical):
        list(wording.texts_in(nested))  # type: ignore[arg-type]
