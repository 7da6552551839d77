"""What every decision about a version begins with: which one is meant, and whether it is still to be decided."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.core.approval.editing import patch
from daemon.core.canonical import Json
from daemon.desk.ground import Ground
from daemon.desk.refusals import Refusal
from daemon.store import decisions, people, proposals
from daemon.store.proposals import Erased


def version_of(session: Session, case: Row[Any], version: int) -> Row[Any]:
    row = proposals.one(session, case.id, version)
    if row is None:
        raise Refusal("stale_version", f"Case {case.id} has no proposal version {version}; show it again.")
    return row


def require_pending(session: Session, ground: Ground, case: Row[Any], row: Row[Any], now: datetime) -> None:
    """Raises Refusal, with what has become of it, where this version can no longer be voted on."""
    if row.state == "pending" and row.expires_at is not None and row.expires_at <= now:
        raise expired(row)
    if row.state == "pending" and case.state == "resolved":
        raise Refusal("moot", "The case is resolved: there is nothing left to decide.")
    if row.state != "pending":
        raise over(session, ground, row)


def expired(row: Row[Any]) -> Refusal:
    return Refusal("expired", f"Proposal {row.id} version {row.version} has expired. Propose it anew.")


def over(session: Session, ground: Ground, row: Row[Any]) -> Refusal:
    """Why a version that is not pending cannot be decided on."""
    what = f"Proposal {row.id} version {row.version}"
    match row.state:
        case "superseded" | "stale":
            return stale_version(session, ground, row)
        case "expired":
            return expired(row)
        case "withdrawn" | "moot":
            return Refusal("moot", f"{what} is no longer wanted. {row.reason or ''}".strip(), state=row.state)
    by = _deciders(session, row)
    said = {"changes_requested": "changes were asked for", "rejected": "it was rejected"}
    done = said.get(row.state, "it was approved")
    names = " and ".join(str(each) for each in by) or "the policy"
    sentence = f"{what} is already decided: {done} by {names}."
    return Refusal("already_decided", sentence, state=row.state, by=list(by))


def stale_version(session: Session, ground: Ground, row: Row[Any]) -> Refusal:
    """There is a newer version: which, and what it says differently."""
    newest = proposals.newest(session, row.id)
    assert newest is not None, "a version is of a proposal"
    return Refusal(
        "stale_version",
        f"Version {row.version} has been replaced by version {newest.version}. Look at what has changed.",
        version=newest.version,
        state_hash=newest.state_hash,
        diff=patch(_shown(session, ground, row), _shown(session, ground, newest)),
    )


def difference(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[Json]:
    """What the world says differently, field by field."""
    return [
        {"field": name, "was": old.get(name), "is": new.get(name)}
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _deciders(session: Session, row: Row[Any]) -> list[str]:
    found = decisions.votes(session, row.id, row.version)
    decisive = [each for each in found if each.verdict != "approve"] or found
    named = ((people.one(session, each.person), each.person) for each in decisive)
    return [person.name if person is not None else id_ for person, id_ in named]


def _shown(session: Session, ground: Ground, row: Row[Any]) -> dict[str, Json]:
    try:
        details = proposals.details_of(session, ground.seal, row)
    except Erased:
        details = dict(row.details)
    return {"action": row.action, "details": details, "execution": row.execution}
