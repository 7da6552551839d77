"""A request as its caller at the Cheqpoint-compatible gate sees it: whole, and in the names that it came with."""

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.core.approval import gate
from daemon.core.approval.gate import Told
from daemon.core.canonical import Json
from daemon.store import decisions, personal, proposals, telling
from daemon.store.personal import Piece, Seal
from daemon.store.proposals import Erased


def told(session: Session, seal: Seal, row: Row[Any]) -> Told:
    """`row` is its newest version."""
    quorum = decisions.quorum(session, row, decisions.policy_in_force(session, row))
    asked = _asked(session, seal, row)
    return replace(
        telling.told(session, row),
        asked=asked,
        effective=gate.theirs(_details(session, seal, row), telling.fields_of(row), asked),
        note=_note(session, seal, row),
        have=quorum.have,
        need=quorum.need.approvers,
    )


def _asked(session: Session, seal: Seal, row: Row[Any]) -> dict[str, Json]:
    """As the caller spelled it; erased, or asked for in another way, what is known of it."""
    for subject in proposals.subjects_of(session, row):
        text = personal.read(session, seal, Piece(subject, f"asked:{row.id}"))
        if text is not None:
            found: dict[str, Json] = json.loads(text)
            return found
    first, *_ = proposals.versions(session, row.id)
    return gate.theirs(_details(session, seal, first), telling.fields_of(row))


def _details(session: Session, seal: Seal, row: Row[Any]) -> dict[str, Json]:
    try:
        return proposals.details_of(session, seal, row)
    except Erased:
        return dict(row.details)


def _note(session: Session, seal: Seal, row: Row[Any]) -> str | None:
    """What whoever decided last wrote about it."""
    for vote in reversed(decisions.votes(session, row.id, row.version)):
        for subject in proposals.subjects_of(session, row):
            name = f"note:{row.id}:v{row.version}:{vote.person}"
            text = personal.read(session, seal, Piece(subject, name))
            if text is not None:
                return text
    return row.reason if row.state in {"expired", "moot"} else None
