"""Evidence for a dispute: as often as one likes as a draft here, once at Stripe, and never by accident."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from accounts.errors import Refused, Uncertain
from accounts.sandbox import objects
from daemon.actions import dispute_evidence as evidence
from daemon.actions.shape import BadDetails, Done, Trace
from daemon.core.canonical import Json
from daemon.core.drafts.evidence import LONG_TEXTS
from tests.actions.rig import DAY_S, Rig

TEXT = {"product_description": "A chair"}


def details(texts: Mapping[str, Json] | None = None, *files: Json, **more: Json) -> dict[str, Json]:
    return {"dispute": "dp_1", "evidence": TEXT if texts is None else texts, "files": files, **more}


def staged(rig: Rig, **texts: str) -> None:
    dispute = rig.shop.look("dispute", "dp_1")
    told = dispute["evidence_details"] | {"has_evidence": True}
    rig.shop.change("dispute", "dp_1", evidence=dispute["evidence"] | texts, evidence_details=told)


def test_evidence_is_staged_as_often_as_wanted_and_submitted_once(rig: Rig) -> None:
    """Trap E10: any number of drafts, one submission, and a second one is refused."""
    for number in range(3):
        rig.act(
            evidence,
            details({"product_description": f"Chair {number}"}, submit=False),
            key=f"k{number}",
            tag=f"p{number}",
        )
        assert rig.shop.look("dispute", "dp_1")["evidence_details"]["submission_count"] == 0
    rig.act(evidence, details(), key="k", tag="p")
    dispute = rig.shop.look("dispute", "dp_1")
    assert dispute["status"] == "under_review"
    assert dispute["evidence_details"]["submission_count"] == 1
    assert "submitted already" in rig.refusal(evidence, details())


def test_past_its_time_it_is_refused_with_the_reason(rig: Rig) -> None:
    """Trap E10: past its `due_by`."""
    rig.shop.sandbox.on_loop(lambda: rig.shop.sandbox.world.clock.advance(7 * DAY_S + 3600))
    assert "time to answer dp_1 (49.00 USD) is over" in rig.refusal(evidence, details())


def test_a_clock_that_is_minutes_fast_refuses_nothing_that_is_still_in_time(rig: Rig) -> None:
    """Trap E10: our clock and theirs differ."""
    due = datetime.fromtimestamp(rig.shop.look("dispute", "dp_1")["evidence_details"]["due_by"], UTC)
    asked, seen = rig.ask(evidence, details())
    assert evidence.preflight(asked, seen, due + timedelta(minutes=4)) is None
    assert evidence.preflight(asked, seen, due + timedelta(minutes=6)) is not None


def test_stripes_own_word_that_it_is_too_late_counts_whatever_our_clock_says(rig: Rig) -> None:
    told = rig.shop.look("dispute", "dp_1")["evidence_details"] | {"past_due": True}
    rig.shop.change("dispute", "dp_1", evidence_details=told)
    assert "is over" in rig.refusal(evidence, details())


@pytest.mark.parametrize("status", ["under_review", "won", "lost", "prevented", "appeal_needs_response"])
def test_a_dispute_that_takes_no_answer_gets_none(status: str, rig: Rig) -> None:
    rig.shop.change("dispute", "dp_1", status=status)
    assert status.replace("_", " ") in rig.refusal(evidence, details())


def test_a_dispute_that_says_so_takes_no_answer_at_all(rig: Rig) -> None:
    told = rig.shop.look("dispute", "dp_1")["evidence_details"] | {"due_by": 0}
    rig.shop.change("dispute", "dp_1", evidence_details=told)
    assert "no answer at all" in rig.refusal(evidence, details())


def test_an_unknown_deadline_does_not_keep_anybody_from_answering(rig: Rig) -> None:
    told = rig.shop.look("dispute", "dp_1")["evidence_details"] | {"due_by": None}
    rig.shop.change("dispute", "dp_1", evidence_details=told)
    rig.act(evidence, details())
    assert rig.shop.look("dispute", "dp_1")["status"] == "under_review"


def test_too_much_text_is_refused_before_the_one_submission_is_spent(rig: Rig) -> None:
    """Trap E11: more text than Stripe takes, together or in one field."""
    texts: dict[str, Json] = dict.fromkeys(sorted(LONG_TEXTS), "x" * 20000)
    with pytest.raises(BadDetails, match="150,000"):
        evidence.read(details(texts), rig.place)
    with pytest.raises(BadDetails, match="20,001 characters"):
        evidence.read(details({"uncategorized_text": "x" * 20_001}), rig.place)


def test_what_lies_at_stripe_already_counts_too(rig: Rig) -> None:
    """Trap E11: what would be submitted is all of it, not only what is sent."""
    staged(rig, customer_name="x" * 149_990)
    assert "150,000" in rig.refusal(evidence, details({"product_description": "A chair, and more"}))
    assert rig.shop.look("dispute", "dp_1")["evidence_details"]["submission_count"] == 0


def test_a_file_that_is_too_large_or_none_at_all_is_refused_before(rig: Rig) -> None:
    """Trap E11: files that are too large together, no evidence, or not there."""
    for number in (2, 3):
        rig.shop.put(
            objects.file(
                f"file_{number}", created=rig.shop.now(), purpose="dispute_evidence", size=2_500_000,
                filename="a.pdf", type="pdf",
            )
        )  # fmt: skip
    two: list[Json] = [{"field": "receipt", "file": "file_2"}, {"field": "refund_policy", "file": "file_3"}]
    assert "5,000,000 bytes" in rig.refusal(evidence, details({}, *two))
    rig.shop.change("file", "file_1", purpose="business_logo")
    assert "uploaded as business_logo" in rig.refusal(evidence, details({}, "file_1"))
    assert "no file file_9" in rig.refusal(evidence, details({}, "file_9"))


def test_files_may_be_named_by_their_field_alone_and_as_stripe_does(rig: Rig) -> None:
    asked = evidence.read(details({**TEXT, "receipt": "file_1"}, "file_2"), rig.place)
    assert asked.details["files"] == [
        {"field": "receipt", "file": "file_1"},
        {"field": "uncategorized_file", "file": "file_2"},
    ]
    assert asked.personal["evidence"] == TEXT


def test_the_reviewer_sees_all_that_stripe_would_submit(rig: Rig) -> None:
    staged(rig, uncategorized_text="Staged by Bob", service_date="2026-01-01")
    _, seen = rig.ask(evidence, details({**TEXT, "service_date": ""}, "file_1"))
    assert seen.personal["merged"] == {
        "product_description": "A chair",
        "uncategorized_file": "file_1",
        "uncategorized_text": "Staged by Bob",
    }
    rig.act(evidence, details({**TEXT, "service_date": ""}, "file_1"))
    sent = {name: text for name, text in rig.shop.look("dispute", "dp_1")["evidence"].items() if text}
    assert sent == seen.personal["merged"]


def test_what_is_staged_by_somebody_else_sends_it_back_though_nobody_can_read_it_there(rig: Rig) -> None:
    before = rig.material(evidence, details())
    staged(rig, uncategorized_text="Staged by Bob")
    after = rig.material(evidence, details())
    assert before != after
    assert b"Bob" not in after
    staged(rig, uncategorized_text="Staged anew by Bob")
    assert rig.material(evidence, details()) != after


def test_what_lies_there_can_be_submitted_as_it_is_but_not_nothing(rig: Rig) -> None:
    assert "no evidence" in rig.refusal(evidence, details({}))
    staged(rig, uncategorized_text="Staged by Bob")
    rig.act(evidence, details({}))
    assert rig.shop.look("dispute", "dp_1")["status"] == "under_review"


def test_evidence_that_was_submitted_in_the_dashboard_blocks_ours(rig: Rig) -> None:
    """Trap T26: the submission count has gone from 0 to 1."""
    before = rig.material(evidence, details())
    rig.shop.client().v1.disputes.update(
        "dp_1", {"evidence": {"uncategorized_text": "By hand"}, "submit": True}
    )
    assert rig.material(evidence, details()) != before
    assert "submitted already" in rig.refusal(evidence, details())


def test_a_submission_that_was_not_ours_is_not_taken_for_ours(rig: Rig) -> None:
    asked, sent = rig.sent(evidence, details())
    rig.shop.client().v1.disputes.update(
        "dp_1", {"evidence": {"uncategorized_text": "By hand"}, "submit": True}
    )
    assert rig.verify(evidence, asked, sent) is Trace.ABSENT


def test_two_submissions_at_once_are_one(rig: Rig) -> None:
    asked, seen = rig.ask(evidence, details())
    request = evidence.request(asked, seen, "p1")
    evidence.execute(rig.hands(), asked, request, key="k1")
    again = evidence.execute(rig.hands(), asked, request, key="k1")
    other_key = evidence.execute(rig.hands(), asked, request, key="k2")
    assert (again.replayed, other_key.replayed) == (True, True)
    with pytest.raises(Refused, match="already been submitted"):
        evidence.execute(rig.hands(), asked, evidence.request(asked, seen, "p2"), key="k3")
    assert rig.shop.look("dispute", "dp_1")["evidence_details"]["submission_count"] == 1


def test_a_lost_answer_to_a_staging_is_found_by_its_tag(rig: Rig) -> None:
    asked, sent = rig.sent(evidence, details(submit=False))
    assert rig.verify(evidence, asked, sent) is Trace.ABSENT
    rig.fault("answers_lost")
    with pytest.raises(Uncertain):
        rig.act(evidence, details(submit=False))
    assert isinstance(rig.verify(evidence, asked, sent), Done)


def test_a_key_that_may_not_read_files_leaves_them_to_stripe(rig: Rig) -> None:
    allowed = frozenset({"rak_dispute_read", "rak_dispute_write"})
    key = rig.shop.account.keys[rig.shop.key]
    rig.shop.sandbox.on_loop(lambda: setattr(key, "permissions", allowed))
    rig.act(evidence, details(TEXT, "file_1"))
    assert rig.shop.look("dispute", "dp_1")["evidence"]["uncategorized_file"] == "file_1"


def test_a_dispute_of_another_account_does_not_exist_here(rig: Rig) -> None:
    with pytest.raises(BadDetails, match="none on this account"):
        rig.ask(evidence, {**details(), "dispute": "dp_elsewhere"})


def test_the_button_tells_staging_from_submitting(rig: Rig) -> None:
    asked, _ = rig.ask(evidence, details(submit=False))
    assert evidence.describe(asked, replace(rig.place, livemode=False)) == (
        "Stage evidence for dp_1 (1 text and 0 files) without submitting it on shop (test)"
    )
