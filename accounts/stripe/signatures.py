"""Stripe's webhook signatures: `Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>…]`.

Each v1 is an HMAC-SHA256 over the time, a dot and the raw body, keyed by the whole secret with its prefix. While
a secret is being rolled there is one v1 for each that is active, in any order, and we may hold two as well.
"""

import hmac
import re
from collections.abc import Sequence
from enum import StrEnum

from accounts.secret import Secret

TOLERANCE_S = (
    300  # what Stripe's own libraries allow; it bounds how long a captured request can be sent again
)
SIGNATURES_MAX = (
    16  # Stripe sends one for each active secret; a header of thousands would buy thousands of comparisons
)

_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_USUAL = re.compile(
    r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII
)  # what follows finds the same in it, and more


class Verdict(StrEnum):
    VALID = "valid"
    NO_HEADER = "no_header"
    MALFORMED = "malformed"  # no time, or no v1, or too many
    STALE = "stale"  # genuine, and too old: their delivery was late, or it is sent a second time
    FUTURE = "future"  # genuine, and ahead of us: our clock is slow
    FORGED = (
        "forged"  # no signature fits any secret: not Stripe's, another endpoint's, or a wrong secret of ours
    )
    NO_SECRET = "no_secret"  # noqa: S105 - a word, not a secret: there is no usable secret, so nothing can be accepted


def sign(body: bytes, secret: Secret, at: int) -> str:
    """The header for this body at this time (unix seconds)."""
    return f"t={at},v1={_digest(body, secret.reveal(), str(at))}"


def verify(
    body: bytes, header: str | None, secrets: Sequence[Secret], now: int, tolerance_s: int = TOLERANCE_S
) -> Verdict:
    """Whether this body was signed with one of the secrets, at most `tolerance_s` before or after now."""
    # Whoever knows that a secret is empty can sign, so an empty one is none.
    keys = [key for secret in secrets if (key := secret.reveal()).strip()]
    if not keys:
        return Verdict.NO_SECRET
    if not header:
        return Verdict.NO_HEADER
    signed_at, signatures = _parts(header)
    if signed_at is None or not 1 <= len(signatures) <= SIGNATURES_MAX:
        return Verdict.MALFORMED
    genuine = False
    for key in keys:
        expected = _digest(body, key, signed_at)
        for signature in signatures:
            # No early end: how long this takes must not tell which secret or signature came close.
            genuine |= hmac.compare_digest(expected, signature)
    if not genuine:
        return Verdict.FORGED
    age_s = now - int(signed_at)
    if age_s > tolerance_s:
        return Verdict.STALE
    return Verdict.FUTURE if age_s < -tolerance_s else Verdict.VALID


def _digest(body: bytes, key: str, signed_at: str) -> str:
    # The time as it was written: what was signed is text, and 007 is not 7.
    return hmac.digest(key.encode(), signed_at.encode() + b"." + body, "sha256").hex()


def _parts(header: str) -> tuple[str | None, list[str]]:
    """The time and the v1 signatures; schemes that we do not know, such as v0, are passed over."""
    usual = _USUAL.fullmatch(header)
    if usual is not None:
        return usual[1], [usual[2]]
    signed_at, signatures = None, []
    for part in header.split(","):
        scheme, _, value = part.strip().partition("=")
        if scheme == "t" and _TIME.fullmatch(value):
            signed_at = value
        elif scheme == "v1" and _DIGEST.fullmatch(value):
            signatures.append(value)
    return signed_at, signatures
