"""Changes of policies and people that wait for a second admin."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, insert, select, update
from sqlmodel import Session

from daemon.core.canonical import Json
from daemon.store.tables import table

CHANGES = table("changes")
Kind = Literal["policy", "person"]
Decided = Literal["confirmed", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Change:
    id: str
    kind: Kind
    name: str  # of the policy or the person
    change: dict[str, Json]
    proposed_by: str  # a person's id, or the owner's
    proposed_at: datetime
    state: str = "waiting"
    decided_by: str | None = None
    decided_at: datetime | None = None


def propose(session: Session, change: Change) -> None:
    session.execute(
        insert(CHANGES).values(
            id=change.id,
            kind=change.kind,
            name=change.name,
            change=change.change,
            proposed_by=change.proposed_by,
            proposed_at=change.proposed_at,
            state="waiting",
        )
    )


def one(session: Session, id: str) -> Change | None:
    row = session.execute(select(CHANGES).where(CHANGES.c.id == id)).first()
    return None if row is None else _change(row)


def waiting(session: Session, kind: Kind | None = None, name: str | None = None) -> list[Change]:
    """What waits, the longest waiting first."""
    query = select(CHANGES).where(CHANGES.c.state == "waiting")
    if kind is not None:
        query = query.where(CHANGES.c.kind == kind)
    if name is not None:
        query = query.where(CHANGES.c.name == name)
    return [_change(row) for row in session.execute(query.order_by(CHANGES.c.proposed_at, CHANGES.c.id))]


def decide(session: Session, id: str, state: Decided, by: str, now: datetime) -> bool:
    """Whether it still waited: the first who decides is the one who did."""
    decided = update(CHANGES).where(CHANGES.c.id == id, CHANGES.c.state == "waiting")
    found = session.execute(
        decided.values(state=state, decided_by=by, decided_at=now).returning(CHANGES.c.id)
    )
    return bool(found.all())


def _change(row: Row[Any]) -> Change:
    return Change(
        id=row.id,
        kind=row.kind,
        name=row.name,
        change=row.change,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        state=row.state,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
