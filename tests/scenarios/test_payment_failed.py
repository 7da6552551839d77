"""The latest invoice could not be collected: what stands, in which bucket, with which drafts, and for whom."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.stripe.shapes import Charge, PaymentIntent
from accounts.stripe.shapes.billing import PauseCollection
from accounts.stripe.shapes.payments import PaymentError
from daemon.core.diff import diff
from daemon.core.model import (
    CaseState,
    Disagreement,
    Escalation,
    Facts,
    Kind,
    LiveProposal,
    Money,
    Policy,
    Recommendation,
    Severity,
    Source,
    Standing,
    Substate,
    Template,
)
from tests.payments import (
    NOW,
    account,
    ago,
    ahead,
    case,
    cases,
    charge,
    customer,
    declined,
    dispute,
    entitlement,
    facts,
    filed,
    intent,
    invoice,
    invoice_payment,
    judged,
    subscription,
    warning,
)

KIND = Kind.PAYMENT_FAILED


def owing(
    tried: Charge | None = None,
    asked: PaymentIntent | None = None,
    *,
    on: dict[str, Any] | None = None,
    bill: dict[str, Any] | None = None,
    **parts: Any,
) -> Facts:
    """A subscription whose latest invoice is open after an attempt."""
    given: dict[str, Any] = {
        "subscriptions": (subscription(**{"status": "past_due"} | (on or {})),),
        "invoices": (invoice(**(bill or {})),),
        "invoice_payments": (invoice_payment(),),
        "payment_intents": (asked or intent(),),
        "charges": (tried or declined("insufficient_funds"),),
    }
    return facts(**given | parts)


def test_the_case_is_about_the_invoice_and_names_all_that_belongs_to_it() -> None:
    found = case(KIND, owing())

    assert found.per == ("invoice", "in_1")
    assert set(found.object_ids) == {"cus_1", "in_1", "sub_1", "pi_1", "ch_1"}
    assert found.amount == Money(4900, "eur")
    assert found.title == "49.00 EUR of in_1 for sub_1 (pro) could not be collected"


@pytest.mark.parametrize("status", ["paid", "void", "uncollectible", "draft", None])
def test_only_an_open_invoice_counts(status: str | None) -> None:
    """Trap T35: an invoice that was paid since, out of band too, is no failure."""
    assert cases(KIND, owing(bill={"status": status})) == []


@pytest.mark.parametrize("status", ["canceled", "unpaid", "paused", "incomplete", "incomplete_expired"])
def test_only_a_live_subscription_counts(status: str) -> None:
    assert cases(KIND, owing(on={"status": status})) == []


@pytest.mark.parametrize("status", ["active", "trialing", "past_due"])
def test_every_live_subscription_counts(status: str) -> None:
    assert len(cases(KIND, owing(on={"status": status}))) == 1


def test_paused_collection_silences_it() -> None:
    assert cases(KIND, owing(on={"pause_collection": PauseCollection(behavior="keep_as_draft")})) == []


def test_an_invoice_that_nobody_tried_to_collect_has_not_failed() -> None:
    """A trial's first invoice, and one that was sent to be paid within a month."""
    asked = intent(latest_charge=None)
    untried = {"attempt_count": 0, "attempted": False, "collection_method": "send_invoice"}

    assert cases(KIND, owing(asked=asked, bill=untried, on={"status": "active"}, charges=())) == []


def test_a_sent_invoice_that_the_customer_tried_to_pay_has_failed() -> None:
    """Attempts by hand are not counted by Stripe."""
    asked = intent(PaymentError(code="card_declined", decline_code="insufficient_funds"))

    assert case(KIND, owing(asked=asked, bill={"attempt_count": 0})).bucket == "temporary_failure"


@pytest.mark.parametrize("status", ["processing", "succeeded", "requires_capture"])
def test_a_bank_debit_that_is_under_way_has_not_failed(status: str) -> None:
    assert cases(KIND, owing(asked=intent(status=status))) == []


def test_an_older_open_invoice_is_not_the_latest() -> None:
    older, latest = invoice(created=ago(days=33)), invoice(id="in_2", status="paid")
    known = owing(on={"latest_invoice": "in_2"}, invoices=(older, latest))

    assert cases(KIND, known) == []


def test_two_open_invoices_are_one_case_on_the_latest() -> None:
    known = owing(on={"latest_invoice": "in_2"}, invoices=(invoice(), invoice(id="in_2")))

    found = case(KIND, known)

    assert found.per == ("invoice", "in_2")
    assert found.notes["other_open_invoices"] == ("in_1",)


def test_two_subscriptions_are_two_cases() -> None:
    """Trap D5: of two live subscriptions none is picked."""
    two = (subscription(), subscription(id="sub_2", latest_invoice="in_2"))
    known = owing(subscriptions=two, invoices=(invoice(), invoice(id="in_2", subscription="sub_2")))

    assert [each.per[1] for each in cases(KIND, known)] == ["in_1", "in_2"]


