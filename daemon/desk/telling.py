"""Telling the caller of a proposal what has become of it, in the transaction in which it becomes that."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.store import outbox, proposals


def tell_caller(session: Session, row: Row[Any], now: datetime) -> None:
    """To be called after the version has moved; `row` is as it was before."""
    moved = proposals.one(session, row.case_id, row.version)
    if moved is not None and moved.callback_url is not None:
        outbox.announce(session, moved, now)
