"""Erasure: removes all personal detail of one subject for good, and writes down that it was done, and by whom.

The journal never held any of it, only salted digests, and the salts go with the detail: so the chain still verifies,
and nobody can try a guess against what is left.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import select, union
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.canonical import Json
from daemon.store import journal, personal
from daemon.store.journal import Note
from daemon.store.personal import PERSONAL
from daemon.store.tables import table

CASES = table("cases")
PROPOSALS = table("proposals")

ERASED: Final = "personal_detail_erased"


def subjects_named(session: Session, name: str, account: str | None) -> list[Subject]:
    """Whom an id names, in this account or in all: a subject's own id, or that of a case about it."""
    columns = ("account", "subject_kind", "subject_id")
    of_case = select(*(CASES.c[each] for each in columns)).where(
        (CASES.c.id == name) | (CASES.c.subject_id == name)
    )
    of_piece = select(*(PERSONAL.c[each] for each in columns)).where(PERSONAL.c.subject_id == name)
    if account is not None:
        of_case = of_case.where(CASES.c.account == account)
        of_piece = of_piece.where(PERSONAL.c.account == account)
    found = session.execute(union(of_case, of_piece)).all()
    return sorted(Subject(*row) for row in found)


def _payments(session: Session, subject: Subject) -> list[Subject]:
    """What was written about a payment while it was nobody's is kept under the payment, and is this subject's now."""
    on_cases = select(PROPOSALS.c.target_type, PROPOSALS.c.target_id).join(
        CASES, CASES.c.id == PROPOSALS.c.case_id
    )
    found = on_cases.where(
        CASES.c.account == subject.account,
        CASES.c.subject_kind == subject.kind,
        CASES.c.subject_id == subject.id,
        PROPOSALS.c.target_type != subject.kind,  # another of its kind is somebody else
    )
    return sorted(Subject(subject.account, *row) for row in session.execute(found.distinct()))


def erase(session: Session, subject: Subject, actor: str, now: datetime) -> int:
    """Answers how many pieces that were. Nothing there is written down as well: somebody asked for it, and it is so."""
    pieces = sum(personal.erase(session, each) for each in [subject, *_payments(session, subject)])
    body: dict[str, Json] = {"pieces": pieces}
    about = (subject.kind, subject.id)
    journal.append(session, Note(ERASED, actor, body, account=subject.account, subject=about), now)
    return pieces
