"""What a verb has come to."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    case_id: str
    proposal_id: str | None = None
    version: int | None = None
    state: str | None = None  # of the proposal's version
    executable_at: datetime | None = None
    changed: bool = True  # False: it was so already, and nothing was written
