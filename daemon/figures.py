"""The state metrics, computed: one picture of the database in the families of `metrics.state`.

It is the one place that says what counts as stale, as waiting, as due within a day; alerts, dashboards and `check
--live` read what it says.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from daemon.core.model import DISAGREEMENTS, SYSTEM_OF, CaseState, Kind, System
from daemon.core.rules import BY_KIND
from daemon.observe.landscape import NO_PERMISSION
from daemon.store import cursors, figures, hearing, passes
from daemon.store.db import Store
from daemon.store.figures import LIVE_PROPOSALS, OpenDispute
from metrics import state
from metrics.state import ACCOUNT_STATES, QUEUE_STATES, WINDOWS, Family, Snapshot
from metrics.thresholds import STALE_INTERVALS

ADDED: Final = "account:added"  # the cursor that says since when an account is configured
UNDELIVERED: Final = ("waiting", "dead")
EDGES: Final = (
    ("overdue", timedelta(0)),
    ("lt_24h", timedelta(hours=24)),
    ("lt_72h", timedelta(hours=72)),
    ("lt_7d", timedelta(days=7)),
)
ANSWERABLE: Final = frozenset({"needs_response", "warning_needs_response"})

Samples = list[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Watched:
    """An account, as far as its figures go."""

    slug: str
    stripe_account: str
    livemode: bool
    mode: str
    sweep_every: timedelta
    classes: Sequence[str]  # of Stripe's objects that a pass reads


def note_added(session: Session, accounts: Sequence[Watched], now: datetime) -> None:
    """Since when each is there: what was never read yet is as old as that."""
    known = cursors.by_account(session, ADDED)
    for account in accounts:
        if account.slug not in known:
            cursors.move(session, account.slug, ADDED, now.isoformat(), now)


def system_of(kind: Kind) -> System:
    """Which system Stripe is compared with by the rule of this name."""
    if kind is Kind.CRM_STATUS_MISMATCH:
        return System.CRM  # it asks about access too, but only the CRM can be wrong
    needed = {SYSTEM_OF[source] for source in BY_KIND[kind].needs}
    return next((each for each in (System.ENTITLEMENT, System.CRM) if each in needed), System.STRIPE)


def snapshot(store: Store, accounts: Sequence[Watched], now: datetime) -> Snapshot:
    with store.reading() as session:
        found: dict[Family, Samples] = dict(_of_cases(session, accounts))
        found |= dict(_of_the_desk(session))
        found |= dict(_of_disputes(session, accounts, now))
        found |= dict(_of_reading(session, accounts, now))
        found |= dict(_of_the_queue(session, now))
    return {family.name: samples for family, samples in found.items()}


def _of_cases(session: Session, accounts: Sequence[Watched]) -> Iterator[tuple[Family, Samples]]:
    counted = figures.cases(session)
    pairs = [(kind.value, each.value) for kind in Kind for each in CaseState]
    yield state.CASES, [(pair, counted.get(pair, 0)) for pair in pairs]

    kinds = sorted(DISAGREEMENTS)
    standing = figures.standing_by_account(session, [kind.value for kind in kinds])
    by_kind: Counter[str] = Counter()
    by_account: Counter[str] = Counter()
    oldest: dict[str, datetime] = {}
    for (account, kind), (count, since) in standing.items():
        by_kind[kind] += count
        by_account[account] += count
        system = system_of(Kind(kind)).value
        oldest[system] = min(since, oldest.get(system, since))
    yield (
        state.DISAGREEMENTS,
        [((system_of(kind).value, kind.value), by_kind[kind.value]) for kind in kinds],
    )
    yield state.DISAGREEMENT_OLDEST, [((system,), at.timestamp()) for system, at in sorted(oldest.items())]
    yield state.ACCOUNT_DISAGREEMENTS, [((each.slug,), by_account[each.slug]) for each in accounts]


def _of_the_desk(session: Session) -> Iterator[tuple[Family, Samples]]:
    live = figures.proposals(session)
    yield state.PROPOSALS, [((each,), live[each][0] if each in live else 0) for each in LIVE_PROPOSALS]
    yield state.PROPOSAL_OLDEST, [((), live["pending"][1].timestamp())] if "pending" in live else []
    yield state.STOPPED, [((), figures.stops(session))]
    undelivered = figures.deliveries(session)
    yield state.DELIVERIES, [((each,), undelivered.get(each, 0)) for each in UNDELIVERED]


def _of_disputes(
    session: Session, accounts: Sequence[Watched], now: datetime
) -> Iterator[tuple[Family, Samples]]:
    disputes = figures.open_disputes(session, [each.slug for each in accounts])
    windows = Counter(window_of(each, now) for each in disputes)
    yield state.DISPUTES_BY_DEADLINE, [((each,), windows[each]) for each in WINDOWS]
    awaiting: dict[str, list[OpenDispute]] = {each.slug: [] for each in accounts}
    for each in disputes:
        if _awaits(each):
            awaiting[each.account].append(each)
    yield state.DISPUTES_AWAITING, [((slug,), len(found)) for slug, found in awaiting.items()]
    nearest = {slug: [each.due_by for each in found if each.due_by] for slug, found in awaiting.items()}
    yield state.DISPUTE_NEXT_DEADLINE, [((slug,), float(min(due))) for slug, due in nearest.items() if due]


def window_of(dispute: OpenDispute, now: datetime) -> str:
    """How much time is left to answer: every open dispute is in exactly one of WINDOWS."""
    if not _awaits(dispute):
        return "no_response_possible"
    if dispute.due_by is None:
        return "unknown"
    left_s = dispute.due_by - now.timestamp()
    return next((name for name, edge in EDGES if left_s < edge.total_seconds()), "later")


def _awaits(dispute: OpenDispute) -> bool:
    return dispute.status in ANSWERABLE and not dispute.submitted and dispute.due_by != 0


def _of_reading(
    session: Session, accounts: Sequence[Watched], now: datetime
) -> Iterator[tuple[Family, Samples]]:
    ended, outages = figures.passes_ended(session, passes.STRIPE), passes.outages(session)
    lacking: dict[str, set[str]] = {}
    failing: set[str] = set()
    for reading, outage in outages.items():
        if outage.reason == NO_PERMISSION:
            lacking.setdefault(reading.account, set()).add(reading.class_name)
        failing.add(reading.account)
    added, positions = cursors.by_account(session, ADDED), hearing.positions(session)
    last, watermarks, events = {}, {}, {}
    for each in accounts:
        since = datetime.fromisoformat(added[each.slug]) if each.slug in added else now
        wanted = [name for name in each.classes if name not in lacking.get(each.slug, ())]
        last[each.slug] = _last_success(ended.get(each.slug, {}), wanted, since)
        heard = positions.get(each.slug)
        # Listening begins a little in the past, and no watermark goes back.
        watermarks[each.slug] = max(since.timestamp(), heard.complete if heard is not None else 0)
        if heard is not None and heard.newest is not None:
            events[each.slug] = float(heard.newest)
    yield state.LAST_SUCCESS, [((slug,), at.timestamp()) for slug, at in last.items()]
    yield state.INTERVAL, [((each.slug,), each.sweep_every.total_seconds()) for each in accounts]
    yield state.WATERMARK, [((slug,), at) for slug, at in watermarks.items()]
    yield state.LAST_EVENT, [((slug,), at) for slug, at in events.items()]
    yield (
        state.ACCOUNT_INFO,
        [((each.slug, each.stripe_account, str(each.livemode).lower(), each.mode), 1.0) for each in accounts],
    )
    stale = {each.slug for each in accounts if now - last[each.slug] > STALE_INTERVALS * each.sweep_every}
    states = Counter(
        "unread" if each.slug in failing else "stale" if each.slug in stale else "ok" for each in accounts
    )
    yield state.ACCOUNTS, [((each,), states[each]) for each in ACCOUNT_STATES]


def _last_success(ended: Mapping[str, datetime], classes: Sequence[str], added: datetime) -> datetime:
    """When everything had been read again: the class that waits longest says it."""
    return min((max(ended.get(name, added), added) for name in classes), default=added)


def _of_the_queue(session: Session, now: datetime) -> Iterator[tuple[Family, Samples]]:
    waiting = figures.worklist(session, now)
    yield (
        state.QUEUE_SUBJECTS,
        [((each,), waiting[each][0] if each in waiting else 0) for each in QUEUE_STATES],
    )
    for family, each in ((state.QUEUE_OLDEST, "ready"), (state.DEAD_LETTER_OLDEST, "dead")):
        yield family, [((), waiting[each][1].timestamp())] if each in waiting else []
