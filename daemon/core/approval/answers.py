"""What a caller is told of a proposal: one of five words, and how far its execution is."""

from typing import Final, Literal

Status = Literal["pending", "approved", "rejected", "expired", "withdrawn"]
Progress = Literal["none", "waiting", "executing", "succeeded", "failed", "unknown", "stale"]

_STATUS: Final[dict[str, Status]] = {
    "pending": "pending",
    "changes_requested": "pending",
    "superseded": "pending",  # a version that followed it waits
    "stale": "pending",  # likewise, of the world as it is
    "approved": "approved",
    "executing": "approved",
    "succeeded": "approved",
    "failed": "approved",
    "unknown": "approved",
    "rejected": "rejected",
    "expired": "expired",
    "withdrawn": "withdrawn",
    "moot": "withdrawn",
}
_PROGRESS: Final[dict[str, Progress]] = {
    "approved": "waiting",
    "executing": "executing",
    "succeeded": "succeeded",
    "failed": "failed",
    "unknown": "unknown",
    "stale": "stale",
}


def status_of(state: str, *, undone_still: bool = False) -> Status:
    """`undone_still`: it is approved, and whoever approved it may take it back yet; so nobody is told."""
    return "pending" if state == "approved" and undone_still else _STATUS[state]


def progress_of(state: str) -> Progress:
    return _PROGRESS.get(state, "none")
