"""Proposals: versions of what somebody wants to be done. What a version says never changes; its state moves.

Whoever moves one takes the row of its case first (`hold`), then the proposal's, and the journal's head last: one order
everywhere, so that nobody waits for each other.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, and_, func, or_, select, update
from sqlalchemy import insert as inserted
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.approval.editing import patch
from daemon.core.approval.matrix import APPROVERS_UNLESS_SAID, AUTOMATIC, NO_LINE
from daemon.core.canonical import Json
from daemon.core.protocol import LIVE, PROPOSAL_MOVES, Step, since, to
from daemon.store import personal
from daemon.store.personal import Piece, Seal
from daemon.store.tables import table

__all__ = [
    "WAITS", "Erased", "again", "details_of", "difference", "digest_of", "due_to_expire", "hold", "insert",
    "live_of", "make_moot", "move", "newest", "next_version", "of_case", "one", "piece_of", "seen_piece_of",
    "versions",
]  # fmt: skip

CASES = table("cases")
PROPOSALS = table("proposals")

WAITS: Final = timedelta(
    days=7
)  # for votes, unless its requester says otherwise: the world is another one by then
CALLER: Final = "caller"
_UNDECIDED: Final = ("pending", "changes_requested")


class Erased(Exception):
    """What was personal in it has been erased, so nobody can say any more what was to be done."""


def one(session: Session, case_id: str, version: int) -> Row[Any] | None:
    """The proposal version that has this number on this case."""
    query = select(PROPOSALS).where(PROPOSALS.c.case_id == case_id, PROPOSALS.c.version == version)
    return session.execute(query).first()


def newest(session: Session, proposal_id: str) -> Row[Any] | None:
    """The newest version of a proposal, whatever its state."""
    query = select(PROPOSALS).where(PROPOSALS.c.id == proposal_id)
    return session.execute(query.order_by(PROPOSALS.c.version.desc()).limit(1)).first()


def versions(session: Session, proposal_id: str) -> Sequence[Row[Any]]:
    """All versions of a proposal, the oldest first."""
    query = select(PROPOSALS).where(PROPOSALS.c.id == proposal_id)
    return session.execute(query.order_by(PROPOSALS.c.version)).all()


def of_case(session: Session, case_id: str) -> Sequence[Row[Any]]:
    """Everything that was ever proposed on a case, the oldest first."""
    query = select(PROPOSALS).where(PROPOSALS.c.case_id == case_id)
    return session.execute(query.order_by(PROPOSALS.c.version)).all()


def live_of(session: Session, requested_by: str, account: str) -> int:
    """How many proposals of somebody's wait for something to happen to them."""
    mine = (PROPOSALS.c.requested_by == requested_by, PROPOSALS.c.account == account)
    query = select(func.count()).select_from(PROPOSALS).where(*mine, PROPOSALS.c.state.in_(sorted(LIVE)))
    return session.scalar(query) or 0


def hold(session: Session, case_id: str) -> Row[Any] | None:
    """The case, locked until the transaction ends: nobody else decides about it, and no look moves it.

    With the others of its subject, in the order in which a look takes them: so none of us waits for the other.
    """
    found = session.execute(select(CASES).where(CASES.c.id == case_id)).first()
    if found is None:
        return None
    of_subject = and_(
        CASES.c.account == found.account,
        CASES.c.subject_kind == found.subject_kind,
        CASES.c.subject_id == found.subject_id,
        CASES.c.state != "resolved",
    )
    query = select(CASES).where(or_(CASES.c.id == case_id, of_subject)).order_by(CASES.c.fingerprint)
    held = session.execute(query.with_for_update()).all()
    return next((row for row in held if row.id == case_id), None)


def next_version(session: Session, case_id: str) -> int:
    """The case is held."""
    newest = select(func.max(PROPOSALS.c.version)).where(PROPOSALS.c.case_id == case_id)
    return int(session.scalar(newest) or 0) + 1


def insert(session: Session, **columns: Any) -> None:
    session.execute(inserted(PROPOSALS).values(**columns))


def move(
    session: Session,
    proposal_id: str,
    version: int,
    *,
    since: Collection[str],
    to: str,
    now: datetime,
    reason: str | None = None,
    **columns: Any,
) -> bool:
    """Compare and set: whether it was in one of these states, and now is in that one."""
    illegal = [(each, to) for each in since if (each, to) not in PROPOSAL_MOVES]
    assert not illegal, f"the protocol knows no such move: {illegal}"
    query = update(PROPOSALS).where(PROPOSALS.c.id == proposal_id, PROPOSALS.c.version == version)
    moved = session.execute(
        query.where(PROPOSALS.c.state.in_(list(since)))
        .values(state=to, state_since=now, reason=reason, **columns)
        .returning(PROPOSALS.c.id)
    )
    return moved.first() is not None


