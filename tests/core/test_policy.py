"""A policy is read whole from its text, or refused with every problem at once."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files

import pytest

from accounts.money import Money
from daemon.core.model import ApproveLine, AutoLine, Deadlines, Escalation, Kind, Policy, Template, Tolerance
from daemon.core.policy import UnusablePolicy, read_policy, version_of

WHOLE = """
[grace]
past_due = "10d"
[tolerance]
revenue = { absolute = "2.50", relative = 0.1 }
[rules]
duplicate_customer = false
crm_record_missing = true
unapproved_money_move = { cancellations = true, allow = ["metadata.source=backoffice"] }
dispute_deadline = { counter_fee = ["15 USD", "20 EUR"] }
[accounts.shop.rules]
crm_record_missing = false
duplicate_customer = true
[deadlines]
windows = ["24h", "7d", "72h"]
business_days = false
[escalate]
high_value = { mrr_over = "1000 EUR" }
renewal_soon = { renewal_within = "30d" }
[[approve]]
action = "refund"
over = "500 EUR"
approvers = 2
roles = ["approver", "finance"]
[[approve]]
action = "refund"
approvers = 1
[limits]
person_daily = ["2000 EUR", "2200 USD"]
account_daily = ["500000 JPY"]
agent_open_proposals = 50
[[auto]]
action = "task"
[[auto]]
action = "refund"
account = "shop"
each = "20 EUR"
day = "200 EUR"
[money]
report = "EUR"
rates = { usd = 0.92, jpy = "0.0061" }
[templates]
payment_failed_authentication = { subject = "Please confirm {{ amount }}", body = "Hello {{ name }}" }
"""


def problems(text: str) -> dict[str, str]:
    with pytest.raises(UnusablePolicy) as refused:
        read_policy(text)
    return {each.where: each.sentence for each in refused.value.problems}


def test_everything_that_the_surface_names_is_read() -> None:
    policy = read_policy(WHOLE)

    assert policy.version == version_of(WHOLE)
    assert policy.grace_past_due == timedelta(days=10)
    assert policy.revenue == Tolerance(Decimal("2.50"), Decimal("0.1"))
    assert policy.deadlines == Deadlines(
        (timedelta(days=7), timedelta(hours=72), timedelta(hours=24)), business_days=False
    )
    assert policy.off == {Kind.DUPLICATE_CUSTOMER}
    assert policy.parameter(Kind.UNAPPROVED_MONEY_MOVE, "allow") == ["metadata.source=backoffice"]
    assert policy.escalate == (
        Escalation("high_value", mrr_over=Money(100_000, "eur")),
        Escalation("renewal_soon", renewal_within=timedelta(days=30)),
    )
    assert policy.approve == (
        ApproveLine("refund", 2, Money(50_000, "eur"), None, ("approver", "finance")),
        ApproveLine("refund", 1),
    )
    assert policy.auto == (
        AutoLine("crm_task"),
        AutoLine("refund", "shop", Money(2000, "eur"), Money(20_000, "eur")),
    )
    assert policy.limits.person_daily == (Money(200_000, "eur"), Money(220_000, "usd"))
    assert policy.limits.account_daily == (Money(500_000, "jpy"),)
    assert policy.limits.agent_open_proposals == 50
    assert policy.templates["payment_failed_authentication"] == Template(
        "Please confirm {{ amount }}", "Hello {{ name }}"
    )


def test_an_account_has_switches_of_its_own() -> None:
    policy = read_policy(WHOLE)

    assert policy.for_account("shop").off == {Kind.CRM_RECORD_MISSING}
    assert policy.for_account("other").off == {Kind.DUPLICATE_CUSTOMER}
    assert policy.for_account("shop").parameter(Kind.UNAPPROVED_MONEY_MOVE, "cancellations") is True


def test_what_init_writes_is_the_default_with_two_lines_of_approval() -> None:
    text = files("daemon.examples").joinpath("policy.toml").read_text()

    policy = read_policy(text)

    assert policy == Policy(
        version=version_of(text),
        approve=(ApproveLine("refund", 2, Money(50_000, "eur")), ApproveLine("refund", 1)),
    )


def test_what_init_writes_as_a_comment_can_be_uncommented() -> None:
    text = files("daemon.examples").joinpath("policy.toml").read_text()
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    settings = [line for line in lines if line.startswith("[") or " = " in line]

    policy = read_policy("\n".join(settings).replace("…", "text"))

    assert policy.off == {Kind.DUPLICATE_CUSTOMER}
    assert policy.escalate
    assert policy.auto
    assert policy.money.report == "eur"


def test_an_empty_policy_is_the_default() -> None:
    assert read_policy("") == Policy(version=version_of(""))


def test_the_version_is_of_the_content() -> None:
    assert read_policy("# a comment").version != read_policy("").version
    assert read_policy(WHOLE).version == read_policy(WHOLE).version


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        """
        grce = 1
        [grace]
        past_due = "a week"
        [tolerance]
        revenue = { absolut = "1" }
        [rules]
        plan_missmatch = false
        wrong_account = { colour = "red" }
        access_without_payment = { close = "ended" }
        unapproved_money_move = { allow = "all" }
        approval_request = false
        grace_expired = "off"
        [accounts.shop]
        rule = {}
        [accounts.mall.rules]
        duplicate_record = 1
        [deadlines]
        windows = []
        [escalate]
        nobody = {}
        [[approve]]
        action = "refunds"
        approvers = 0
        [limits]
        person_daily = ["2000 EUR", "10 EUR"]
        [[auto]]
        action = "dispute_evidence"
        [[auto]]
        action = "refund"
        [money]
        rates = { usd = 0.9 }
        [templates]
        payment_failed_authentication = { subject = "{{ card }}", body = "{% if x %}" }
        payment_failed = { subject = "a", body = "b" }
        """
    )

    assert set(found) == {
        "grce",
        "grace.past_due",
        "tolerance.revenue.absolut",
        "rules.plan_missmatch",
        "rules.wrong_account.colour",
        "rules.access_without_payment.close",
        "rules.unapproved_money_move.allow",
        "rules.approval_request",
        "rules.grace_expired",
        "accounts.shop.rule",
        "accounts.mall.rules.duplicate_record",
        "deadlines.windows",
        "escalate.nobody",
        "approve.0.action",
        "approve.0.approvers",
        "limits",
        "auto.0.action",
        "auto.1",
        "money",
        "templates.payment_failed_authentication",
        "templates.payment_failed",
    }
    assert "did you mean “grace”" in found["grce"]
    assert "did you mean “absolute”" in found["tolerance.revenue.absolut"]
    assert "did you mean “plan_mismatch”" in found["rules.plan_missmatch"]
    assert "did you mean “closed”" in found["rules.access_without_payment.close"]
    assert "did you mean “rules”" in found["accounts.shop.rule"]
    assert "never done without a person" in found["auto.0.action"]


def test_a_policy_may_have_messages_of_its_own() -> None:
    policy = read_policy('[templates]\nfarewell = { subject = "Bye", body = "Your {{ plan }} ends soon." }')
    assert policy.templates["farewell"].subject == "Bye"


@pytest.mark.parametrize(
    "text",
    ["[grace", "a = 1\na = 2", "x = 9" + "9" * 5000, "[" * 100_000],
)
def test_what_is_not_toml_is_refused_with_a_sentence(text: str) -> None:
    assert "it is not TOML" in problems(text)[""]


@pytest.mark.parametrize(
    "line",
    [
        'tolerance.revenue = { relative = nan }',
        'tolerance.revenue = { relative = inf }',
        'tolerance.revenue = { relative = 1.5 }',
        'tolerance.revenue = { absolute = "-1" }',
        'tolerance.revenue = { absolute = true }',
        'limits.person_daily = ["500"]',
        'limits.person_daily = ["-500 EUR"]',
        'limits.person_daily = ["5,00 EUR"]',
        'limits.person_daily = ["500.005 EUR"]',
        'limits.person_daily = ["0.5 JPY"]',
        'deadlines.windows = ["0h"]',
        'deadlines.windows = [72]',
        'money = { report = "euro" }',
        'money = { report = "eur", rates = { usd = 0 } }',
        'money = { report = "eur", rates = { eur = 1 } }',
        'auto = [{ action = "refund", account = "a", each = "1 EUR", day = "1 USD" }]',
        'auto = [{ action = "entitlement_set" }]',
        'approve = [{ action = "refund", approvers = true }]',
        'approve = [{ action = "refund", approvers = 1, roles = [] }]',
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(line: str) -> None:
    assert problems(line)


def test_a_share_is_the_number_that_was_written() -> None:
    tolerance = read_policy("tolerance.revenue = { relative = 0.1 }").revenue

    assert tolerance.minor(Fraction(12_345), "eur") == Fraction(12_345, 10)
    assert tolerance.minor(Fraction(10), "jpy") == 1
    assert tolerance.minor(Fraction(10), "kwd") == 1000


def test_amounts_are_compared_in_the_reporting_currency_and_without_a_rate_not_at_all() -> None:
    rates = read_policy(WHOLE).money

    assert rates.in_report(Money(1000, "eur")) == Money(1000, "eur")
    assert rates.in_report(Money(1000, "usd")) == Money(920, "eur")
    assert rates.in_report(Money(10_000, "jpy")) == Money(6100, "eur")
    assert rates.in_report(Money(1000, "chf")) is None
    assert Policy().money.in_report(Money(1000, "eur")) is None
