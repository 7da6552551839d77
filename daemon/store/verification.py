"""Whether the journal is what was written: every link recomputed, and what was done to it named.

Somebody with access to the file can drop the triggers and change rows. What cannot be done unnoticed is to make the
chain fit again and also fit a head that was exported before: so keep exported heads where the database's owner
cannot write. Verification reads page by page, and trusts neither `journal_head` nor the types of columns.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Row, func, literal_column, select
from sqlmodel import Session

from daemon.core.canonical import GENESIS, NotCanonical, chain
from daemon.store.journal import ENTRIES_A_PAGE, HEAD, JOURNAL, Entry, ExportedHead
from daemon.store.statements import is_postgres
from daemon.store.tables.base import moment

PLACES_MAX = 100_000  # how far around a misplaced entry its first place is searched for: some seconds


_TEXTS = ("kind", "actor", "account", "subject_kind", "subject_id", "body")


class Tampering(Enum):
    EDITED = "edited"
    DELETED = "deleted"
    INSERTED = "inserted"
    SWAPPED = "swapped"
    CUT = "cut"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong with the journal."""

    seq: int
    what: Tampering
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of what fits, and the fault behind it, if there is one."""

    head: ExportedHead
    fault: Fault | None


def verify(
    session: Session,
    heads: Sequence[ExportedHead] = (),
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Reads the whole journal, and compares it with `journal_head` and with heads that were exported earlier."""
    exported = {each.seq: each.hash for each in heads}
    good = ExportedHead(0, GENESIS)
    confirmed = 0  # up to where an exported head vouches for the chain
    before = GENESIS
    for stored in _rows(session):
        fault = _fault(session, stored, good, before)
        if fault is not None:
            return Verdict(good, fault)
        before, good = good.hash, ExportedHead(stored.seq, stored.hash)
        if exported.get(good.seq, good.hash) != good.hash:
            return Verdict(good, _rewritten(good.seq, confirmed))
        if good.seq in exported:
            confirmed = good.seq
        if progress is not None and good.seq % ENTRIES_A_PAGE == 0:
            progress(good.seq)
    return Verdict(good, _fault_of_the_end(session, good, max(exported, default=0)))


@dataclass(frozen=True, slots=True)
class _Stored:
    """A row as it is, whoever wrote it. No entry: its columns hold what we never write."""

    seq: int
    previous: bytes
    hash: bytes
    entry: Entry | None

    @property
    def intact(self) -> bool:
        """Its own hash fits its own content, wherever it belongs."""
        return self.fits_at(self.seq)

    def fits_at(self, seq: int) -> bool:
        if self.entry is None:
            return False
        try:
            return chain(self.previous, replace(self.entry, seq=seq).text()) == self.hash
        except (NotCanonical, UnicodeEncodeError):
            return False


def _fault(session: Session, stored: _Stored, good: ExportedHead, before: bytes) -> Fault | None:
    """What is wrong with the row that follows the good ones; `before` is the hash of the last good one but one."""
    expected = good.seq + 1
    if stored.seq < expected:
        return _inserted(stored.seq)
    if stored.seq > expected:
        return _deleted(expected, f"the next entry is {stored.seq}")
    linked = stored.previous == good.hash
    if stored.intact:
        # Its own content is as written, so it is the entry before it that was made anew, hash and all.
        return None if linked else _edited(max(good.seq, 1))
    place = None if linked else _first_place(session, stored)
    if place is not None:
        return _misplaced(session, stored, place, good, before)
    follower = next(_rows(session, after=stored.seq), None)
    if follower is not None and follower.previous == good.hash:
        return _inserted(stored.seq)
    return _edited(stored.seq)


def _misplaced(session: Session, stored: _Stored, place: int, good: ExportedHead, before: bytes) -> Fault:
    """The row was written as another number. Was it swapped, or did rows move because one came or went?"""
    if stored.hash == good.hash:
        return _inserted(stored.seq)  # a copy of the entry before it, which is sound
    if place < stored.seq and stored.previous == before:
        return _inserted(good.seq)
    belongs_here = select(JOURNAL.c.seq).where(JOURNAL.c.previous == good.hash, JOURNAL.c.seq > stored.seq)
    where = session.scalar(belongs_here.order_by(JOURNAL.c.seq))
    if where is None:
        return _deleted(stored.seq, f"its place is taken by what was written as {place}")
    return Fault(
        stored.seq,
        Tampering.SWAPPED,
        f"Entry {stored.seq} holds what was written as {place}, and its own content stands at {where}: "
        "entries were swapped.",
    )


