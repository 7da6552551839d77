"""What a sweep tells whoever waits for it: every page as it comes, and in the end what was read and what was not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One page more of a class or a source."""

    account: str  # of a source that serves several accounts, its own name: crm:hubspot
    resource: str
    objects: int  # so far
    objects_per_s: float
    remaining: int | None  # None: a first pass does not know


Watch = Callable[[Step], None]  # called from several threads, one at a time


def unwatched(step: Step) -> None:
    """For whoever does not wait."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one run came to. What is unread is tried again by the next run, exactly that."""

    account: str
    complete: Mapping[str, int] = field(default_factory=dict)  # class and how many objects
    unread: Mapping[str, str] = field(default_factory=dict)  # class and why, as a sentence
    not_understood: int = 0  # single objects, which are left to looks
    missing: int = 0  # objects that were not listed any more, and will be read by their ids
    elsewhere: bool = False  # somebody else sweeps this account at the moment
