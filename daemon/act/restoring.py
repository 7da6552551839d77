"""What becomes of everything unfinished when a copy of the database is put in use: nothing happens by itself.

What was approved or under way when the copy was made may have been done since, by the database that it is a copy of. So
no approval of that time is acted on: each has to be given anew, for the world as it is now; and of what was sent
nobody knows how it ended until its effect is looked for.
"""

from datetime import datetime

import structlog
from sqlalchemy import select, update
from sqlmodel import Session

from daemon.act import steps
from daemon.act.claim import Claim, claim_of
from daemon.core.canonical import Json
from daemon.core.protocol import Step
from daemon.store import attempts, journal, proposals
from daemon.store.db import Store
from daemon.store.journal import Note
from daemon.store.personal import Seal
from daemon.store.tables import table

INSTALLATION = table("installation")
PROPOSALS = table("proposals")

WHY = "The database was restored from a copy, and since that was made this may have been done."

log = structlog.get_logger(__name__)


def settle_copy(store: Store, seal: Seal, now: datetime) -> bool:
    """Called by whoever is about to act, before anything else; whether this database was a copy until now."""
    with store.transaction() as session:
        query = select(INSTALLATION.c.copied_at).with_for_update()
        copied_at = session.scalar(query)
        if copied_at is None:
            return False
        begun = attempts.unfinished(session, "claimed")
        lost = attempts.unfinished(session, "sent")
        for attempt in begun:
            _let_go(session, claim_of(session, seal, attempt), now)
        for attempt in lost:
            steps.take(session, Step.LOSE, claim_of(session, seal, attempt), now, why=WHY, anybodys=True)
        attempts.doubt_all(session)
        approved = session.execute(select(PROPOSALS).where(PROPOSALS.c.state == "approved")).all()
        for row in sorted(approved, key=lambda each: (each.case_id, each.version)):
            proposals.hold(session, row.case_id)
            steps.outdate(session, row, steps.subject_of(session, row), now, why=WHY)
        session.execute(update(INSTALLATION).values(copied_at=None, restored_at=now))
        body: dict[str, Json] = {
            "copied_at": journal.spelled(copied_at),
            "approvals_void": len(approved) + len(begun),
            "attempts_unknown": len(lost),
        }
        journal.append(session, Note("database_restored", steps.BY_EXECUTOR, body), now)
    log.warning("database_restored", **body)
    return True


def _let_go(session: Session, claim: Claim, now: datetime) -> None:
    """It was claimed; whether it was sent after the copy was made, nobody here knows."""
    proposals.hold(session, claim.proposal.case_id)
    moved = attempts.move(session, claim.id, claim.token, Step.OUTDATE, now, error=WHY)
    assert moved, "it is claimed, and nobody else is here"
    steps.outdate(session, claim.proposal, claim.subject, now, why=WHY)
