"""The eight numbers that answer “is anything being missed?”: one definition each, for dashboards and `check --live`.

Each has its PromQL, for whoever has a history, and the same from one scrape, for whoever has only that.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from metrics.thresholds import (
    DEADLINE_NEAR_S,
    DEADLINE_SOON_S,
    OBJECTIVE,
    QUEUE_AGE_S,
    STALE_INTERVALS,
    WATERMARK_LAST_S,
    WATERMARK_OLD_S,
)

Labels = Mapping[str, str]
Scrape = Mapping[str, list[tuple[Labels, float]]]  # by the samples' name
Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a number stops being good, and the alert whose runbook goes on from there."""

    at: float
    alert: str


@dataclass(frozen=True, slots=True)
class Number:
    key: str
    title: str
    means: str  # what it is, and what a bad value means
    unit: str  # Grafana's
    expr: str  # PromQL; SELECTED stands for the selection of job and instance
    value: Callable[[Scrape, float], float | None]  # of one scrape at this time; None: there is none
    none: str  # what is shown then
    warn: Edge | None = None
    bad: Edge | None = None
    worse: Literal["higher", "lower"] = "higher"
    also: tuple[str, ...] = ()  # alerts about what it shows that fire elsewhere than at its edges

    def promql(self, selected: str) -> str:
        return self.expr.replace("SELECTED", selected)

    @property
    def alerts(self) -> tuple[str, ...]:
        return (*(edge.alert for edge in (self.warn, self.bad) if edge is not None), *self.also)

    def judged(self, value: float | None) -> tuple[Level, str | None]:
        """How it is, and which runbook to open."""
        for level, edge in (("bad", self.bad), ("warn", self.warn)):
            if edge is not None and value is not None and self._beyond(value, edge.at):
                return "bad" if level == "bad" else "warn", edge.alert
        return "ok", None

    def _beyond(self, value: float, edge: float) -> bool:
        return value >= edge if self.worse == "higher" else value < edge


def _values(scrape: Scrape, name: str, **where: str) -> Iterable[float]:
    for labels, value in scrape.get(f"reconciled_{name}", ()):
        if all(labels.get(label) == wanted for label, wanted in where.items()):
            yield value


def _age(name: str) -> Callable[[Scrape, float], float | None]:
    def age(scrape: Scrape, now: float) -> float | None:
        return max((now - at for at in _values(scrape, name)), default=None)

    return age


def _intervals(scrape: Scrape, now: float) -> float | None:
    every = {labels["account"]: s for labels, s in scrape.get("reconciled_reconcile_interval_seconds", ())}
    last = scrape.get("reconciled_reconcile_last_success_timestamp_seconds", ())
    ages = [(now - at) / every[labels["account"]] for labels, at in last if every.get(labels["account"])]
    return max(ages, default=None)


def _troubled(scrape: Scrape, now: float) -> float | None:
    troubled = [*_values(scrape, "accounts", state="stale"), *_values(scrape, "accounts", state="unread")]
    return sum(troubled) if troubled else None


def _total(name: str, **where: str) -> Callable[[Scrape, float], float | None]:
    def total(scrape: Scrape, now: float) -> float | None:
        found = list(_values(scrape, name, **where))
        return sum(found) if found else None

    return total


def _left(scrape: Scrape, now: float) -> float | None:
    return min((at - now for at in _values(scrape, "dispute_next_deadline_timestamp_seconds")), default=None)


def _in_time(scrape: Scrape, now: float) -> float | None:
    every = sum(_values(scrape, "event_verdicts_total"))
    return sum(_values(scrape, "event_verdicts_total", verdict="good")) / every if every else None


NUMBERS: Final[tuple[Number, ...]] = (
    Number(
        key="troubled_accounts",
        title="Accounts in trouble",
        means="Accounts that are stale or of which something cannot be read.",
        unit="short",
        expr='sum(max by (state) (reconciled_accounts{SELECTED, state=~"stale|unread"}))',
        value=_troubled,
        none="?",
        warn=Edge(1, "ReconciledAccountStale"),
        also=("ReconciledFleetStale",),
    ),
    Number(
        key="stalest_account",
        title="Stalest account",
        means="Sweep intervals since the account that waits longest was read whole; 2 and more is stale.",
        unit="short",
        expr="max((time() - max by (account) (reconciled_reconcile_last_success_timestamp_seconds{SELECTED})) "
        "/ max by (account) (reconciled_reconcile_interval_seconds{SELECTED}))",
        value=_intervals,
        none="?",
        bad=Edge(STALE_INTERVALS, "ReconciledAccountStale"),
    ),
    Number(
        key="watermark_lag",
        title="Events complete until",
        means="How long ago everything that events told is known to be taken in, of the account furthest behind. "
        "Stripe repeats webhooks for three days and forgets events after thirty.",
        unit="s",
        expr="max(time() - max by (account) (reconciled_event_watermark_timestamp_seconds{SELECTED}))",
        value=_age("event_watermark_timestamp_seconds"),
        none="?",
        warn=Edge(WATERMARK_OLD_S, "ReconciledWatermarkOld"),
        bad=Edge(WATERMARK_LAST_S, "ReconciledWatermarkNearHorizon"),
    ),
    Number(
        key="oldest_waiting",
        title="Oldest that waits",
        means="How long the subject that waits longest could have been looked at. Usually a second.",
        unit="s",
        expr="max(time() - max(reconciled_queue_oldest_timestamp_seconds{SELECTED}))",
        value=_age("queue_oldest_timestamp_seconds"),
        none="nothing",
        bad=Edge(QUEUE_AGE_S, "ReconciledQueueAgeHigh"),
    ),
    Number(
        key="dead_letters",
        title="Dead letters",
        means="Subjects that were set aside because looks at them fail; nothing about them is noticed.",
        unit="short",
        expr='max(reconciled_queue_subjects{SELECTED, state="dead"})',
        value=_total("queue_subjects", state="dead"),
        none="?",
        bad=Edge(1, "ReconciledDeadLetterArrived"),
        also=("ReconciledDeadLetterOld",),
    ),
    Number(
        key="disagreements",
        title="Disagreements",
        means="Systems that disagree about a customer, and nobody has settled it.",
        unit="short",
        expr="sum(max by (system, kind) (reconciled_disagreements{SELECTED}))",
        value=_total("disagreements"),
        none="?",
        also=("ReconciledDisagreementsRising", "ReconciledDisagreementOld"),
    ),
    Number(
        key="next_deadline",
        title="Next dispute deadline",
        means="Time left until the first dispute without an answer is lost.",
        unit="s",
        expr="min(min by (account) (reconciled_dispute_next_deadline_timestamp_seconds{SELECTED})) - time()",
        value=_left,
        none="none",
        warn=Edge(DEADLINE_SOON_S, "ReconciledDisputeDeadlineSoon"),
        bad=Edge(DEADLINE_NEAR_S, "ReconciledDisputeDeadlineAtRisk"),
        worse="lower",
    ),
    Number(
        key="in_time",
        title="Looked at in time",
        means=f"Share of what changed that was looked at within a minute; the objective is {OBJECTIVE:.0%}.",
        unit="percentunit",
        expr='sum(increase(reconciled_event_verdicts_total{SELECTED, verdict="good"}[$__range])) '
        "/ (sum(increase(reconciled_event_verdicts_total{SELECTED}[$__range])) > 0)",
        value=_in_time,
        none="no events",
        bad=Edge(OBJECTIVE, "ReconciledEventBudgetBurnFast"),
        also=("ReconciledEventBudgetBurnSlow",),
        worse="lower",
    ),
)