def test_it_waits_for_the_intent_where_only_the_intent_could_tell() -> None:
    blind: dict[str, Any] = {"payment_intents": (), "unread": frozenset({Source.PAYMENT_INTENTS})}

    assert KIND not in judged(KIND, owing(on={"status": "active"}, **blind)).judged
    assert len(cases(KIND, owing(**blind))) == 1  # past due is Stripe's own word for it


def test_the_severity_is_the_buckets() -> None:
    expected = {
        "insufficient_funds": ("temporary_failure", Severity.LOW),
        "expired_card": ("missing_payment_method", Severity.NORMAL),
        "authentication_required": ("authentication_needed", Severity.NORMAL),
        "fraudulent": ("high_risk_churn", Severity.HIGH),
        "generic_decline": ("unknown", Severity.NORMAL),
    }

    found = {code: case(KIND, owing(declined(code))) for code in expected}

    assert {code: (each.bucket, each.severity) for code, each in found.items()} == expected
    assert found["expired_card"].decided_by == "missing_payment_method.code"


def drafted(found: Disagreement) -> dict[str, Recommendation]:
    return {str(each.details.get("channel", each.action)): each for each in found.drafts}


def test_a_message_for_every_channel_and_a_task_are_drafted() -> None:
    known = owing(records=(filed(mrr=Decimal(49), currency="eur", renewal=NOW + timedelta(days=90)),))

    found = case(KIND, known)

    drafts = drafted(found)
    assert set(drafts) == {"email", "chat", "csm", "crm_task"}
    assert drafts["email"].details["template"] == "payment_failed_temporary"
    assert "We try again on 2026-03-13." in str(drafts["email"].details["body"])
    assert drafts["crm_task"].details["key"] == "rec_1"
    assert drafts["crm_task"].details["due"] == "2026-03-13"
    body = str(drafts["crm_task"].details["body"])
    for said in ("49.00 EUR a month", "2026-06-09", "owner-7", "insufficient funds"):
        assert said in body
    assert found.recommended == Recommendation("acknowledge", {})


def test_no_name_and_no_link_is_in_a_draft_before_it_is_sent() -> None:
    found = case(KIND, owing(records=(filed(name="Ada Lovelace"),)))

    assert "Ada" not in repr(found)
    body = str(drafted(found)["email"].details["body"])
    assert "{{ name }}" in body
    assert "{{ link }}" in body


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "pickup_card"])
def test_the_customer_is_never_told_that_a_card_was_lost_or_stolen(code: str) -> None:
    found = case(KIND, owing(declined(code), records=(filed(),)))

    assert found.bucket == "missing_payment_method"
    for draft in found.drafts:
        text = repr(draft.details).replace("_", " ")
        assert not [word for word in ("lost", "stolen", "pickup", "declined") if word in text]
    assert drafted(found)["email"].details["template"] == "payment_failed_quiet"


def test_nobody_writes_to_a_customer_whose_payment_looks_like_fraud() -> None:
    found = case(KIND, owing(declined("fraudulent", type="blocked"), records=(filed(),)))

    assert set(drafted(found)) == {"csm", "crm_task"}
    assert "fraud" not in repr(drafted(found)["crm_task"].details)
    assert found.recommended is not None
    assert found.recommended.action == "crm_task"


def test_another_attempt_is_recommended_only_where_it_may_succeed() -> None:
    def recommended(code: str, **bill: Any) -> str:
        found = case(KIND, owing(declined(code), bill=bill)).recommended
        assert found is not None
        return found.action

    assert recommended("insufficient_funds", next_payment_attempt=None) == "invoice_pay"
    assert recommended("insufficient_funds") == "acknowledge"
    assert recommended("expired_card", next_payment_attempt=None) == "message"
    assert recommended("fraudulent", next_payment_attempt=None) == "message"  # to the account's owner


def test_the_policys_wording_wins_in_every_channel() -> None:
    own = {"payment_failed_temporary": Template("Ours", "{{ amount }} for {{ plan }}, {{ name }}.")}

    found = case(KIND, owing(), Policy(templates=own))

    for channel in ("email", "chat"):
        details = drafted(found)[channel].details
        assert (details["subject"], details["body"]) == ("Ours", "49.00 EUR for pro, {{ name }}.")


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({}, None),
        ({"on": {"cancel_at_period_end": True}}, "pending_cancellation"),
        ({"on": {"cancel_at": ahead(days=20)}}, "pending_cancellation"),
        ({"disputes": (dispute(due_by=ahead(days=9)),)}, "open_dispute"),
        ({"disputes": (dispute(due_by=ago(days=9), status="won"),)}, None),
        ({"entitlements": (entitlement(),), "bill": {"created": ago(days=8)}}, "access_exception"),
        ({"entitlements": (entitlement(),), "bill": {"created": ago(days=6)}}, None),
        ({"entitlements": (entitlement(status="ended"),), "bill": {"created": ago(days=8)}}, None),
    ],
)
def test_who_is_sent_to_people_and_by_which_rule(parts: dict[str, Any], rule: str | None) -> None:
    found = case(KIND, owing(**parts))

    assert found.escalated_by == rule
    if rule is not None:
        assert found.recommended is not None
        assert found.recommended.details["channel"] == "csm"


