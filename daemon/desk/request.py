"""What a caller asks for, and what it is told at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from daemon.core.canonical import Json

Execution = Literal["daemon", "caller"]


@dataclass(frozen=True, slots=True)
class AskedAs:
    """How a caller at a gate that speaks another language asked: its own names, which it is answered in."""

    action: str
    fields: Mapping[str, str]  # ours = theirs
    details: Mapping[str, Any]  # as JSON was read: a number with a point is a float here, and nowhere else


@dataclass(frozen=True, slots=True)
class Request:
    """An action that somebody, or a program, wants to be done, or wants to be allowed to do."""

    account: str  # the slug
    action: str
    details: Mapping[str, Json]
    summary: str | None = None
    justification: str | None = None
    execution: Execution = "daemon"
    callback_url: str | None = None
    expires_in_s: int | None = None
    mapped: bool = True  # False: an action of the caller's own, which can be decided and never verified
    asked_as: AskedAs | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    proposal_id: str
    case_id: str
    version: int
    deduplicated: bool  # it had been asked for before: nothing new was written
