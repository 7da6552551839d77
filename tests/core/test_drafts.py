"""Drafts: wording that can do nothing but fill in fields, and evidence that fits what Stripe takes."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.stripe.shapes import Charge
from daemon.core.drafts.evidence import (
    ALL_TEXT_MAX,
    FILES,
    NEEDED,
    ONE_TEXT_MAX,
    PERSONAL,
    TEXTS,
    draft,
    fitted,
    problems,
)
from daemon.core.drafts.wording import BUILT_IN, FIELDS, render, write
from daemon.core.drafts.wording import problems as wording_problems
from daemon.core.model import Policy, Template
from tests.payments import (
    NOW,
    ago,
    charge,
    dispute,
    entitlement,
    facts,
    invoice,
    invoice_payment,
    refund,
    subscription,
)


def test_our_own_wording_keeps_to_its_fields() -> None:
    for template in BUILT_IN.values():
        assert wording_problems(template) == ()


@pytest.mark.parametrize(
    "text",
    [
        "{{ amount.__class__ }}",
        "{{ amount | upper }}",
        "{{ amount() }}",
        "{% for x in y %}{% endfor %}",
        "{# a remark #}",
        "{{ }}",
        "{{ 7 * 7 }}",
        "{{ amount",
    ],
)
def test_a_template_that_wants_more_than_fields_is_refused_and_does_nothing(text: str) -> None:
    assert wording_problems(Template("A subject", text))
    assert render(text, {"amount": "1.00 EUR"}) == text


def test_an_unknown_field_is_named() -> None:
    (problem,) = wording_problems(Template("{{ amont }}", "{{ amount }}"))

    assert "“amont”" in problem
    assert all(name in problem for name in FIELDS)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=30)))
def test_what_is_filled_in_is_never_read_as_a_template(fields: dict[str, str]) -> None:
    hostile = {name: f"{{{{ link }}}}{text}" for name, text in fields.items()}

    rendered = render("{{ amount }}|{{ plan }}", hostile)

    assert rendered == f"{hostile.get('amount', '{{ amount }}')}|{hostile.get('plan', '{{ plan }}')}"


def test_wording_for_one_channel_wins_over_wording_for_all() -> None:
    own = {"x_chat": Template("s", "chat"), "x": Template("s", "all")}

    assert write(Policy(templates=own), "x", "chat", {}).body == "chat"
    assert write(Policy(templates=own), "x", "email", {}).body == "all"


def known(reason: str = "fraudulent", **parts: Any) -> Any:
    given: dict[str, Any] = {
        "disputes": (dispute(due_by=None, reason=reason),),
        "charges": (charge(), charge("ch_0", created=ago(days=33))),
        "invoices": (
            invoice(status="paid"),
            invoice(id="in_0", status="paid", period_start=ago(days=63), period_end=ago(days=33)),
        ),
        "invoice_payments": (invoice_payment(), invoice_payment("in_0", "pi_0")),
        "subscriptions": (subscription(),),
        "entitlements": (entitlement(updated=NOW - timedelta(days=200)),),
    }
    return facts(**given | parts)


def evidence(reason: str = "fraudulent", **parts: Any) -> Any:
    of = known(reason, **parts)
    return draft(of, of.disputes[0])


def test_the_narrative_tells_what_was_read_and_nothing_else() -> None:
    assert evidence().fields == {
        "product_description": "Subscription to pro, an online service (sub_1).",
        "service_date": "2026-02-06 to 2026-03-08",
        "access_activity_log": "Access to app: active, last changed on 2025-08-23.",
        "uncategorized_text": "The payment ch_1 of 49.00 EUR was made on 2026-03-08.\n"
        "It paid the invoice in_1 for 2026-02-06 to 2026-03-08.\n"
        "The invoice is for the subscription sub_1 to pro, which began on 2025-05-15 and goes on.\n"
        "The same customer made 1 earlier payment, none of which was disputed or refunded whole:\n"
        "- 2026-02-06: 49.00 EUR (ch_0)\n"
        "The customer was given access to: app.",
    }


def test_a_payment_of_which_nothing_else_is_known_is_still_told() -> None:
    alone = facts(disputes=(dispute(due_by=None),))

    assert draft(alone, alone.disputes[0]).fields == {
        "uncategorized_text": "The dispute dp_1 is about 49.00 EUR of the payment ch_1."
    }


def test_only_payments_without_trouble_count_as_history() -> None:
    troubled = (
        charge(),
        charge("ch_2", created=ago(days=40), disputed=True),
        charge("ch_3", created=ago(days=41), refunded=True),
        charge("ch_4", created=ago(days=42), paid=False, captured=False, status="failed"),
        charge("ch_5", created=ago(days=1)),
    )

    assert "No earlier payment" in evidence(charges=troubled).fields["uncategorized_text"]


def test_what_a_reason_needs_is_had_or_missing() -> None:
    found = evidence("fraudulent")

    assert set(found.have) | set(found.missing) == set(NEEDED["fraudulent"])
    assert found.complete_percent == 50
    assert found.completeness()["missing_personal"] == [
        "customer_name",
        "customer_email_address",
        "customer_purchase_ip",
        "billing_address",
    ]


def test_a_duplicate_is_told_apart_by_its_invoice() -> None:
    fields = evidence("duplicate").fields

    assert fields["duplicate_charge_id"] == "ch_0"
    assert "They are two invoices." in fields["duplicate_charge_explanation"]
    twice = evidence("duplicate", invoice_payments=(invoice_payment(), invoice_payment("in_1", "pi_0")))
    assert "duplicate_charge_explanation" not in twice.fields  # they are right


def test_a_cancellation_is_rebutted_only_where_it_came_later() -> None:
    later = subscription(status="canceled", canceled_at=ago(days=1))
    before = subscription(status="canceled", canceled_at=ago(days=9))

    assert "was not canceled" in evidence("subscription_canceled").fields["cancellation_rebuttal"]
    assert (
        "canceled after it"
        in evidence("subscription_canceled", subscriptions=(later,)).fields["cancellation_rebuttal"]
    )
    assert "cancellation_rebuttal" not in evidence("subscription_canceled", subscriptions=(before,)).fields


def test_a_refund_that_was_made_is_told_where_a_credit_is_missed() -> None:
    fields = evidence("credit_not_processed", refunds=(refund(),)).fields

    assert (
        fields["refund_refusal_explanation"]
        == "20.00 EUR of this payment were refunded on 2026-03-10 (re_1)."
    )


@pytest.mark.parametrize("reason", [*NEEDED, "general", "a_reason_of_next_year"])
def test_every_reason_gets_a_draft_that_stripe_would_take(reason: str) -> None:
    found = evidence(reason)

    assert problems(found.fields) == ()
    assert not PERSONAL & set(found.fields)
    assert 0 < found.complete_percent < 100
    assert set(found.have) | set(found.missing) <= TEXTS | FILES


def test_a_long_history_is_told_in_short() -> None:
    many: tuple[Charge, ...] = tuple(charge(f"ch_{n}", created=ago(days=40 + n)) for n in range(100, 400))

    text = evidence(charges=(charge(), *many)).fields["uncategorized_text"]

    assert "300 earlier payments" in text
    assert "- and 288 before" in text
    assert len(text) < ONE_TEXT_MAX


@given(
    st.dictionaries(
        st.sampled_from(sorted(TEXTS)),
        st.text(st.sampled_from("ab\n"), min_size=1, max_size=30).map(lambda text: text * 1500),
    )
)
def test_what_is_fitted_is_always_taken(written: dict[str, str]) -> None:
    """Trap E11."""
    kept = fitted(written)

    assert problems(kept) == ()
    assert all(written[name].startswith(text) for name, text in kept.items())
    if not problems(written):
        assert all(kept[name] == text for name, text in written.items() if len(text) <= ONE_TEXT_MAX)


def test_what_stripe_would_refuse_is_said_before_the_one_submission_is_spent() -> None:
    long = "x" * (ONE_TEXT_MAX + 1)

    assert "20,001" in problems({"uncategorized_text": long})[0]
    assert "150,001" in problems({"service_date": "x" * (ALL_TEXT_MAX + 1)})[0]
    assert "no text field" in problems({"narrative": "x"})[0]
    assert problems({"receipt": "file_1"}) == ()
