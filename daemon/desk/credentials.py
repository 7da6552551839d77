"""What people and programs show to come in: tokens and sign-in codes, and how a typo is told from a wrong one.

    rcl_     256 random bits in letters and digits, then six that follow from them
    rcl_in_  the same, for a link that signs one person in, once

Both begin as the redaction of logs knows it. Only digests are stored; 256 random bits need no salt.
"""

import hashlib
import secrets
import zlib
from collections.abc import Callable
from typing import Final, Literal

Kind = Literal["token", "invitation"]

PREFIXES: Final[dict[Kind, str]] = {"invitation": "rcl_in_", "token": "rcl_"}  # the longer one first
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_BYTES: Final = 32
RANDOM_DIGITS: Final = 43  # as many as 256 bits need
CHECK_DIGITS: Final = 6  # as many as a CRC needs

Random = Callable[[int], bytes]


def make(kind: Kind, random: Random = secrets.token_bytes) -> str:
    body = _spelled(int.from_bytes(random(RANDOM_BYTES)), RANDOM_DIGITS)
    return PREFIXES[kind] + body + _check(kind, body)


def kind_of(text: str) -> Kind | None:
    """Which of both this is; None where it is neither, or mistyped."""
    for kind, prefix in PREFIXES.items():
        if text.startswith(prefix):
            rest = text.removeprefix(prefix)
            body, check = rest[:RANDOM_DIGITS], rest[RANDOM_DIGITS:]
            return kind if len(body) == RANDOM_DIGITS and check == _check(kind, body) else None
    return None


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def identifier(prefix: str) -> str:
    """A name for a person, a token or a change, that nobody else has and that says what it names."""
    return f"{prefix}_{_spelled(int.from_bytes(secrets.token_bytes(12)), 17)}"


def _check(kind: Kind, body: str) -> str:
    return _spelled(zlib.crc32((PREFIXES[kind] + body).encode()), CHECK_DIGITS)


def _spelled(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(DIGITS))
        digits.append(DIGITS[digit])
    return "".join(digits)
