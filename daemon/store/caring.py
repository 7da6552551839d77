"""What people do with a case beside deciding on it: the columns that are theirs, and their dismissals."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, update
from sqlmodel import Session

from daemon.store.tables import table

CASES = table("cases")
DISMISSALS = table("dismissals")


def assign(session: Session, case_id: str, person: str | None, until: datetime | None) -> None:
    """Whose the case is for a while. It keeps nobody else from deciding."""
    _write(session, case_id, assignee=person, assigned_until=until)


def snooze(session: Session, case_id: str, until: datetime | None) -> None:
    """Out of the way until then; without a time it is back at once."""
    _write(session, case_id, state="open" if until is None else "snoozed", snoozed_until=until)


def dismiss(
    session: Session, case: Row[Any], person: str, reason: str, now: datetime, until: datetime | None = None
) -> None:
    """Accepts the case as known, for exactly the facts that it has now. `reason` is the digest of what was said."""
    holding = update(DISMISSALS).where(
        DISMISSALS.c.fingerprint == case.fingerprint, DISMISSALS.c.ended_at.is_(None)
    )
    session.execute(holding.values(ended_at=now))
    session.execute(
        insert(DISMISSALS).values(
            id=f"dis_{secrets.token_hex(12)}",
            fingerprint=case.fingerprint,
            case_id=case.id,
            facts_hash=case.facts_hash,
            person=person,
            reason=reason,
            dismissed_at=now,
            until=until,
        )
    )


def _write(session: Session, case_id: str, **columns: Any) -> None:
    session.execute(update(CASES).where(CASES.c.id == case_id).values(**columns))
