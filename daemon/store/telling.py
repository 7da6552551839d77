"""What may be said of a proposal to anybody who asked for it: what is in sight, and nothing that is encrypted."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlmodel import Session

from daemon.core.approval import gate
from daemon.core.approval.gate import Told
from daemon.core.approval.matrix import AUTOMATIC
from daemon.core.canonical import Json
from daemon.core.moves import READ_FROM
from daemon.store import proposals
from daemon.store.tables import table

ATTEMPTS = table("attempts")
DECISIONS = table("decisions")
PERSONAL = table("personal")


def told(session: Session, row: Row[Any]) -> Told:
    """Of one version. Where something in its details is personal, nothing of them is repeated."""
    first, *_ = proposals.versions(session, row.id)
    return Told(
        id=row.id,
        case_id=row.case_id,
        version=row.version,
        state=row.state,
        execution=row.execution,
        executable_at=row.executable_at,
        expires_at=row.expires_at,
        decided_at=_decided_at(session, row) or row.state_since,
        idempotency_key=f"rcl:{row.id}:v{row.version}:e{row.epoch}",
        asked=_in_their_names(session, first),
        effective=_in_their_names(session, row),
        edited=row.details_digest != first.details_digest,
        verifiable=row.action in READ_FROM,
        automatic=row.policy_rule if row.approvals_needed == AUTOMATIC else None,
        reason=row.reason,
        object_id=object_of(session, row),
    )


def object_of(session: Session, row: Row[Any]) -> str | None:
    """What the execution of a version made on Stripe."""
    of_version = (ATTEMPTS.c.proposal_id == row.id, ATTEMPTS.c.version == row.version)
    newest_first = select(ATTEMPTS.c.object_id).where(*of_version).order_by(ATTEMPTS.c.epoch.desc())
    found = session.scalar(newest_first.limit(1))
    return None if found is None else str(found)


def fields_of(row: Row[Any]) -> gate.Fields:
    return dict((row.asked_as or {}).get("fields", {}))


def _in_their_names(session: Session, row: Row[Any]) -> dict[str, Json] | None:
    return None if _is_partly_personal(session, row) else gate.theirs(row.details, fields_of(row))


def _is_partly_personal(session: Session, row: Row[Any]) -> bool:
    """Then what the row knows is not the whole, and who takes it for the whole does something else."""
    mine = PERSONAL.c.name.startswith(f"proposal:{row.id}:v", autoescape=True)
    kept = select(PERSONAL.c.name).where(PERSONAL.c.account == row.account, mine)
    return not row.details or session.scalar(kept.limit(1)) is not None


def _decided_at(session: Session, row: Row[Any]) -> datetime | None:
    of_version = (DECISIONS.c.proposal_id == row.id, DECISIONS.c.version == row.version)
    newest_first = select(DECISIONS.c.decided_at).where(*of_version).order_by(DECISIONS.c.decided_at.desc())
    found: datetime | None = session.scalar(newest_first.limit(1))
    return found
