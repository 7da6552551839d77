"""How rows are read from systems that are not Stripe, whatever they hold: complete or an error, never half.

A pass over a source is an iterator of `Page`s. It ends only when everything was read; whatever keeps it from
that is raised as one of `accounts.errors`, so a consumer that reaches the end has seen all there is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of one pass, and when their request was about to be sent: no fact on it is older."""

    keys: tuple[str, ...]  # every row on this page, also where it is unchanged
    rows: tuple[Row, ...]  # empty where it is unchanged
    observed_at: datetime
    unchanged: bool = False  # the source says it is what it was at the pass before
