"""`reconciled check --live`: a running daemon, asked what its runbooks would ask first.

It asks for nothing that a monitor could not ask: whether it lives and is ready, and one scrape. What it prints are the
eight numbers of the Overview, by the same definitions, and whatever else of that scrape needs somebody.
"""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from daemon.settings import Settings, Tls
from metrics.numbers import NUMBERS, Labels, Level, Number, Scrape
from metrics.thresholds import (
    BUDGET_HIGH,
    BUDGET_SPENT,
    CANARY_S,
    DEAD_LETTER_AGE_S,
    DECISION_AGE_S,
    DISAGREEMENT_AGE_S,
    HEARTBEAT_S,
    PICTURE_S,
    STALE_INTERVALS,
)

ANSWER_S: Final = 10.0
OF_DATABASE: Final = ": The database "  # how every sentence about it begins

# Which samples count what should be nothing, and what to say of it.
WAITING: Final[tuple[tuple[str, dict[str, str], str, str, str], ...]] = (
    ("cases", {"kind": "unapproved_money_move", "state": "open"}, "Safety",
     "{} that nobody approved.", "UnapprovedMoneyMove"),
    ("cases", {"kind": "executed_differently", "state": "open"}, "Callers",
     "{} did something else.", "ExecutedDifferently"),
    ("cases", {"kind": "rule_storm", "state": "open"}, "Rules", "{} held back.", "RuleStorm"),
    ("cases", {"kind": "event_gap", "state": "open"}, "Webhooks", "{} accounts whose events miss some.", "GapFound"),
    ("proposals", {"state": "unknown"}, "Attempts", "{} with an unknown outcome.", "ActionUnknown"),
    ("actions_stopped", {}, "Acting", "Stops that are set: {}.", "ActionsStopped"),
    ("undelivered", {"state": "dead"}, "Deliveries", "{} did not arrive.", "DeliveriesDead"),
    ("disputes_by_deadline", {"window": "overdue"}, "Disputes", "{} past due.", "DisputeDeadlineMissed"),
    ("disputes_by_deadline", {"window": "unknown"}, "Disputes", "{} due nobody knows when.", "DisputeDeadlineUnknown"),
)  # fmt: skip

