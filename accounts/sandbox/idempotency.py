"""What an account remembers of its idempotency keys: the first answer, for a day of the world's clock."""

import hashlib
from dataclasses import dataclass, field

from accounts.sandbox.stripe.refusals import idempotency_in_use, idempotency_mismatch, invalid

REMEMBERED_S = 24 * 3600
KEY_LENGTH_MAX = 255


@dataclass(frozen=True, slots=True)
class Stored:
    status: int
    body: bytes
    request_id: str


@dataclass(slots=True)
class _Entry:
    fingerprint: bytes
    began: int
    answer: Stored | None = None  # None: still in flight


@dataclass(slots=True)
class IdempotencyKeys:
    _entries: dict[str, _Entry] = field(default_factory=dict)

    def begin(self, key: str, fingerprint: bytes, now: int) -> Stored | None:
        """The answer to replay; None when this request is the first, which then must `finish` or `forget`."""
        if len(key) > KEY_LENGTH_MAX:
            raise invalid(f"Idempotency keys may have {KEY_LENGTH_MAX} characters.", "Idempotency-Key")
        self._forget_old(now)
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(fingerprint, now)
            return None
        if entry.answer is None:
            raise idempotency_in_use(key)
        if entry.fingerprint != fingerprint:
            raise idempotency_mismatch(key)
        return entry.answer

    def finish(self, key: str, answer: Stored) -> None:
        self._entries[key].answer = answer

    def forget(self, key: str) -> None:
        del self._entries[key]

    def _forget_old(self, now: int) -> None:
        """Entries stand in the order in which they began, so that the oldest come first."""
        while self._entries:
            key, oldest = next(iter(self._entries.items()))
            if oldest.answer is None or now - oldest.began < REMEMBERED_S:
                return
            del self._entries[key]


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    return hashlib.sha256(f"{method} {path}\n".encode() + body).digest()
