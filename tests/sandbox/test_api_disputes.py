"""Disputes: submitted unless told otherwise, once; staged evidence goes out at the deadline; accepted means lost."""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from tests.sandbox.shop import DAY_S, Shop, open_shop

TEXT = "evidence[uncategorized_text]=They%20used%20it%20daily."


def update(shop: Shop, form: str, status: int = 200) -> dict[str, Any]:
    answered = shop.post("/v1/disputes/dp_1", form)
    assert answered.status_code == status, answered.text
    body: dict[str, Any] = answered.json()
    return body


@pytest.fixture
def own() -> Iterator[Shop]:
    """A shop whose clock may be moved."""
    with Sandbox.start(accounts=0) as sandbox:
        yield open_shop(sandbox)


def test_evidence_is_submitted_unless_told_otherwise(shop: Shop) -> None:
    after = update(shop, TEXT)
    assert after["status"] == "under_review"
    assert after["evidence"]["uncategorized_text"] == "They used it daily."
    details = after["evidence_details"]
    assert (details["has_evidence"], details["submission_count"], details["submission_method"]) == (
        True,
        1,
        "manual",
    )
    assert shop.events()[-1] == "charge.dispute.updated"


def test_submit_false_stages_and_a_later_call_submits_all_of_it(shop: Shop) -> None:
    staged = update(shop, f"{TEXT}&submit=false")
    assert staged["status"] == "needs_response"
    assert staged["evidence_details"]["has_evidence"] is True
    assert staged["evidence_details"]["submission_count"] == 0
    after = update(shop, "evidence[customer_name]=Ada")
    assert after["status"] == "under_review"
    assert after["evidence"]["uncategorized_text"] == "They used it daily."
    assert after["evidence"]["customer_name"] == "Ada"


def test_even_a_change_of_metadata_submits_what_is_staged(shop: Shop) -> None:
    assert update(shop, "metadata[a]=b")["status"] == "needs_response"
    update(shop, f"{TEXT}&submit=false")
    assert update(shop, "metadata[a]=c&submit=false")["status"] == "needs_response"
    assert update(shop, "metadata[a]=d")["status"] == "under_review"


def test_evidence_is_submitted_only_once(shop: Shop) -> None:
    update(shop, TEXT)
    assert "already been submitted" in update(shop, "evidence[customer_name]=Ada", 400)["error"]["message"]
    assert shop.look("dispute", "dp_1")["evidence"]["customer_name"] is None
    assert update(shop, "metadata[a]=b")["metadata"] == {"a": "b"}


def test_metadata_of_a_closed_dispute_can_still_be_changed(shop: Shop) -> None:
    update(shop, f"{TEXT}&submit=false")
    shop.change("dispute", "dp_1", status="lost")
    assert update(shop, "metadata[a]=b")["status"] == "lost"


def test_nothing_can_be_submitted_where_there_is_nothing(shop: Shop) -> None:
    update(shop, "submit=true", 400)


@pytest.mark.parametrize(
    ("status", "after"),
    [
        ("needs_response", "under_review"),
        ("warning_needs_response", "warning_under_review"),
    ],
)
def test_each_kind_of_question_has_its_kind_of_review(status: str, after: str, shop: Shop) -> None:
    shop.change("dispute", "dp_1", status=status)
    assert update(shop, TEXT)["status"] == after


@pytest.mark.parametrize("status", ["won", "lost", "warning_closed", "prevented", "under_review"])
def test_a_dispute_that_takes_no_answer_refuses_evidence(status: str, shop: Shop) -> None:
    shop.change("dispute", "dp_1", status=status)
    update(shop, TEXT, 400)
    assert shop.post("/v1/disputes/dp_1/close").status_code == 400


def test_a_due_by_of_0_means_that_no_response_is_possible(shop: Shop) -> None:
    details = shop.look("dispute", "dp_1")["evidence_details"]
    shop.change("dispute", "dp_1", evidence_details=details | {"due_by": 0})
    assert "takes no response" in update(shop, TEXT, 400)["error"]["message"]


def test_an_appeal_takes_evidence_of_appeal_and_nothing_else(shop: Shop) -> None:
    appeal = "evidence[appeal][card][reason_for_filing]=new"
    update(shop, appeal, 400)
    shop.change("dispute", "dp_1", status="appeal_needs_response")
    update(shop, TEXT, 400)
    assert update(shop, appeal)["status"] == "appeal_under_review"


