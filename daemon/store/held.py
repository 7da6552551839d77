"""What the storm brake keeps back: cases that a rule wants, not opened because it wants too many at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.model import HeldRule, Kind
from daemon.store import cursors
from daemon.store.statements import insert_into, portions
from daemon.store.tables import table

HELD = table("held")
EXAMPLES: Final = 3
JUDGED: Final = "subjects"  # the cursor that keeps how many subjects the last pass judged


@dataclass(frozen=True, slots=True)
class Brake:
    """What of an account may not open: held kinds, but for what of them was released."""

    held: frozenset[Kind] = frozenset()
    released: frozenset[str] = frozenset()


def weigh(
    session: Session, subjects_of: Mapping[str, tuple[Kind, Subject]], pass_number: int, now: datetime
) -> None:
    """These were wanted by the pass that is under way, by fingerprint. What was held or released stays so."""
    insert = insert_into(session, HELD)
    upsert = insert.on_conflict_do_update(
        index_elements=list(HELD.primary_key.columns), set_={"pass_number": insert.excluded.pass_number}
    )
    for some in portions(sorted(subjects_of)):
        session.execute(
            upsert,
            [
                {
                    "account": subject.account,
                    "fingerprint": fingerprint,
                    "kind": kind.value,
                    "subject_kind": subject.kind,
                    "subject_id": subject.id,
                    "state": "weighed",
                    "pass_number": pass_number,
                    "since": now,
                }
                for fingerprint in some
                for kind, subject in (subjects_of[fingerprint],)
            ],
        )


def wanted_by(session: Session, account: str, pass_number: int) -> dict[Kind, dict[str, tuple[str, Subject]]]:
    """What a pass wanted to open, by kind and fingerprint: the state it was in, and whose it is."""
    found: dict[Kind, dict[str, tuple[str, Subject]]] = defaultdict(dict)
    query = select(HELD).where(HELD.c.account == account, HELD.c.pass_number == pass_number)
    for row in session.execute(query):
        found[Kind(row.kind)][row.fingerprint] = (
            row.state,
            Subject(account, row.subject_kind, row.subject_id),
        )
    return dict(found)


def hold(session: Session, account: str, fingerprints: Collection[str]) -> None:
    """These are kept back until somebody releases them, or the next complete pass wants them again."""
    for some in portions(sorted(fingerprints)):
        query = update(HELD).where(HELD.c.account == account, HELD.c.fingerprint.in_(some))
        session.execute(query.where(HELD.c.state == "weighed").values(state="held"))


def release(session: Session, account: str, kind: Kind) -> list[Subject]:
    """Somebody wants to see what is held of this kind; whose it is, to be looked at again."""
    released = session.execute(
        update(HELD)
        .where(HELD.c.account == account, HELD.c.kind == kind.value, HELD.c.state == "held")
        .values(state="released")
        .returning(HELD.c.subject_kind, HELD.c.subject_id)
    )
    return sorted({Subject(account, row.subject_kind, row.subject_id) for row in released})


def let_through(session: Session, account: str, fingerprints: Collection[str]) -> None:
    """These may open, though their rule is held."""
    for some in portions(sorted(fingerprints)):
        query = update(HELD).where(HELD.c.account == account, HELD.c.fingerprint.in_(some))
        session.execute(query.values(state="released"))


def forget_all_but(session: Session, account: str, kept: Iterable[str]) -> None:
    """What a pass did not want any more, or may open, is not kept back."""
    kept = set(kept)
    known = set(session.scalars(select(HELD.c.fingerprint).where(HELD.c.account == account)))
    for some in portions(sorted(known - kept)):
        session.execute(delete(HELD).where(HELD.c.account == account, HELD.c.fingerprint.in_(some)))


def brake(session: Session, account: str) -> Brake:
    query = select(HELD.c.kind, HELD.c.fingerprint, HELD.c.state).where(
        HELD.c.account == account, HELD.c.state != "weighed"
    )
    rows = session.execute(query).all()
    return Brake(
        frozenset(Kind(row.kind) for row in rows if row.state == "held"),
        frozenset(row.fingerprint for row in rows if row.state == "released"),
    )


def rules(session: Session, account: str) -> dict[str, HeldRule]:
    """The rules of which something is held, with how much, and a few examples."""
    here = (HELD.c.account == account, HELD.c.state == "held")
    counts = select(HELD.c.kind, func.count().label("count")).where(*here).group_by(HELD.c.kind)
    subjects = int(cursors.position(session, account, JUDGED) or 0)
    found = {}
    for kind, count in session.execute(counts).all():
        few = select(HELD.c.subject_id).where(*here, HELD.c.kind == kind)
        examples = session.scalars(few.order_by(HELD.c.subject_id).limit(EXAMPLES))
        found[str(kind)] = HeldRule(int(count), subjects, tuple(examples))
    return found
