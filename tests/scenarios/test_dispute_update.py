"""News about disputes that nobody can answer, and what is no news."""

from datetime import timedelta

import pytest

from accounts.stripe.shapes import Dispute
from daemon.core.diff import Verb, diff
from daemon.core.model import CaseState, Dismissal, Kind, Severity, Source, Standing, Substate
from tests.payments import ADOPTED, NOW, account, ago, ahead, case, cases, dispute, facts, judged

KIND = Kind.DISPUTE_UPDATE
BEFORE = ago(days=40)  # created long before we began to watch
AFTER = ADOPTED + timedelta(days=2)


def reached(state: str, when: object = AFTER) -> dict[tuple[Source, str, str], object]:
    return {(Source.DISPUTES, "dp_1", state): when}


@pytest.mark.parametrize("status", ["needs_response", "warning_needs_response", "under_review"])
def test_a_dispute_that_takes_no_answer_is_told_whenever_it_came(status: str) -> None:
    found = case(KIND, facts(disputes=(dispute(due_by=0, status=status, created=BEFORE),)))

    assert found.severity is Severity.LOW
    assert found.due_at is None
    assert "takes no answer" in found.title


@pytest.mark.parametrize("status", ["lost", "appeal_needs_response", "appeal_under_review"])
def test_lost_and_appealed_are_told_if_they_became_so_after_we_began_to_watch(status: str) -> None:
    old = dispute(due_by=ago(days=20), status=status, created=BEFORE, submitted=1)

    assert cases(KIND, facts(disputes=(old,))) == []
    assert cases(KIND, facts(disputes=(old,), reached=reached(status, ADOPTED - timedelta(days=1)))) == []
    assert case(KIND, facts(disputes=(old,), reached=reached(status))).severity is Severity.LOW
    assert cases(KIND, facts(disputes=(old,), reached=reached(status), account=account(adopted=None))) == []


def test_one_that_came_lost_after_we_began_to_watch_is_told() -> None:
    assert (
        "was lost"
        in case(KIND, facts(disputes=(dispute(due_by=0, status="lost", created=ago(days=1)),))).title
    )


@pytest.mark.parametrize(
    "quiet",
    [
        dispute(due_by=ahead(days=9)),
        dispute(due_by=None),
        dispute(due_by=ago(days=1), status="won"),
        dispute(due_by=None, status="prevented"),
        dispute(due_by=ago(days=1), status="warning_closed"),
        dispute(due_by=0, status="under_review", submitted=1),
        dispute(due_by=ahead(days=1), status="under_review", submitted=1),
    ],
    ids=lambda each: f"{each.status}-{each.evidence_details.due_by}",
)
def test_prevented_won_and_closed_are_no_losses(quiet: Dispute) -> None:
    """Trap D13: what was prevented, won or closed is not lost."""
    assert (
        cases(
            KIND,
            facts(disputes=(quiet,), reached=reached(quiet.status)),
        )
        == []
    )


def test_a_state_that_we_do_not_know_goes_to_a_person() -> None:
    """Trap D11: the state of the object decides, and an unknown one is not guessed."""
    found = case(KIND, facts(disputes=(dispute(due_by=None, status="arbitration", created=ago(days=1)),)))

    assert "“arbitration”" in found.title


def test_an_appeal_shows_until_when_it_can_be_made() -> None:
    appealed = dispute(due_by=ahead(days=3), status="appeal_needs_response", submitted=1, created=ago(days=9))

    assert case(KIND, facts(disputes=(appealed,))).due_at == NOW + timedelta(days=3)


def test_reading_ends_it_and_the_next_news_brings_it_back() -> None:
    appealed = dispute(due_by=None, status="appeal_under_review", submitted=2, created=ago(days=9))
    told = case(KIND, facts(disputes=(appealed,)))
    fingerprint = told.fingerprint(account())
    case_row = Standing(
        "case_1", fingerprint, KIND, CaseState.OPEN, Substate.NEW, told.severity, told.facts_hash, ""
    )
    read = {fingerprint: Dismissal(fingerprint, told.facts_hash)}

    ended = diff(judged(KIND, facts(disputes=(appealed,))), {fingerprint: case_row}, read, NOW, "p1").made
    assert [(each.verb, each.substate) for each in ended] == [(Verb.RESOLVE, Substate.DISMISSED)]

    lost = dispute(due_by=None, status="lost", submitted=2, created=ago(days=9))
    resolved = Standing(
        "case_1",
        fingerprint,
        KIND,
        CaseState.RESOLVED,
        Substate.DISMISSED,
        told.severity,
        told.facts_hash,
        "",
    )
    back = diff(judged(KIND, facts(disputes=(lost,))), {fingerprint: resolved}, read, NOW, "p1").made
    assert [each.verb for each in back] == [Verb.REOPEN]
