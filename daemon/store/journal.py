"""The journal: who did what, when, to whom; appended in the transaction of the change, never altered.

Every entry is chained to the one before it by a hash over its canonical text. The sequence is the head's plus one,
under the head's lock, so there are no gaps and no two entries of one number; whoever appends holds the head until the
transaction ends, so it is the last thing that a transaction does. `daemon.store.verification` checks the chain.

The body holds ids, states, amounts and times. What is personal stays in the encrypted side table; the body
holds its salted digest.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlmodel import Session

from daemon.core.canonical import GENESIS, Json, canonical, chain
from daemon.store.tables import table

__all__ = [
    "Entry", "ExportedHead", "Note", "after", "append", "append_all", "entries", "export", "hash_of", "head",
]  # fmt: skip

ENTRIES_A_PAGE = 2_000  # some megabytes; the journal itself may be of any size

JOURNAL = table("journal")
HEAD = table("journal_head")


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be written down."""

    kind: str  # case_opened, proposal_approved, attempt_sent …
    actor: str  # a person, a token's name, or the part of the daemon that did it
    body: Mapping[str, Json]
    account: str | None = None
    subject: tuple[str, str] | None = None  # kind and id


@dataclass(frozen=True, slots=True)
class Entry:
    """What was written down."""

    seq: int
    at: datetime
    kind: str
    actor: str
    account: str | None
    subject: tuple[str, str] | None
    body: str  # canonical JSON
    previous: bytes
    hash: bytes

    def text(self) -> bytes:
        """The canonical text that the hash covers. The body is put in as it is stored, so any change of it shows."""
        before = canonical({"account": self.account, "actor": self.actor, "at": spelled(self.at)})
        after = canonical({"kind": self.kind, "seq": self.seq, "subject": self.subject})
        return before[:-1] + b',"body":' + self.body.encode() + b"," + after[1:]

    def line(self) -> str:
        """One line of an export: SHA-256 over `previous` (as bytes) and the text of `entry` gives `hash`."""
        return f'{{"entry":{self.text().decode()},"hash":"{self.hash.hex()}","previous":"{self.previous.hex()}"}}'


@dataclass(frozen=True, slots=True)
class ExportedHead:
    """Where the chain ended at some time, kept outside the database: what a cut or a rewritten chain is found by."""

    seq: int
    hash: bytes

    def line(self) -> str:
        return canonical({"hash": self.hash.hex(), "seq": self.seq}).decode()

    @classmethod
    def from_line(cls, line: str) -> "ExportedHead":
        """Raises ValueError with a sentence for a line that `line()` did not make."""
        try:
            found = json.loads(line)
            seq, digest = found["seq"], bytes.fromhex(found["hash"])
        except (ValueError, TypeError, KeyError):
            raise ValueError(f"“{line.strip()[:60]}” is not an exported journal head") from None
        if type(seq) is not int or seq < 0 or len(digest) != len(GENESIS):
            raise ValueError(f"“{line.strip()[:60]}” is not an exported journal head")
        return cls(seq, digest)


def append(session: Session, note: Note, at: datetime) -> int:
    """Writes one entry and answers its sequence number."""
    return append_all(session, [note], at)[0]


def append_all(session: Session, notes: Sequence[Note], at: datetime) -> range:
    """Writes entries in their order and answers their sequence numbers."""
    locked = session.execute(select(HEAD.c.seq, HEAD.c.hash).with_for_update()).one()
    seq, previous = int(locked.seq), bytes(locked.hash)
    written = []
    for number, note in enumerate(notes, start=seq + 1):
        body = canonical(note.body).decode()
        bare = Entry(number, at, note.kind, note.actor, note.account, note.subject, body, previous, b"")
        entry = replace(bare, hash=chain(previous, bare.text()))
        previous = entry.hash
        written.append(entry)
    if written:
        session.execute(insert(JOURNAL), [_columns(entry) for entry in written])
        session.execute(update(HEAD).values(seq=written[-1].seq, hash=previous))
    return range(seq + 1, seq + 1 + len(written))


def head(session: Session) -> ExportedHead:
    """Where the chain ends now; sequence 0 while nothing was written."""
    found = session.execute(select(HEAD.c.seq, HEAD.c.hash)).one()
    return ExportedHead(int(found.seq), bytes(found.hash))


def entries(
    session: Session,
    *,
    before: int | None = None,
    limit: int = 100,
    account: str | None = None,
    subject: tuple[str, str] | None = None,
    kind: str | None = None,
    among: Collection[str] | None = None,
) -> list[Entry]:
    """The newest first; `before` continues where a page ended, `among` are the accounts that may be seen."""
    query = select(JOURNAL).order_by(JOURNAL.c.seq.desc()).limit(limit)
    wanted = {"account": account, "kind": kind}
    if subject is not None:
        wanted |= {"subject_kind": subject[0], "subject_id": subject[1]}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(JOURNAL.c[name] == value)
    if among is not None:
        query = query.where(JOURNAL.c.account.in_(sorted(among)))
    if before is not None:
        query = query.where(JOURNAL.c.seq < before)
    return [_entry(row) for row in session.execute(query)]


def after(session: Session, seq: int, *, limit: int) -> list[Entry]:
    """The entries that follow this one, in their order."""
    query = select(JOURNAL).where(JOURNAL.c.seq > seq).order_by(JOURNAL.c.seq).limit(limit)
    return [_entry(row) for row in session.execute(query)]


def hash_of(session: Session, seq: int) -> bytes | None:
    """What the chain has at this number."""
    found = session.scalar(select(JOURNAL.c.hash).where(JOURNAL.c.seq == seq))
    return None if found is None else bytes(found)


def export(session: Session, since: datetime | None = None, until: datetime | None = None) -> Iterator[Entry]:
    """The entries from the first at or after `since` to the last before `until`, without gaps, in constant memory."""
    first = select(func.min(JOURNAL.c.seq))
    last = select(func.max(JOURNAL.c.seq))
    start = session.scalar(first if since is None else first.where(JOURNAL.c.at >= since))
    end = session.scalar(last if until is None else last.where(JOURNAL.c.at < until))
    while start is not None and end is not None and start <= end:
        page = select(JOURNAL).where(JOURNAL.c.seq >= start, JOURNAL.c.seq <= end)
        rows = session.execute(page.order_by(JOURNAL.c.seq).limit(ENTRIES_A_PAGE)).all()
        yield from map(_entry, rows)
        start = rows[-1].seq + 1 if rows else None


def spelled(at: datetime) -> str:
    """A moment as the hash covers it: UTC, always with six decimals."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _columns(entry: Entry) -> dict[str, Any]:
    subject = entry.subject or (None, None)
    return {
        "seq": entry.seq,
        "at": entry.at,
        "kind": entry.kind,
        "actor": entry.actor,
        "account": entry.account,
        "subject_kind": subject[0],
        "subject_id": subject[1],
        "body": entry.body,
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _entry(row: Row[Any]) -> Entry:
    subject = None if row.subject_kind is None else (row.subject_kind, row.subject_id)
    return Entry(row.seq, row.at, row.kind, row.actor, row.account, subject, row.body, row.previous, row.hash)
