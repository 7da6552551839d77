"""The case of a request, judged in the desk's own transaction: it is there when the answer is, and goes with it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session

from accounts.facts import Subject
from daemon import witness
from daemon.core.judge import Verdict, Wanted
from daemon.core.model import Disagreement, Facts, Kind, LiveProposal
from daemon.core.rules.approval_request import approval_request
from daemon.desk.ground import Ground
from daemon.judging import changes_of
from daemon.store import cases, worklist
from daemon.store.desk import asked_of
from daemon.store.journal import Note


def judged(
    session: Session, ground: Ground, subject: Subject, now: datetime, beside: Iterable[LiveProposal] = ()
) -> Sequence[Note]:
    """Writes what requests about this subject stand now, `beside` ones that are not stored yet included.

    A look that is under way knows nothing of it; so the subject is marked, and looked at once more.
    """
    land = ground.land(session, subject.account)
    policy = ground.policy_of(subject.account)
    if Kind.APPROVAL_REQUEST in policy.off:
        return []
    asked = asked_of(session, subject.account, [subject]).get(subject)
    facts = Facts(
        subject=subject,
        account=land.facts,
        estate=land.estate,
        proposals=(*(asked.proposals if asked else ()), *beside),
    )
    found = [each for each in approval_request(facts, policy, now) if isinstance(each, Disagreement)]
    wanted = tuple(Wanted(each.fingerprint(land.facts), each) for each in found)
    verdict = Verdict(facts, frozenset({Kind.APPROVAL_REQUEST}), wanted)
    changes = changes_of(session, land, [verdict], policy, now)
    notes = cases.apply(session, land.facts, policy, changes, now)
    for each in changes:
        witness.moved(subject, each)
    worklist.mark(session, [subject], now, reading=False)  # after the cases: a look takes them in this order
    return notes
