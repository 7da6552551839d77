"""Money that moved, and who allowed it: approved, approved and not done, done differently, or by nobody we know."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.stripe.shapes import Metadata
from accounts.stripe.shapes.billing import CancellationDetails
from daemon.core.model import (
    CallerApproval,
    Facts,
    Kind,
    Money,
    Policy,
    Severity,
    Source,
    Switch,
    Tried,
)
from tests.payments import (
    ADOPTED,
    NOW,
    account,
    ago,
    at,
    case,
    cases,
    charge,
    dispute,
    facts,
    intent,
    invoice,
    invoice_payment,
    judged,
    payout,
    refund,
    subscription,
)

UNAPPROVED, NEVER, OTHERWISE = (
    Kind.UNAPPROVED_MONEY_MOVE,
    Kind.APPROVED_NOT_EXECUTED,
    Kind.EXECUTED_DIFFERENTLY,
)
CREATED = ago(days=1)
APPROVED = NOW - timedelta(days=1, minutes=10)


def stands(known: Facts, policy: Policy = Policy(), now: datetime = NOW) -> dict[Kind, list[str]]:  # noqa: B008
    found = {
        kind: [each.per[1] for each in cases(kind, known, policy, now)]
        for kind in (UNAPPROVED, NEVER, OTHERWISE)
    }
    return {kind: ids for kind, ids in found.items() if ids}


def attempt(**changes: Any) -> Tried:
    given: dict[str, Any] = {
        "proposal_id": "prop_1",
        "version": 1,
        "action": "refund",
        "target_type": "charge",
        "target_id": "ch_1",
        "state": "succeeded",
        "sent_at": NOW - timedelta(days=1, seconds=5),
        "object_id": "re_1",
        "amount_minor": 2000,
        "currency": "eur",
    }
    return Tried(**given | changes)


def approval(proposal_id: str = "prop_1", **changes: Any) -> CallerApproval:
    given: dict[str, Any] = {
        "version": 1,
        "action": "refund",
        "target_type": "charge",
        "target_id": "ch_1",
        "approved_at": APPROVED,
        "expires_at": APPROVED + timedelta(minutes=30),
        "amount_minor": 2000,
        "currency": "eur",
    }
    return CallerApproval(proposal_id, **given | changes)


def paid(*refunds: Any, **parts: Any) -> Facts:
    return facts(charges=(charge(),), refunds=refunds or (refund(),), **parts)


def test_a_refund_that_nothing_explains_is_an_alarm() -> None:
    found = case(UNAPPROVED, paid())

    assert found.severity is Severity.CRITICAL
    assert found.per == ("refund", "re_1")
    assert found.amount == Money(2000, "eur")
    assert {"re_1", "ch_1", "cus_1"} <= set(found.object_ids)


def test_what_happened_before_we_began_to_watch_is_not_held_against_anybody() -> None:
    before = refund(created=at(ADOPTED) - 1)

    assert stands(paid(before)) == {}
    assert stands(paid(account=account(adopted=None))) == {}
    assert stands(paid(refund(created=at(ADOPTED)))) == {UNAPPROVED: ["re_1"]}


@pytest.mark.parametrize("status", ["pending", "succeeded", "failed", "requires_action"])
def test_a_refund_counts_whatever_became_of_it(status: str) -> None:
    known = paid(refund(status=status))

    assert stands(known) == {UNAPPROVED: ["re_1"]}
    assert case(UNAPPROVED, known).facts_hash == case(UNAPPROVED, paid()).facts_hash


def test_our_own_attempt_explains_what_it_made() -> None:
    assert stands(paid(attempts=(attempt(),))) == {}


def test_an_attempt_whose_answer_was_lost_explains_what_it_asked_for() -> None:
    lost = attempt(state="unknown", object_id=None)

    assert stands(paid(attempts=(lost,))) == {}
    assert stands(paid(refund(amount=1999), attempts=(lost,))) == {UNAPPROVED: ["re_1"]}
    assert stands(paid(refund(charge="ch_2"), attempts=(lost,))) == {UNAPPROVED: ["re_1"]}
    assert stands(paid(refund(created=ago(days=2)), attempts=(lost,))) == {UNAPPROVED: ["re_1"]}
    never_sent = attempt(state="claimed", object_id=None, sent_at=None)
    assert stands(paid(attempts=(never_sent,))) == {UNAPPROVED: ["re_1"]}
    refused = attempt(state="failed", object_id=None)
    assert stands(paid(attempts=(refused,))) == {UNAPPROVED: ["re_1"]}


def test_our_tag_counts_only_with_the_attempt_that_it_names() -> None:
    tagged = refund(metadata=Metadata({"reconciled_proposal": "prop_1"}))

    assert stands(paid(tagged)) == {UNAPPROVED: ["re_1"]}
    assert stands(paid(tagged, attempts=(attempt(object_id=None, state="unknown", amount_minor=None),))) == {}
    assert stands(paid(tagged, attempts=(attempt(proposal_id="prop_2", object_id="re_9"),))) == {
        UNAPPROVED: ["re_1"]
    }


def test_two_equal_refunds_need_two_attempts() -> None:
    """Traps D2 and E3: two equal refunds, one attempt."""
    two = (refund("re_1"), refund("re_2"))

    assert stands(paid(*two, attempts=(attempt(),))) == {UNAPPROVED: ["re_2"]}
    assert stands(paid(*two, attempts=(attempt(), attempt(proposal_id="prop_2", object_id="re_2")))) == {}


def test_a_refund_of_a_payment_intent_is_found_by_its_charge() -> None:
    by_intent = approval(target_type="payment_intent", target_id="pi_1")

    assert stands(paid(approvals=(by_intent,))) == {}


def test_a_credit_note_of_ours_explains_its_refund() -> None:
    credited = attempt(
        action="credit_note", target_type="invoice", target_id="in_1", object_id="cn_1", state="unknown"
    )
    note = attempt(action="credit_note", target_type="invoice", target_id="in_1", object_id=None)
    known = {
        "invoices": (invoice(status="paid"),),
        "invoice_payments": (invoice_payment(),),
        "payment_intents": (intent(status="succeeded"),),
    }

    assert stands(paid(attempts=(note,), **known)) == {}
    assert stands(paid(attempts=(credited,), **known)) == {}


def test_the_policy_may_trust_a_source() -> None:
    trusting = Policy(rules={UNAPPROVED: Switch(parameters={"allow": ["metadata.source=backoffice"]})})

    def made_by(source: str) -> Facts:
        return paid(refund(metadata=Metadata({"source": source})))

    assert stands(made_by("backoffice"), trusting) == {}
    assert stands(made_by("backoffice")) == {UNAPPROVED: ["re_1"]}
    assert stands(made_by("elsewhere"), trusting) == {UNAPPROVED: ["re_1"]}


def test_money_that_was_never_taken_needs_no_approval() -> None:
    """Trap D14: the remainder of a partial capture looks like a refund."""
    released = refund(reason="expired_uncaptured_charge")

    assert stands(paid(released)) == {}


def test_a_callers_approval_explains_the_refund_that_it_was_for() -> None:
    assert stands(paid(approvals=(approval(),))) == {}


@pytest.mark.parametrize(
    "other",
    [
        refund(charge="ch_2"),
        refund(created=at(APPROVED - timedelta(minutes=2))),
        refund(created=at(APPROVED + timedelta(minutes=32))),
    ],
    ids=["another charge", "before the approval", "after its expiry"],
)
def test_an_approval_covers_its_object_and_its_time(other: Any) -> None:
    assert stands(paid(other, approvals=(approval(),))) == {UNAPPROVED: ["re_1"], NEVER: ["prop_1"]}


def test_an_approval_that_nobody_used_is_told_at_its_expiry() -> None:
    expires = NOW + timedelta(minutes=5)
    known = facts(charges=(charge(),), approvals=(approval(approved_at=NOW, expires_at=expires),))

    assert stands(known) == {}
    assert judged(NEVER, known).look_again_at == expires
    found = case(NEVER, known, now=expires)
    assert found.severity is Severity.NORMAL
    assert {"prop_1", "ch_1"} <= set(found.object_ids)


def test_another_amount_is_executed_differently() -> None:
    """Trap T32."""
    known = paid(refund(amount=2500), approvals=(approval(),))

    assert stands(known) == {OTHERWISE: ["prop_1"]}
    found = case(OTHERWISE, known)
    assert found.severity is Severity.CRITICAL
    assert found.amount == Money(500, "eur")
    assert "approved was 20.00 EUR, done was 25.00 EUR (re_1)" in found.title


def test_one_refund_answers_to_one_approval() -> None:
    """Trap D2: two equal approvals, one refund."""
    two = (approval("prop_1"), approval("prop_2"))

    assert stands(paid(approvals=two)) == {NEVER: ["prop_2"]}
    assert stands(paid(refund("re_1"), refund("re_2"), approvals=two)) == {}
    assert stands(paid(refund("re_1"), refund("re_2"), refund("re_3"), approvals=two)) == {
        UNAPPROVED: ["re_3"]
    }


def test_the_matching_refund_is_taken_before_the_differing_one() -> None:
    earlier = refund("re_1", amount=500, created=CREATED - 60)

    known = paid(earlier, refund("re_2"), approvals=(approval(),))

    assert stands(known) == {UNAPPROVED: ["re_1"]}


def test_an_open_amount_is_all_that_remained() -> None:
    assert stands(paid(approvals=(approval(amount_minor=None, currency=None),))) == {}


def submitted(when: datetime, number: int = 1) -> dict[tuple[Source, str, str], datetime]:
    return {(Source.DISPUTES, "dp_1", f"submitted:{number}"): when}


ANSWERED = dispute(due_by=ago(days=1), status="under_review", submitted=1, created=at(ADOPTED) - 9)


def test_evidence_that_nobody_approved_is_an_alarm() -> None:
    known = facts(disputes=(ANSWERED,), reached=submitted(NOW - timedelta(hours=1)))

    found = case(UNAPPROVED, known)
    assert found.per == ("dispute", "dp_1")
    assert found.amount == Money(4900, "eur")
    assert stands(facts(disputes=(ANSWERED,))) == {}  # it was so when we first looked
    lost = dispute(due_by=ago(days=1), status="lost", submitted=1, created=at(ADOPTED) - 9)
    lost_since = {(Source.DISPUTES, "dp_1", "lost"): NOW}
    assert stands(facts(disputes=(lost,), reached=lost_since)) == {}  # what is new is only the verdict


def test_evidence_is_explained_by_an_attempt_an_approval_or_stripe_itself() -> None:
    seen = submitted(NOW - timedelta(hours=1))
    ours = attempt(action="dispute_evidence", target_type="dispute", target_id="dp_1", object_id="dp_1")
    theirs = approval(action="dispute_evidence", target_type="dispute", target_id="dp_1", amount_minor=None)

    assert stands(facts(disputes=(ANSWERED,), reached=seen, attempts=(ours,))) == {}
    assert stands(facts(disputes=(ANSWERED,), reached=seen, approvals=(theirs,))) == {}
    by_stripe = dispute(
        due_by=ago(days=1), status="under_review", submitted=1, submission_method="smart_disputes"
    )
    assert stands(facts(disputes=(by_stripe,))) == {}


def test_a_second_submission_needs_a_second_decision() -> None:
    ours = attempt(action="dispute_evidence", target_type="dispute", target_id="dp_1", object_id="dp_1")
    twice = dispute(due_by=None, status="appeal_under_review", submitted=2, created=at(ADOPTED) - 9)
    seen = submitted(NOW - timedelta(hours=2)) | submitted(NOW - timedelta(hours=1), 2)

    assert stands(facts(disputes=(twice,), reached=seen, attempts=(ours,))) == {UNAPPROVED: ["dp_1"]}
    assert stands(facts(disputes=(twice,), reached=seen, attempts=(ours, ours))) == {}


def test_cancellations_count_where_the_policy_says_so() -> None:
    strict = Policy(rules={UNAPPROVED: Switch(parameters={"cancellations": True})})
    ended = subscription(status="canceled", canceled_at=CREATED, ended_at=CREATED)

    assert stands(facts(subscriptions=(ended,))) == {}
    assert stands(facts(subscriptions=(ended,)), strict) == {UNAPPROVED: ["sub_1"]}
    dunned = subscription(
        status="canceled",
        canceled_at=CREATED,
        ended_at=CREATED,
        cancellation_details=CancellationDetails(reason="payment_failed"),
    )
    assert stands(facts(subscriptions=(dunned,)), strict) == {}
    allowed = approval(
        action="subscription_cancel", target_type="subscription", target_id="sub_1", amount_minor=None
    )
    assert stands(facts(subscriptions=(ended,), approvals=(allowed,)), strict) == {}


def test_ended_at_once_where_the_end_of_the_period_was_approved() -> None:
    ended = subscription(status="canceled", canceled_at=CREATED, ended_at=CREATED)
    later = subscription(cancel_at_period_end=True, canceled_at=CREATED)
    allowed = approval(
        action="subscription_cancel",
        target_type="subscription",
        target_id="sub_1",
        amount_minor=None,
        details={"at_period_end": True},
    )

    assert stands(facts(subscriptions=(ended,), approvals=(allowed,))) == {OTHERWISE: ["prop_1"]}
    assert stands(facts(subscriptions=(later,), approvals=(allowed,))) == {}


@pytest.mark.parametrize(
    ("action", "target", "done", "not_done"),
    [
        ("invoice_void", "in_1", {"invoices": (invoice(status="void"),)}, {"invoices": (invoice(),)}),
        ("invoice_pay", "in_1", {"invoices": (invoice(status="paid"),)}, {"invoices": (invoice(),)}),
        (
            "dispute_accept",
            "dp_1",
            {"disputes": (dispute(due_by=None, status="lost"),)},
            {"disputes": (dispute(due_by=None),)},
        ),
        (
            "payout_cancel",
            "po_1",
            {"payouts": (payout(status="canceled"),)},
            {"payouts": (payout(status="paid"),)},
        ),
    ],
)
def test_other_actions_are_verified_by_the_state_of_their_target(
    action: str, target: str, done: dict[str, Any], not_done: dict[str, Any]
) -> None:
    given = approval(action=action, target_type=action.partition("_")[0], target_id=target, amount_minor=None)

    assert cases(NEVER, facts(approvals=(given,), **done)) == []
    assert len(cases(NEVER, facts(approvals=(given,), **not_done))) == 1
    assert cases(NEVER, facts(approvals=(given,))) == []  # not ours to see


def test_an_action_that_leaves_no_trace_is_not_judged() -> None:
    assert stands(facts(approvals=(approval(action="send_gift", target_type="gift", target_id="g_1"),))) == {}


def test_what_cannot_be_read_is_held_against_nobody() -> None:
    for source in (Source.REFUNDS, Source.CHARGES):
        known = facts(approvals=(approval(),), unread=frozenset({source}))
        for kind in (UNAPPROVED, NEVER, OTHERWISE):
            assert kind not in judged(kind, known).judged

    strict = Policy(rules={UNAPPROVED: Switch(parameters={"cancellations": True})})
    unseen = facts(unread=frozenset({Source.SUBSCRIPTIONS}))
    assert UNAPPROVED not in judged(UNAPPROVED, unseen, strict).judged
    assert UNAPPROVED in judged(UNAPPROVED, unseen).judged
