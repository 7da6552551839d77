"""Calls out to addresses that others name: only allowed hosts, only public addresses, signed, and following nobody."""

from accounts.callbacks.addresses import Allowed, Blocked
from accounts.callbacks.client import Caller, NotTaken
from accounts.callbacks.signatures import cheqpoint_signature, is_a_secret, standard_headers

__all__ = [
    "Allowed",
    "Blocked",
    "Caller",
    "NotTaken",
    "cheqpoint_signature",
    "is_a_secret",
    "standard_headers",
]
