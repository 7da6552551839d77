"""What callers have asked for under which key, so that asking again is not asking for more."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select
from sqlmodel import Session

from daemon.store.statements import insert_into
from daemon.store.tables import table

REQUESTS = table("requests")

BY_KEY: Final = "key:"  # the caller's own Idempotency-Key
BY_CONTENT: Final = "same:"  # what it asked for, where it named no key


def one(session: Session, principal: str, key: str) -> Row[Any] | None:
    query = select(REQUESTS).where(REQUESTS.c.principal == principal, REQUESTS.c.key == key)
    return session.execute(query).first()


def keep(session: Session, principal: str, key: str, *, digest: str, proposal_id: str, now: datetime) -> None:
    """From now on this key stands for this proposal."""
    new = {"digest": digest, "proposal_id": proposal_id, "asked_at": now}
    insert = insert_into(session, REQUESTS).values(principal=principal, key=key, **new)
    session.execute(insert.on_conflict_do_update(index_elements=["principal", "key"], set_=new))
