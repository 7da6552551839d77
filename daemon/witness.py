"""The witness: tells Prometheus and the log what became of a look, with the event that led to it where one did."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.comparison import compared
from daemon.core.diff import Change, Changes, Reason, Verb
from daemon.core.judge import Verdict
from daemon.store import cases, inbox
from daemon.store.worklist import Taken
from metrics.catalog import (
    cases_opened,
    comparisons,
    event_verdicts,
    events_dead_lettered,
    queue_wait,
    subjects_judged,
)
from metrics.exemplars import Exemplar, exemplar

log = structlog.get_logger(__name__)

Heard = Mapping[Subject, Exemplar | None]  # which event marked whom

NOTHING_HEARD: Final[Heard] = {}
GOOD_WITHIN: Final = timedelta(minutes=1)  # from a mark to the end of its look; a second is usual
TRIED_FOR: Final = timedelta(days=1)  # so long, and not longer, a subject is tried before it is set aside


def heard(session: Session, taken: Sequence[Taken]) -> Heard:
    """Which event marked whoever waited longest: of a hundred one is enough to look up."""
    first = next((each for each in taken if each.takes == 1 and each.stale), None)
    if first is None:
        return NOTHING_HEARD
    event_id = inbox.event_about(session, first.subject, first.due, first.due)
    return {first.subject: exemplar("event_id", event_id)}


def began(taken: Sequence[Taken], by: Heard, now: datetime) -> None:
    for each in taken:
        if each.takes == 1:  # what could not be read has waited on purpose
            queue_wait.observe((now - each.due).total_seconds(), by.get(each.subject))


def ended(subject: Subject, waited: timedelta, by: Heard) -> None:
    verdict = "good" if waited <= GOOD_WITHIN else "late"
    event_verdicts.labels(verdict).inc(exemplar=by.get(subject))


def judged(verdicts: Sequence[Verdict], changes: Sequence[Changes], why: str) -> None:
    """Counts, and says a line for every case that was opened, changed or resolved, once that is committed."""
    subjects_judged.labels(why).inc(len(changes))
    for system, result in (pair for verdict in verdicts for pair in compared(verdict)):
        comparisons.labels(system.value, result.value).inc()
    for verdict, each in zip(verdicts, changes, strict=True):
        moved(verdict.facts.subject, each)


def moved(subject: Subject, changes: Changes) -> None:
    """The same of one subject's cases, whoever moved them."""
    for change in changes.made:
        if change.verb in (Verb.OPEN, Verb.REOPEN) and change.disagreement is not None:
            cases_opened.labels(change.disagreement.kind.value).inc()
        if change.reason is not Reason.WORDING_CHANGED:
            _say(subject, change)


def set_aside(session: Session, subject: Subject, error: str, now: datetime) -> None:
    """Says of a subject that it was buried: nothing is given up in silence."""
    event = exemplar("event_id", inbox.event_about(session, subject, now - TRIED_FOR, now))
    events_dead_lettered.inc(exemplar=event)
    event_verdicts.labels("lost").inc(exemplar=event)
    log.error("subject_set_aside", account=subject.account, kind=subject.kind, id=subject.id, because=error)


def _say(subject: Subject, change: Change) -> None:
    log.info(
        cases.NOTED[change.verb],
        account=subject.account,
        subject=f"{subject.kind} {subject.id}",
        case=change.standing.id if change.standing else cases.case_id(change.fingerprint),
        kind=_kind(change),
        reason=change.reason.value,
    )


def _kind(change: Change) -> str:
    if change.disagreement is not None:
        return change.disagreement.kind.value
    assert change.standing is not None, "a change is of a case that stands or of one that should"
    return str(change.standing.kind)
