"""With which secrets a token's callbacks are signed: derived from the installation's key, so none of them is stored.

A rotation raises the token's epoch. For a day both the new and the old secret sign, so that a receiver has the time to
be told.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlmodel import Session

from accounts.callbacks.signatures import spelled
from accounts.secret import Secret
from daemon.store.personal import derived
from daemon.store.tables import table

TOKENS = table("tokens")

BOTH_FOR: Final = timedelta(hours=24)
FIRST_EPOCH: Final = 1


def secret_of(secret_key: bytes, token_id: str, epoch: int = FIRST_EPOCH) -> Secret:
    """What a token's callbacks are signed with in this epoch."""
    return spelled(derived(secret_key, f"callbacks {token_id} {epoch}"))


def holding(session: Session, secret_key: bytes, token_id: str, now: datetime) -> tuple[Secret, ...]:
    """What signs a token's callbacks now, the newest first; nothing where there is no such token."""
    row = session.execute(select(TOKENS).where(TOKENS.c.id == token_id)).first()
    if row is None:
        return ()
    rotated = row.callback_rotated_at
    epochs = [row.callback_epoch]
    if rotated is not None and now - rotated < BOTH_FOR:
        epochs.append(row.callback_epoch - 1)
    return tuple(secret_of(secret_key, row.id, epoch) for epoch in epochs)


def named(session: Session, name: str) -> str | None:
    """The id of the token of this name or id that is not revoked."""
    one = (TOKENS.c.name == name) | (TOKENS.c.id == name)
    return session.scalar(select(TOKENS.c.id).where(one, TOKENS.c.revoked_at.is_(None)))


def rotate(session: Session, token_id: str, now: datetime) -> None:
    values = {"callback_epoch": TOKENS.c.callback_epoch + 1, "callback_rotated_at": now}
    session.execute(update(TOKENS).where(TOKENS.c.id == token_id).values(values))
