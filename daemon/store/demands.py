"""Demands: somebody wants everything of an account to be read that was not read since a moment."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session

from daemon.store import cursors

DEMAND: Final = "sweep:demand"


@dataclass(frozen=True, slots=True)
class Demand:
    at: datetime
    whole: bool  # what is old too, whether or not the read budget has room to spare


def make(session: Session, account: str, now: datetime, *, whole: bool = False) -> None:
    """Every class that is not read to its end by a pass that begins from now on is due."""
    before = standing(session, account)
    still_whole = before is not None and before.whole
    position = json.dumps({"at": now.isoformat(), "whole": whole or still_whole})
    cursors.move(session, account, DEMAND, position, now)


def standing(session: Session, account: str) -> Demand | None:
    found = cursors.position(session, account, DEMAND)
    if found is None:
        return None
    said = json.loads(found)
    return Demand(datetime.fromisoformat(said["at"]), bool(said["whole"]))


def forget(session: Session, account: str) -> None:
    """It was met."""
    cursors.forget(session, account, DEMAND)