def test_texts_have_their_limits(shop: Shop) -> None:
    update(shop, f"evidence[product_description]={'x' * 20_000}&submit=false")
    error = update(shop, f"evidence[product_description]={'x' * 20_001}&submit=false", 400)["error"]
    assert error["param"] == "evidence[product_description]"
    names = ["access_activity_log", "cancellation_rebuttal", "refund_policy_disclosure", "uncategorized_text"]
    names += ["cancellation_policy_disclosure", "duplicate_charge_explanation", "refund_refusal_explanation"]
    together = "&".join(f"evidence[{name}]={'x' * 20_000}" for name in names)
    error = update(shop, f"{together}&submit=false", 400)["error"]
    assert "combined character count of all evidence is 160000" in error["message"]
    assert shop.look("dispute", "dp_1")["evidence"]["access_activity_log"] is None


def test_a_file_field_takes_the_id_of_an_uploaded_piece_of_evidence(shop: Shop) -> None:
    assert (
        update(shop, "evidence[receipt]=file_gone&submit=false", 400)["error"]["code"] == "resource_missing"
    )
    shop.change("file", "file_1", purpose="business_logo")
    update(shop, "evidence[receipt]=file_1&submit=false", 400)
    shop.change("file", "file_1", purpose="dispute_evidence")
    assert update(shop, "evidence[receipt]=file_1&submit=false")["evidence"]["receipt"] == "file_1"
    assert update(shop, "evidence[receipt]=&submit=false")["evidence"]["receipt"] is None


def test_an_unknown_piece_of_evidence_is_refused(shop: Shop) -> None:
    error = update(shop, "evidence[vibes]=good", 400)["error"]
    assert (error["code"], error["param"]) == ("parameter_unknown", "evidence[vibes]")


def test_closing_accepts_the_loss(shop: Shop) -> None:
    assert shop.client().v1.disputes.close("dp_1").status == "lost"
    assert shop.events()[-1] == "charge.dispute.closed"
    assert shop.post("/v1/disputes/dp_1/close").status_code == 400


def test_staged_evidence_goes_out_at_the_deadline(own: Shop) -> None:
    update(own, f"{TEXT}&submit=false")
    own.sandbox.advance("6d")
    assert own.look("dispute", "dp_1")["status"] == "needs_response"
    own.sandbox.advance("25h")
    dispute = own.look("dispute", "dp_1")
    assert (dispute["status"], dispute["evidence_details"]["submission_count"]) == ("under_review", 1)
    assert own.events().count("charge.dispute.updated") == 2


def test_staged_evidence_stays_where_somebody_else_was_to_submit(own: Shop) -> None:
    update(own, f"{TEXT}&submit=false&intended_submission_method=prefer_smart_disputes")
    own.sandbox.advance("8d")
    assert own.look("dispute", "dp_1")["evidence_details"]["submission_count"] == 0


def test_a_dispute_that_nobody_answers_is_lost_a_day_after_its_deadline(own: Shop) -> None:
    own.put(
        objects.dispute(
            "dp_inquiry",
            created=own.now(),
            amount=1,
            currency="usd",
            charge="ch_2",
            status="warning_needs_response",
            due_by=own.now() + DAY_S,
        )
    )
    own.sandbox.advance("7d")
    own.sandbox.advance("1h")
    assert own.look("dispute", "dp_1")["status"] == "needs_response"
    own.sandbox.advance("24h")
    assert own.look("dispute", "dp_1")["status"] == "lost"
    assert own.look("dispute", "dp_inquiry")["status"] == "warning_closed"


def test_a_deadline_that_was_moved_counts_from_where_it_is_now(own: Shop) -> None:
    details = own.look("dispute", "dp_1")["evidence_details"]
    own.change("dispute", "dp_1", evidence_details=details | {"due_by": own.now() + 20 * DAY_S})
    own.sandbox.advance("10d")
    assert own.look("dispute", "dp_1")["status"] == "needs_response"
    own.sandbox.advance("12d")
    assert own.look("dispute", "dp_1")["status"] == "lost"
