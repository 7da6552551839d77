"""`reconciled check --live`: a running daemon, asked what its runbooks would ask first.

It asks for nothing that a monitor could not ask: whether it lives and is ready, and one scrape. What it prints are the
eight numbers of the Overview, by the same definitions, and whatever else of that scrape needs somebody.
"""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from daemon.settings import Settings, Tls
from metrics.numbers import NUMBERS, Labels, Level, Number, Scrape
from metrics.thresholds import CANARY_S, HEARTBEAT_S, STALE_INTERVALS

ANSWER_S: Final = 10.0

# Which samples count what should be nothing, and what to say of it.
WAITING: Final[tuple[tuple[str, dict[str, str], str, str, str], ...]] = (
    ("proposals", {"state": "unknown"}, "Attempts", "{} with an unknown outcome.", "ActionUnknown"),
    ("actions_stopped", {}, "Acting", "{} stops are set.", "ActionsStopped"),
    ("undelivered", {"state": "dead"}, "Deliveries", "{} did not arrive.", "DeliveriesDead"),
    ("disputes_by_deadline", {"window": "overdue"}, "Disputes", "{} past due.", "DisputeDeadlineMissed"),
    (
        "disputes_by_deadline",
        {"window": "unknown"},
        "Disputes",
        "{} due nobody knows when.",
        "DisputeDeadlineUnknown",
    ),
)


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
    return [alive, ready, *_of(scraped(answer.text), now().timestamp())]


def _ours(tls: Tls) -> ssl.SSLContext:
    """Whoever may read the daemon's files asks as the daemon: with its certificate, and of nobody else."""
    context = ssl.create_default_context(cafile=tls.certificate)
    context.check_hostname = False  # it is asked on loopback, which no certificate names
    context.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # the certificate itself is trusted, whoever signed it
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


def _of(scrape: Scrape, now: float) -> Iterator[Line]:
    for number in NUMBERS:
        value = number.value(scrape, now)
        level, runbook = number.judged(value)
        yield Line(number.title, level, spelled(number, value), runbook)
    yield from _late(scrape, now)
    yield from _accounts(scrape, now)
    yield from _waiting(scrape)


def _late(scrape: Scrape, now: float) -> Iterator[Line]:
    for _, at in scrape.get("reconciled_scheduler_heartbeat_timestamp_seconds", ()):
        if at and now - at > HEARTBEAT_S:
            yield Line("Clock", "bad", f"It last ticked {span(now - at)} ago.", "ReconciledSchedulerStalled")
    for labels, at in scrape.get("reconciled_canary_timestamp_seconds", ()):
        if at and now - at > CANARY_S:
            said = f"It last came through {labels['stage']} {span(now - at)} ago."
            yield Line("Canary", "bad", said, "ReconciledCanaryLate")


def _accounts(scrape: Scrape, now: float) -> Iterator[Line]:
    """Which accounts are in trouble, by name: what a number alone does not say."""
    configured = {labels["account"] for labels, _ in scrape.get("reconciled_account_info", ())}
    for labels, usable in scrape.get("reconciled_account_key_usable", ()):
        # A process remembers accounts that a reload has taken away.
        if not usable and labels["account"] in configured:
            yield Line(
                f"Account {labels['account']}",
                "bad",
                "Its read key does not work.",
                "ReconciledAccountKeyUnusable",
            )
    every = {labels["account"]: s for labels, s in scrape.get("reconciled_reconcile_interval_seconds", ())}
    for labels, at in scrape.get("reconciled_reconcile_last_success_timestamp_seconds", ()):
        account = labels["account"]
        if now - at > STALE_INTERVALS * every.get(account, now):
            said = f"It was last read whole {span(now - at)} ago; every {span(every[account])} is meant."
            yield Line(f"Account {account}", "warn", said, "ReconciledAccountStale")


def _waiting(scrape: Scrape) -> Iterator[Line]:
    """What waits for a person."""
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
