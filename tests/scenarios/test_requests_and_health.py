"""Requests that wait for people, and what is wrong with our own sight: keys, permissions, webhooks, held rules."""

from datetime import timedelta
from typing import Any

from accounts.facts import Subject
from daemon.core.model import AccountHealth, HeldRule, Kind, LiveProposal, Money, Severity, Source
from tests.payments import NOW, account, case, cases, facts, judged

ASKS, DEGRADED, GAP, STORM = Kind.APPROVAL_REQUEST, Kind.ACCOUNT_DEGRADED, Kind.EVENT_GAP, Kind.RULE_STORM
ACCOUNT = Subject("acme", "account", "acct_1")


def asked(id: str = "prop_1", **changes: Any) -> LiveProposal:
    given: dict[str, Any] = {
        "version": 1,
        "action": "refund",
        "target_type": "charge",
        "target_id": "ch_1",
        "requested_by": "agent-1",
        "execution": "caller",
        "state": "pending",
        "created_at": NOW,
        "amount_minor": 2000,
        "currency": "eur",
        "details": {"charge": "ch_1", "amount": 2000},
    }
    return LiveProposal(id, **given | changes)


def test_a_request_stands_until_it_is_decided_and_done() -> None:
    for state in ("pending", "changes_requested", "approved", "executing", "failed", "unknown"):
        found = case(ASKS, facts(proposals=(asked(state=state),)))
        assert found.severity is Severity.NORMAL
        assert found.amount == Money(2000, "eur")
        assert "ch_1" in found.object_ids
    for state in ("rejected", "expired", "superseded", "stale", "withdrawn", "moot", "succeeded"):
        assert cases(ASKS, facts(proposals=(asked(state=state),))) == []


def test_its_title_says_how_far_it_has_come() -> None:
    said = {
        "pending": "waits for approval", "changes_requested": "waits for changes", "approved": "is approved",
        "executing": "is being carried out", "failed": "has failed", "unknown": "nobody knows yet",
    }  # fmt: skip
    for state, words in said.items():
        assert words in case(ASKS, facts(proposals=(asked(state=state),))).title


def test_one_case_for_a_target_and_a_requester() -> None:
    same, other, elsewhere = (
        asked("prop_2"),
        asked("prop_3", requested_by="agent-2"),
        asked("prop_4", target_id="ch_2"),
    )

    found = cases(ASKS, facts(proposals=(asked(), same, other, elsewhere)))

    assert len(found) == 3
    assert len({each.fingerprint(account()) for each in found}) == 3


def test_a_draft_on_another_case_opens_no_second_one() -> None:
    assert cases(ASKS, facts(proposals=(asked(case_kind="dispute_deadline"),))) == []
    assert len(cases(ASKS, facts(proposals=(asked(case_kind="approval_request"),)))) == 1


def test_a_request_needs_no_source() -> None:
    assert len(cases(ASKS, facts(proposals=(asked(),), unread=frozenset(Source)))) == 1


def test_a_healthy_account_has_no_case() -> None:
    for kind in (DEGRADED, GAP, STORM):
        assert cases(kind, facts(ACCOUNT, health=AccountHealth())) == []


def test_an_unusable_key_is_one_case_and_not_one_for_each_source() -> None:
    health = AccountHealth(
        key_trouble="revoked",
        missing_permissions={Source.DISPUTES: ("rak_dispute_read",)},
        unread_since={Source.CHARGES: NOW - timedelta(days=1), Source.CRM: NOW - timedelta(hours=2)},
    )

    found = cases(DEGRADED, facts(ACCOUNT, health=health))

    assert [each.title for each in found] == [
        "Account acme: its key was revoked",
        "Account acme: crm could not be read since 2026-03-11 10:00 UTC",
    ]
    assert {each.severity for each in found} == {Severity.HIGH}


def test_every_missing_permission_is_named() -> None:
    health = AccountHealth(missing_permissions={Source.DISPUTES: ("rak_dispute_read",), Source.REVIEWS: ()})

    found = cases(DEGRADED, facts(ACCOUNT, health=health))

    assert len(found) == 2
    assert "rak_dispute_read" in found[0].title


def test_a_source_may_fail_for_an_hour() -> None:
    since = NOW - timedelta(minutes=59)
    known = facts(ACCOUNT, health=AccountHealth(unread_since={Source.CRM: since}))

    assert cases(DEGRADED, known) == []
    again = judged(DEGRADED, known).look_again_at
    assert again == since + timedelta(hours=1)
    assert len(cases(DEGRADED, known, now=again)) == 1


def test_missed_events_and_a_broken_endpoint_are_one_case() -> None:
    health = AccountHealth(events_missed=3, endpoint_trouble=("disabled", "missing_types"))

    found = case(GAP, facts(ACCOUNT, health=health))

    assert found.severity is Severity.CRITICAL
    assert "disabled" in found.title
    more = case(
        GAP, facts(ACCOUNT, health=AccountHealth(events_missed=9, endpoint_trouble=health.endpoint_trouble))
    )
    assert more.facts_hash == found.facts_hash
    assert more.title == found.title


def test_a_gap_beyond_what_stripe_keeps_says_that_a_full_sweep_is_needed() -> None:
    """Trap A6: what the gap's case says."""
    health = AccountHealth(gap_from=NOW - timedelta(days=31), gap_until=NOW - timedelta(days=28))

    found = case(GAP, facts(ACCOUNT, health=health))

    assert found.decided_by == "event_gap.beyond_28_days"
    assert "full sweep" in found.title


def test_a_held_rule_shows_its_count_three_examples_and_two_choices() -> None:
    held = {"crm_record_missing": HeldRule(412, 500, ("cus_1", "cus_2", "cus_3", "cus_4"))}

    found = case(STORM, facts(ACCOUNT, health=AccountHealth(held=held)))

    assert found.notes["count"] == 412
    assert found.notes["examples"] == ["cus_1", "cus_2", "cus_3"]
    assert found.notes["choices"] == ["release", "[accounts.acme.rules] crm_record_missing = false"]


def test_every_held_rule_has_its_case() -> None:
    held = {"crm_record_missing": HeldRule(30, 100), "plan_mismatch": HeldRule(25, 100)}

    found = cases(STORM, facts(ACCOUNT, health=AccountHealth(held=held)))

    assert len({each.fingerprint(account()) for each in found}) == 2
