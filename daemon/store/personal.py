"""Personal detail: names, drafts, exact parameters; encrypted, bound to its subject, and erased with it.

AES-256-GCM with a key derived from the configured `secret_key`. Where a piece belongs (account, subject, name) is
authenticated with it, so a row copied to another subject does not open. The journal holds a digest of each piece
under a salt that lives only in the piece's row: while the row exists the digest proves what was seen; once it is
erased, nobody can test a guess against it. Copies in backups end with the backups.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import ColumnElement, delete, select
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.canonical import canonical
from daemon.store.errors import Unsealable
from daemon.store.statements import insert_into
from daemon.store.tables import table

PERSONAL = table("personal")
KEY_BYTES = 32
NONCE_BYTES = (
    12  # what AES-GCM is made for; random ones are safe for four thousand million pieces under one key
)
SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a piece belongs."""

    subject: Subject
    name: str  # draft, crm_name, note:3 …

    def authenticated(self) -> bytes:
        return canonical(["personal", *self.subject, self.name])


class Seal:
    """What seals and opens: made of the installation's secret key."""

    def __init__(self, secret_key: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        self._cipher = AESGCM(derived(secret_key, "personal detail"))
        self._comparing = derived(secret_key, "comparing")
        self._random = random

    def close(self, piece: Piece, plain: bytes) -> tuple[bytes, bytes]:
        nonce = self._random(NONCE_BYTES)
        return nonce, self._cipher.encrypt(nonce, plain, piece.authenticated())

    def open(self, piece: Piece, nonce: bytes, sealed: bytes) -> bytes:
        try:
            return self._cipher.decrypt(nonce, sealed, piece.authenticated())
        except InvalidTag:
            subject = piece.subject
            raise Unsealable(
                f"The personal detail “{piece.name}” of {subject.kind} {subject.id} cannot be opened: it was "
                "written with another secret_key, or altered. Put the old key back, or erase it."
            ) from None

    def salt(self) -> bytes:
        return self._random(SALT_BYTES)

    def fingerprint(self, plain: bytes) -> str:
        """The same for the same text, so that two can be compared; without the key no guess can be tried."""
        return hmac.new(self._comparing, plain, hashlib.sha256).hexdigest()


def write(session: Session, seal: Seal, piece: Piece, text: str, now: datetime) -> str:
    """Stores a piece, replacing what was there, and answers the digest that the journal may hold."""
    plain = text.encode()
    salt = seal.salt()
    nonce, sealed = seal.close(piece, plain)
    new = {"salt": salt, "nonce": nonce, "sealed": sealed, "written_at": now}
    insert = insert_into(session, PERSONAL).values(**_key(piece), **new)
    session.execute(insert.on_conflict_do_update(index_elements=list(PERSONAL.primary_key.columns), set_=new))
    return salted(salt, plain)


def read(session: Session, seal: Seal, piece: Piece) -> str | None:
    """The piece, or None where it was erased or never written; raises Unsealable."""
    query = select(PERSONAL.c.nonce, PERSONAL.c.sealed).where(*_is(piece))
    found = session.execute(query).first()
    return None if found is None else seal.open(piece, bytes(found.nonce), bytes(found.sealed)).decode()


def beginning(session: Session, seal: Seal, subject: Subject, name: str) -> list[tuple[str, str]]:
    """The pieces of a subject whose names begin so, by their names, with their texts."""
    found = session.execute(
        select(PERSONAL.c.name, PERSONAL.c.nonce, PERSONAL.c.sealed)
        .where(PERSONAL.c.account == subject.account)
        .where(PERSONAL.c.subject_kind == subject.kind, PERSONAL.c.subject_id == subject.id)
        .where(PERSONAL.c.name.startswith(name, autoescape=True))
        .order_by(PERSONAL.c.name)
    )
    return [
        (row.name, seal.open(Piece(subject, row.name), bytes(row.nonce), bytes(row.sealed)).decode())
        for row in found
    ]


def digest_of(session: Session, piece: Piece, text: str) -> str | None:
    """The digest that this text has in the journal, or None where it can no longer be known."""
    salt = session.scalar(select(PERSONAL.c.salt).where(*_is(piece)))
    return None if salt is None else salted(bytes(salt), text.encode())


def erase(session: Session, subject: Subject) -> int:
    """Removes all personal detail of a subject, with the salts, and answers how many pieces that were."""
    erased = session.execute(
        delete(PERSONAL)
        .where(PERSONAL.c.account == subject.account)
        .where(PERSONAL.c.subject_kind == subject.kind, PERSONAL.c.subject_id == subject.id)
        .returning(PERSONAL.c.name)
    )
    return len(erased.all())


def salted(salt: bytes, plain: bytes) -> str:
    return hashlib.sha256(salt + plain).hexdigest()


def _key(piece: Piece) -> dict[str, str]:
    subject = piece.subject
    return {
        "account": subject.account,
        "subject_kind": subject.kind,
        "subject_id": subject.id,
        "name": piece.name,
    }


def _is(piece: Piece) -> list[ColumnElement[bool]]:
    return [PERSONAL.c[name] == value for name, value in _key(piece).items()]


def derived(secret_key: bytes, purpose: str) -> bytes:
    """A key for one purpose only: whoever learns it learns no other."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"reconciled {purpose}".encode()).derive(secret_key)
