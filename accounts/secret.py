"""Secrets: where they are read from, and why they cannot be printed.

A secret is named in the configuration by `{ env }`, `{ file }` or `{ command }` and never written there.
Once read it lives in a `Secret`, which shows itself as `Secret(…)` to `repr`, `str`, `format` and tracebacks,
and which JSON, pickle and copies refuse. The one way out is `reveal()`, and its callers can be counted.
"""

import hmac
import re
from typing import Any, NoReturn

# Stripe's keys and webhook secrets, our own tokens, the compatible gate's, and bearer or basic credentials.
_PATTERN = re.compile(
    r"\b((?:sk|rk|pk|rkcs)_(?:live|test|org)_|sk_org_?|whsec_|rcl_|cq_(?:live|test)_)[A-Za-z0-9_*.\-+/=]{4,}"
    r"|\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=\-]{8,}"
    r"|(://[^/\s:@]*:)[^/\s@]+(?=@)"
)


def redact(text: str) -> str:
    """Anything that looks like a credential becomes its prefix and an ellipsis."""
    return _PATTERN.sub(lambda found: f"{found[1] or found[2] or found[3]}…", text)


class Secret:
    """A string that cannot be shown by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret is neither copied nor pickled")

    def __deepcopy__(self, memo: Any) -> "Secret":
        return self
