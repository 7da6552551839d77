"""How whoever is called knows that it was us: signatures as Standard Webhooks writes them, and as the older gate does.

webhook-id          the same for every try of one message
webhook-timestamp   of this try; a receiver refuses what is older than some minutes
webhook-signature   v1,<base64 of HMAC-SHA256 over id.timestamp.body>, one for each secret that holds, spaces between
x-cheqpoint-signature   hex of HMAC-SHA256 over the body, under the newest secret as it is written
"""

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from accounts.secret import Secret

PREFIX: Final = "whsec_"
KEY_BYTES_MIN: Final = 24  # as Standard Webhooks has it


def standard_headers(secrets: Sequence[Secret], id: str, at: datetime, body: bytes) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    signed = b".".join((id.encode(), seconds.encode(), body))
    each = (base64.b64encode(hmac.digest(_key(secret), signed, sha256)).decode() for secret in secrets)
    return {
        "webhook-id": id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in each),
    }


def cheqpoint_signature(secret: Secret, body: bytes) -> str:
    """That gate's receivers take the secret for the key as it is, letter by letter."""
    return hmac.digest(secret.reveal().encode(), body, sha256).hex()


def spelled(key: bytes) -> Secret:
    """A key as Standard Webhooks' own libraries take it."""
    return Secret(PREFIX + base64.b64encode(key).decode())


def is_a_secret(secret: Secret) -> bool:
    """Whether Standard Webhooks' own libraries would take it."""
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(PREFIX) and len(key) >= KEY_BYTES_MIN


def _key(secret: Secret) -> bytes:
    return base64.b64decode(secret.reveal().removeprefix(PREFIX))