def _first_place(session: Session, stored: _Stored) -> int | None:
    """The sequence number under which the row's own hash fits, nearest first."""
    last = int(session.scalar(select(func.max(JOURNAL.c.seq))) or 0)
    for distance in range(1, min(last, PLACES_MAX) + 1):
        for seq in (stored.seq + distance, stored.seq - distance):
            if 1 <= seq <= last + 1 and stored.fits_at(seq):
                return seq
    return None


def _fault_of_the_end(session: Session, good: ExportedHead, exported: int) -> Fault | None:
    """The tail: every entry may fit, and the last ones be gone."""
    if exported > good.seq:
        return _cut(good.seq + 1, f"an exported head knows entry {exported}")
    found = session.execute(select(literal_column("seq"), literal_column("hash")).select_from(HEAD)).first()
    seq, digest = (found.seq, _bytes(found.hash)) if found is not None else (0, None)
    if not isinstance(seq, int) or seq < good.seq:
        return _inserted(seq + 1 if isinstance(seq, int) else good.seq)
    if seq > good.seq:
        return _cut(good.seq + 1, f"the journal's own head is at {seq}")
    if digest != good.hash:
        return _edited(good.seq)
    return None


def _rows(session: Session, after: int | None = None) -> Iterator[_Stored]:
    columns = [_raw(session, column.name) for column in JOURNAL.columns]
    while True:
        page = select(*columns).select_from(JOURNAL).order_by(JOURNAL.c.seq).limit(ENTRIES_A_PAGE)
        rows = session.execute(page if after is None else page.where(JOURNAL.c.seq > after)).all()
        yield from map(_stored, rows)
        if len(rows) < ENTRIES_A_PAGE:
            return
        after = rows[-1].seq


def _raw(session: Session, name: str) -> ColumnElement[Any]:
    # SQLite stores any bytes as text, and its driver then fails on a row that it was our business to judge.
    as_bytes = name in _TEXTS and not is_postgres(session)
    return literal_column(f"CAST({name} AS BLOB)" if as_bytes else name).label(name)


def _stored(row: Row[Any]) -> _Stored:
    previous, digest = _bytes(row.previous), _bytes(row.hash)
    try:
        kind, actor, account, subject_kind, subject_id, body = (_text(getattr(row, name)) for name in _TEXTS)
        at = moment(row.at)
    except (UnicodeDecodeError, OverflowError, TypeError):
        return _Stored(row.seq, previous, digest, None)
    if kind is None or actor is None or body is None or (subject_kind is None) != (subject_id is None):
        return _Stored(row.seq, previous, digest, None)
    subject = None if subject_kind is None or subject_id is None else (subject_kind, subject_id)
    entry = Entry(row.seq, at, kind, actor, account, subject, body, previous=previous, hash=digest)
    return _Stored(row.seq, previous, digest, entry)


def _text(value: str | bytes | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def _edited(seq: int) -> Fault:
    return Fault(seq, Tampering.EDITED, f"Entry {seq} is not what was written: it was edited.")


def _deleted(seq: int, how: str) -> Fault:
    return Fault(seq, Tampering.DELETED, f"Entry {seq} is missing ({how}): it was deleted.")


def _inserted(seq: int) -> Fault:
    return Fault(seq, Tampering.INSERTED, f"Entry {seq} was never written by this program: it was inserted.")


def _cut(seq: int, how: str) -> Fault:
    return Fault(
        seq, Tampering.CUT, f"Entry {seq} and what followed it is missing ({how}): the tail was cut off."
    )


def _rewritten(seq: int, confirmed: int) -> Fault:
    since = f"between {confirmed + 1} and {seq}" if confirmed + 1 < seq else f"at {seq}"
    return Fault(
        seq,
        Tampering.REWRITTEN,
        f"Entry {seq} is not the one that was exported as the head: the chain was written anew, {since}.",
    )
