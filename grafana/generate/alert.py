"""What an alert is: when it fires, how loud, what it says, where to look, and a history in which it must fire."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["critical", "warning", "none"]


@dataclass(frozen=True, slots=True)
class Series:
    """One input of a story, in promtool's words."""

    name: str  # with labels; job and instance are added
    bad: str  # values, one a minute, with which it must fire
    good: str  # values just below: it must not
    after: str = "hold"  # values once it is over; hold: the last bad one goes on


@dataclass(frozen=True, slots=True)
class Story:
    """A history of two hours: it fires with the bad values, and not with those that are just good enough."""

    series: Sequence[Series]
    labels: Sequence[tuple[str, str]] = ()  # which the alert has beside its own
    fires_at: str = "110m"
    clears_in: int = 75  # minutes
    dies: Literal["keeps", "resolves", "fires"] = "keeps"  # when the daemon dies meanwhile


@dataclass(frozen=True, slots=True)
class Alert:
    name: str
    expr: str
    hold: str  # how long it must be so: `for`
    severity: Severity
    component: str
    summary: str
    description: str
    board: str  # the uid of the dashboard that shows it
    panel: str  # and its panel's title
    story: Story
    keep: str | None = None  # `keep_firing_for`
    labels: Sequence[tuple[str, str]] = field(default_factory=tuple)  # where the expression gives none