def test_a_refund_that_is_asked_for_sends_it_to_people() -> None:
    asked = LiveProposal("prop_1", 1, "refund", "charge", "ch_0", "agent-1", "caller", "pending", NOW)

    assert case(KIND, owing(proposals=(asked,))).escalated_by == "refund_requested"


ESCALATE = Policy(
    escalate=(
        Escalation("high_value", mrr_over=Money(100_000, "eur")),
        Escalation("renewal_soon", renewal_within=timedelta(days=30)),
    )
)


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ({"mrr": Decimal("1000.01"), "currency": "eur"}, "high_value"),
        ({"mrr": Decimal("1000.00"), "currency": "eur"}, None),
        ({"mrr": Decimal("100001"), "mrr_unit": "minor", "currency": "eur"}, "high_value"),
        ({"mrr": Decimal(5000), "currency": "usd"}, None),  # no rate decides who sees a case
        ({"renewal": NOW + timedelta(days=29)}, "renewal_soon"),
        ({"renewal": NOW + timedelta(days=31)}, None),
        ({"renewal": NOW - timedelta(days=1)}, None),
        ({"mrr": Decimal(2000), "currency": "eur", "renewal": NOW + timedelta(days=2)}, "high_value"),
    ],
)
def test_the_policys_escalation_lines(record: dict[str, Any], rule: str | None) -> None:
    known = owing(records=(filed(**record),))

    assert case(KIND, known, ESCALATE).escalated_by == rule


def test_a_renewal_that_comes_into_view_is_looked_at_then() -> None:
    known = owing(records=(filed(renewal=NOW + timedelta(days=31)),))

    again = judged(KIND, known, ESCALATE).look_again_at

    assert again == NOW + timedelta(days=1)
    assert case(KIND, known, ESCALATE, now=again).escalated_by == "renewal_soon"


def test_a_source_that_fails_takes_nothing_away_from_a_case() -> None:
    """A dispute made it high risk; while disputes and the CRM cannot be read, it stays what it was."""
    parts: dict[str, Any] = {
        "disputes": (dispute(due_by=ahead(days=9)),),
        "fraud_warnings": (warning(),),
        "records": (filed(),),
    }
    stood = case(KIND, owing(declined(None), **parts))
    assert stood.bucket == "high_risk_churn"
    standing = Standing(
        "case_1",
        stood.fingerprint(account()),
        KIND,
        CaseState.OPEN,
        Substate.NEW,
        stood.severity,
        stood.facts_hash,
        stood.digest("p1"),
    )
    unread = frozenset({Source.DISPUTES, Source.FRAUD_WARNINGS, Source.CRM})

    blind = judged(KIND, owing(declined(None), unread=unread))
    assert diff(blind, {standing.fingerprint: standing}, {}, NOW, "p1").made == ()

    paid = judged(KIND, owing(bill={"status": "paid"}, unread=unread))
    assert [each.verb for each in diff(paid, {standing.fingerprint: standing}, {}, NOW, "p1").made] == [
        "resolve"
    ]


def test_a_retry_that_fails_for_the_same_reason_leaves_the_dismissal_as_it_is() -> None:
    first, second = (case(KIND, owing(bill={"attempt_count": n})) for n in (1, 2))

    assert first.facts_hash == second.facts_hash


def test_customers_without_a_method_of_payment() -> None:
    bare = customer(invoice_settings=None)
    known = owing(asked=intent(latest_charge=None), charges=(), customer=bare)

    assert case(KIND, known).decided_by == "missing_payment_method.none_on_file"
    assert case(KIND, owing(customer=bare)).bucket == "temporary_failure"  # a decline says more


def test_amounts_without_decimals_are_written_as_they_are_paid() -> None:
    assert case(KIND, owing(bill={"amount": 4900, "currency": "jpy"})).title.startswith("4,900 JPY of in_1")


def test_a_charge_of_another_invoice_says_nothing() -> None:
    other = charge("ch_9", payment_intent="pi_9", status="failed", failure_code="expired_card", paid=False)

    assert case(KIND, owing(charges=(declined("insufficient_funds"), other))).bucket == "temporary_failure"