def again(
    session: Session,
    row: Row[Any],
    now: datetime,
    *,
    reason: str | None = None,
    **columns: Any,
) -> int:
    """Inserts the next version of a proposal, waiting for votes, and answers its number. The case is held.

    It says what `row` says, but for the columns that are given.
    """
    version = next_version(session, row.case_id)
    same = {name: value for name, value in row._mapping.items() if name not in _OF_A_STATE}
    new = {
        "version": version,
        "created_at": now,
        "state": "pending",
        "state_since": now,
        "expires_at": now + timedelta(seconds=columns.get("waits_s", row.waits_s)),
        "reason": reason,
    }
    if row.approvals_needed == AUTOMATIC:  # what the policy no longer approves by itself, people do
        new |= {"approvals_needed": APPROVERS_UNLESS_SAID, "policy_rule": NO_LINE}
    insert(session, **same | new | columns)
    return version


def due_to_expire(session: Session, now: datetime) -> Sequence[Row[Any]]:
    """What waited too long for votes, or for being done; a caller's too: it is not to act on an old approval."""
    query = select(PROPOSALS).where(
        PROPOSALS.c.state.in_((*_UNDECIDED, "approved")), PROPOSALS.c.expires_at <= now
    )
    return session.execute(query.order_by(PROPOSALS.c.expires_at, PROPOSALS.c.id)).all()


def make_moot(session: Session, case_ids: Collection[str], reason: str, now: datetime) -> Sequence[Row[Any]]:
    """Nothing is left to be done about these cases, so what was proposed is not done; answers what that was.

    An approval that its caller may have been told of stays: only time ends it.
    """
    told = and_(
        PROPOSALS.c.execution == CALLER, PROPOSALS.c.state == "approved", PROPOSALS.c.executable_at <= now
    )
    query = select(PROPOSALS).where(
        PROPOSALS.c.case_id.in_(sorted(case_ids)),
        PROPOSALS.c.state.in_(sorted(since(Step.BECOME_MOOT))),
        or_(PROPOSALS.c.executable_at.is_(None), ~told),
    )
    found = session.execute(query.order_by(PROPOSALS.c.id, PROPOSALS.c.version).with_for_update()).all()
    for row in found:
        move(
            session, row.id, row.version, since=(row.state,), to=to(Step.BECOME_MOOT), now=now, reason=reason,
            executable_at=None,
        )  # fmt: skip
    return found


def digest_of(seal: Seal, details: Mapping[str, Json]) -> str:
    """Over the whole details. Keyed, so that nobody can try guesses at what is personal in them."""
    return seal.fingerprint(json.dumps(details, sort_keys=True, default=dict).encode())


def difference(old: Row[Any], new: Row[Any]) -> list[Json]:
    """What the journal may say of an edit: what is personal shows by its digest alone."""
    was = {"action": old.action, "details": old.details, "digest": old.details_digest}
    return patch(was, {"action": new.action, "details": new.details, "digest": new.details_digest})


def piece_of(subject: Subject, proposal_id: str, version: int) -> Piece:
    return Piece(subject, f"proposal:{proposal_id}:v{version}")


def seen_piece_of(subject: Subject, proposal_id: str, version: int) -> Piece:
    """What its reviewer is to see of the world, and is personal: the rendered message, the merged evidence."""
    return Piece(subject, f"proposal:{proposal_id}:v{version}:seen")


def details_of(session: Session, seal: Seal, row: Row[Any]) -> dict[str, Json]:
    """The whole details, with what is personal in them. Raises Erased."""
    details: dict[str, Json] = dict(row.details)
    if digest_of(seal, details) == row.details_digest:
        return details
    equal = (PROPOSALS.c.id == row.id, PROPOSALS.c.details_digest == row.details_digest)
    numbers = session.scalars(select(PROPOSALS.c.version).where(*equal).order_by(PROPOSALS.c.version))
    subjects = subjects_of(session, row)
    for version in numbers.all():
        for subject in subjects:
            text = personal.read(session, seal, piece_of(subject, row.id, version))
            if text is not None:
                details |= json.loads(text)
                return details
    raise Erased(f"The personal detail of proposal {row.id} was erased. Withdraw it, and propose it anew.")


def subjects_of(session: Session, row: Row[Any]) -> Sequence[Subject]:
    """Under whom its personal part may lie: a payment that was nobody's may have become a customer's since."""
    case = session.execute(select(CASES).where(CASES.c.id == row.case_id)).one()
    return (
        Subject(row.account, case.subject_kind, case.subject_id),
        Subject(row.account, row.target_type, row.target_id),
    )


_OF_A_STATE: Final = frozenset({"state", "state_since", "executable_at", "expires_at", "epoch", "reason"})
