"""The kill switch: where acting is stopped, by whom and since when. What is not stopped has no row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlmodel import Session

from daemon.store.statements import insert_into
from daemon.store.tables import table

STOPS = table("stops")
INSTALLATION = table("installation")
EVERYWHERE: Final = ""  # the account of the stop that is for all


@dataclass(frozen=True, slots=True)
class Stop:
    stopped_by: str
    stopped_at: datetime


def stopped(session: Session, account: str, *, claiming: bool = False) -> str | None:
    """Why nothing may be done in this account, as a sentence; None where it may.

    Who asks in order to claim something keeps the switch from being flipped until that is committed, so that nothing
    is claimed after a flip.
    """
    if claiming:
        session.execute(select(INSTALLATION.c.one).with_for_update(read=True))
    found = stops(session)
    for name, where in ((EVERYWHERE, "in all accounts"), (account, f"in {account}")):
        if name in found:
            stop = found[name]
            return f"{stop.stopped_by} stopped all acting {where} on {stop.stopped_at:%Y-%m-%d at %H:%M} UTC."
    return None


def stops(session: Session) -> Mapping[str, Stop]:
    """All there are, by account."""
    return {row.account: Stop(row.stopped_by, row.stopped_at) for row in session.execute(select(STOPS))}


def stop(session: Session, account: str, by: str, now: datetime) -> bool:
    """Whether that is new: who stopped first stays the one who did."""
    session.execute(select(INSTALLATION.c.one).with_for_update())
    insert = insert_into(session, STOPS).values(account=account, stopped_by=by, stopped_at=now)
    return bool(session.execute(insert.on_conflict_do_nothing().returning(STOPS.c.account)).all())


def go_on(session: Session, account: str) -> bool:
    """Whether it was stopped."""
    gone = delete(STOPS).where(STOPS.c.account == account).returning(STOPS.c.account)
    return bool(session.execute(gone).all())