# Which samples say since when something is so, for how long it may, and what to say of it.
LATE: Final[tuple[tuple[str, float, str, str, str], ...]] = (
    ("scheduler_heartbeat", HEARTBEAT_S, "Clock", "It last ticked {} ago.", "SchedulerStalled"),
    ("metrics_snapshot", PICTURE_S, "Database", "It last answered {} ago; counts are old or absent.", "SnapshotStale"),
    ("canary", CANARY_S, "Canary", "It last came through {stage} {} ago.", "CanaryLate"),
    ("dead_letter_oldest", DEAD_LETTER_AGE_S, "Set aside", "The oldest has lain there for {}.", "DeadLetterOld"),
    ("proposal_oldest", DECISION_AGE_S, "Decisions", "The oldest proposal has waited for {}.", "ApprovalsOverdue"),
    ("disagreement_oldest", DISAGREEMENT_AGE_S, "Unsettled", "One with {system}, for {}.", "DisagreementOld"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was asked."""

    what: str
    level: Level
    says: str
    runbook: str | None = None  # the alert whose runbook goes on from here


def check_live(settings: Settings, now: Callable[[], datetime]) -> list[Line]:
    """Everything, the gravest not first but in the order in which one would look."""
    base = f"http://{settings.daemon.listen}"
    with httpx.Client(timeout=ANSWER_S, trust_env=False) as http:
        alive = _asked(http, f"{base}/healthz", "lives", "ReconciledDown")
        if alive.level == "bad":
            return [alive]
        ready = _asked(http, f"{base}/readyz", "is ready", "ReconciledSchedulerStalled")
        if ready.level == "bad" and OF_DATABASE in ready.says:
            ready = replace(ready, runbook="ReconciledSnapshotStale")
    shown, tls = base, None
    if settings.daemon.metrics:
        tls = settings.daemon.metrics_tls
        shown = f"{'https' if tls else 'http'}://{settings.daemon.metrics}"
    try:
        with httpx.Client(timeout=ANSWER_S, trust_env=False, verify=_ours(tls) if tls else True) as http:
            answer = http.get(f"{shown}/metrics").raise_for_status()
    except (httpx.HTTPError, OSError) as trouble:
        gone = Line("shows metrics", "bad", f"{shown}/metrics: {trouble}", "ReconciledMetricsAbsent")
        return [alive, ready, gone]
    return [alive, ready, *diagnosed(scraped(answer.text), now().timestamp())]


def _ours(tls: Tls) -> ssl.SSLContext:
    """Whoever may read the daemon's files asks as the daemon: with its certificate, and of nobody else."""
    context = ssl.create_default_context(cafile=tls.certificate)
    context.check_hostname = False  # it is asked on loopback, which no certificate names
    # The certificate itself is trusted, whoever signed it and in whatever form.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def scraped(text: str) -> Scrape:
    """Every sample of one scrape, by its name."""
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def _asked(http: httpx.Client, url: str, what: str, runbook: str) -> Line:
    try:
        answer = http.get(url)
    except httpx.HTTPError:
        return Line(what, "bad", f"Nobody answers at {url}.", runbook)
    if answer.status_code == httpx.codes.OK:
        return Line(what, "ok", url)
    said = answer.json().get("detail", "") if "json" in answer.headers.get("content-type", "") else ""
    return Line(what, "bad", f"{url} answers {answer.status_code}: {said}", runbook)


def diagnosed(scrape: Scrape, now: float) -> Iterator[Line]:
    """What one scrape says at this time: the eight numbers, and what else needs somebody."""
    for number in NUMBERS:
        value = number.value(scrape, now)
        level, runbook = number.judged(value)
        yield Line(number.title, level, spelled(number, value), runbook)
    yield from _late(scrape, now)
    yield from _accounts(scrape, now)
    yield from _waiting(scrape)


def _late(scrape: Scrape, now: float) -> Iterator[Line]:
    """What has been so for too long. A 0 is of a process that has no clock: it only takes webhooks in."""
    for name, within_s, what, said, runbook in LATE:
        for labels, at in scrape.get(f"reconciled_{name}_timestamp_seconds", ()):
            if at and now - at > within_s:
                yield Line(what, "bad", said.format(span(now - at), **labels), f"Reconciled{runbook}")


def _accounts(scrape: Scrape, now: float) -> Iterator[Line]:
    """Which accounts are in trouble, by name: what a number alone does not say."""
    # What was under way for an account when it was taken out may be counted once more.
    configured = {labels["account"] for labels, _ in scrape.get("reconciled_account_info", ())}
    for labels, usable in scrape.get("reconciled_account_key_usable", ()):
        if not usable and labels["account"] in configured:
            said = "Its read key does not work."
            yield Line(f"Account {labels['account']}", "bad", said, "ReconciledAccountKeyUnusable")
    for labels, used in scrape.get("reconciled_stripe_read_budget_used_ratio", ()):
        if used > BUDGET_HIGH and labels["account"] in configured:
            level: Level = "bad" if used > BUDGET_SPENT else "warn"
            said = f"{used:.0%} of its reads of thirty days are used."
            runbook = "ReconciledReadBudgetSpent" if level == "bad" else "ReconciledReadBudgetHigh"
            yield Line(f"Account {labels['account']}", level, said, runbook)
    every = {labels["account"]: s for labels, s in scrape.get("reconciled_reconcile_interval_seconds", ())}
    for labels, at in scrape.get("reconciled_reconcile_last_success_timestamp_seconds", ()):
        account = labels["account"]
        if now - at > STALE_INTERVALS * every.get(account, now):
            said = f"It was last read whole {span(now - at)} ago; every {span(every[account])} is meant."
            yield Line(f"Account {account}", "warn", said, "ReconciledAccountStale")


def _waiting(scrape: Scrape) -> Iterator[Line]:
    """What waits for a person."""
    if 0 in (value for _, value in scrape.get("reconciled_config_last_reload_successful", ())):
        said = "What lies there could not be used, and is not in force."
        yield Line("Configuration", "warn", said, "ReconciledReloadRefused")
    for name, labels, what, said, runbook in WAITING:
        found = scrape.get(f"reconciled_{name}", ())
        count = sum(value for shown, value in found if labels.items() <= dict(shown).items())
        if count:
            yield Line(what, "bad", said.format(f"{count:.0f}"), f"Reconciled{runbook}")


def spelled(number: Number, value: float | None) -> str:
    """A number as a person reads it."""
    if value is None:
        return number.none
    match number.unit:
        case "s":
            return span(value)
        case "percentunit":
            return f"{value:.1%}"
        case _:
            return f"{value:.1f}".removesuffix(".0")


def span(seconds: float) -> str:
    """The two largest units: 2 d 3 h."""
    left, parts = int(abs(seconds)), []
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {name}")
    return ("-" if seconds < 0 else "") + (" ".join(parts[:2]) or "0 s")
