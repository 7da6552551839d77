"""State metrics: what the database says of now, and what is shown while it says nothing."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import insert, text

from accounts.facts import Subject
from daemon import figures
from daemon.figures import Watched, snapshot, window_of
from daemon.store import cursors, hearing, passes, worklist
from daemon.store.db import Store
from daemon.store.figures import OpenDispute
from daemon.store.hearing import Position
from daemon.store.passes import Reading
from daemon.store.snapshots import SNAPSHOTS
from metrics.catalog import REGISTRY
from metrics.collector import EVERY_S, SHOWN_S, StateCollector
from metrics.state import STATE, WINDOWS, Snapshot
from tests.store.test_desk_tables import a_case, a_proposal

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SERIES_AN_ACCOUNT_MAX = 12


def watched(slug: str = "eu") -> Watched:
    return Watched(slug, f"acct_{slug}", True, "act", 6 * HOUR, ("customers", "disputes"))


def values(shown: Snapshot, name: str) -> Mapping[tuple[str, ...], float]:
    return dict(shown[f"reconciled_{name}"])


def pass_over(store: Store, class_name: str, ended: datetime) -> None:
    reading = Reading("eu", passes.STRIPE, class_name)
    with store.transaction() as session:
        assert passes.begin(session, reading, f"{class_name} {ended}", 1, ended - timedelta(minutes=1))
        passes.end(session, reading, f"{class_name} {ended}", 1, ended)


@pytest.mark.parametrize(
    ("dispute", "window"),
    [
        (OpenDispute("eu", "needs_response", int(NOW.timestamp()) - 1, False), "overdue"),
        (OpenDispute("eu", "needs_response", int((NOW + 23 * HOUR).timestamp()), False), "lt_24h"),
        (OpenDispute("eu", "warning_needs_response", int((NOW + 71 * HOUR).timestamp()), False), "lt_72h"),
        (OpenDispute("eu", "needs_response", int((NOW + 100 * HOUR).timestamp()), False), "lt_7d"),
        (OpenDispute("eu", "needs_response", int((NOW + 1_000 * HOUR).timestamp()), False), "later"),
        (OpenDispute("eu", "needs_response", None, False), "unknown"),
        (OpenDispute("eu", "needs_response", 0, False), "no_response_possible"),
        (OpenDispute("eu", "under_review", int(NOW.timestamp()) - 1, True), "no_response_possible"),
    ],
)
def test_every_open_dispute_is_in_the_window_of_the_time_that_is_left(
    dispute: OpenDispute, window: str
) -> None:
    assert window_of(dispute, NOW) == window
    assert window in WINDOWS


def test_an_empty_database_shows_what_is_known_to_be_none_and_no_moment_that_never_was(store: Store) -> None:
    with store.transaction() as session:
        figures.note_added(session, [watched()], NOW)
    shown = snapshot(store, [watched()], NOW + HOUR)

    assert set(shown) == {family.name for family in STATE}
    assert set(values(shown, "cases").values()) == {0}
    assert values(shown, "account_disagreements") == {("eu",): 0}
    assert values(shown, "dispute_next_deadline_timestamp_seconds") == {}
    assert values(shown, "queue_oldest_timestamp_seconds") == {}
    # Not 1970: what was never read is as old as the account is here.
    assert values(shown, "reconcile_last_success_timestamp_seconds") == {("eu",): NOW.timestamp()}
    assert values(shown, "event_watermark_timestamp_seconds") == {("eu",): NOW.timestamp()}


def test_a_watermark_begins_when_the_account_was_added_and_then_says_what_polling_has_proven(
    store: Store,
) -> None:
    def shown() -> float:
        return values(snapshot(store, [watched()], NOW + HOUR), "event_watermark_timestamp_seconds")["eu",]

    added, earlier, later = NOW.timestamp(), int(NOW.timestamp()) - 60, int(NOW.timestamp()) + 60
    with store.transaction() as session:
        figures.note_added(session, [watched()], NOW)
        hearing.move(session, "eu", Position(born=1, complete=earlier, newest=3), NOW)
    assert shown() == added
    with store.transaction() as session:
        hearing.move(session, "eu", Position(born=1, complete=later, newest=3), NOW)
    assert shown() == later


def test_a_pass_is_complete_when_its_last_class_is(store: Store) -> None:
    with store.transaction() as session:
        figures.note_added(session, [watched()], NOW - 50 * HOUR)
    pass_over(store, "customers", NOW)
    pass_over(store, "disputes", NOW - 13 * HOUR)
    shown = snapshot(store, [watched()], NOW)

    disputes = (NOW - 13 * HOUR).timestamp()
    assert values(shown, "reconcile_last_success_timestamp_seconds") == {("eu",): disputes}
    assert values(shown, "accounts") == {("ok",): 0, ("stale",): 1, ("unread",): 0}


def test_a_class_that_may_not_be_read_does_not_make_the_account_stale_but_unread(store: Store) -> None:
    with store.transaction() as session:
        figures.note_added(session, [watched()], NOW - 50 * HOUR)
        passes.fail(session, Reading("eu", passes.STRIPE, "disputes"), "permission", "not granted", NOW)
    pass_over(store, "customers", NOW)
    shown = snapshot(store, [watched()], NOW)

    assert values(shown, "reconcile_last_success_timestamp_seconds") == {("eu",): NOW.timestamp()}
    assert values(shown, "accounts") == {("ok",): 0, ("stale",): 0, ("unread",): 1}


def test_cases_and_proposals_are_counted_by_what_they_are(store: Store) -> None:
    with store.transaction() as session:
        session.add(a_case("case_1", kind="plan_mismatch", opened_at=NOW - 3 * HOUR))
        session.add(a_case("case_2", kind="revenue_mismatch", opened_at=NOW - HOUR))
        session.add(a_case("case_3", kind="revenue_mismatch", state="resolved", resolved_at=NOW))
        session.flush()
        session.add(a_proposal(1, created_at=NOW - 2 * HOUR, state_since=NOW - 2 * HOUR))
        session.add(a_proposal(2, state="rejected"))
    shown = snapshot(store, [watched(), watched("us")], NOW)

    assert values(shown, "cases")["revenue_mismatch", "open"] == 1
    assert values(shown, "cases")["revenue_mismatch", "resolved"] == 1
    assert values(shown, "disagreements")["crm", "revenue_mismatch"] == 1
    assert values(shown, "account_disagreements") == {("eu",): 2, ("us",): 0}
    since = (NOW - 3 * HOUR).timestamp()
    assert values(shown, "disagreement_oldest_timestamp_seconds")["entitlement",] == since
    assert values(shown, "proposals")["pending",] == 1
    assert values(shown, "proposal_oldest_timestamp_seconds") == {(): (NOW - 2 * HOUR).timestamp()}


def test_the_nearest_deadline_is_that_of_a_dispute_that_can_still_be_answered(store: Store) -> None:
    near, far = int((NOW + 5 * HOUR).timestamp()), int((NOW + 90 * HOUR).timestamp())
    bodies = {
        "du_gone": ("needs_response", '{"due_by":0}'),
        "du_sent": ("needs_response", f'{{"due_by":{near},"submission_count":1}}'),
        "du_open": ("needs_response", f'{{"due_by":{far}}}'),
        "du_lost": ("lost", f'{{"due_by":{near}}}'),
    }
    with store.transaction() as session:
        for id_, (status, details) in bodies.items():
            session.execute(
                insert(SNAPSHOTS).values(
                    account="eu", class_name="dispute", id=id_, status=status, seen=1, observed_at=NOW, deleted=False,
                    body=f'{{"evidence_details":{details}}}'.encode(), digest=bytes(32),
                )
            )  # fmt: skip
    shown = snapshot(store, [watched()], NOW)

    assert values(shown, "dispute_next_deadline_timestamp_seconds") == {("eu",): far}
    assert values(shown, "disputes_awaiting_response") == {("eu",): 1}
    windows = values(shown, "disputes_by_deadline")
    assert windows["lt_7d",] == 1
    assert windows["no_response_possible",] == 2
    assert sum(windows.values()) == 3


def test_the_queue_says_since_when_its_oldest_waits_and_not_how_long(store: Store) -> None:
    with store.transaction() as session:
        worklist.mark(session, [Subject("eu", "customer", "cus_1")], NOW - HOUR)
        worklist.mark(session, [Subject("eu", "customer", "cus_2")], NOW + HOUR)
    shown = snapshot(store, [watched()], NOW)

    assert values(shown, "queue_subjects") == {("ready",): 1, ("later",): 1, ("taken",): 0, ("dead",): 0}
    assert values(shown, "queue_oldest_timestamp_seconds") == {(): (NOW - HOUR).timestamp()}


def test_a_thousand_accounts_have_at_most_twelve_series_each(store: Store) -> None:
    accounts = [watched(f"account-{number}") for number in range(1_000)]
    with store.transaction() as session:
        figures.note_added(session, accounts, NOW)
        for each in accounts:
            heard = Position(born=1, complete=2, newest=3)
            hearing.move(session, each.slug, heard, NOW)
    shown = snapshot(store, accounts, NOW)

    own: Counter[str] = Counter()
    for family in STATE:
        for labels, _ in shown[family.name]:
            own.update(value for name, value in zip(family.labels, labels, strict=True) if name == "account")
    flow = sum("account" in getattr(each, "_labelnames", ()) for each in REGISTRY._collector_to_names)
    deadline = 1  # none here has one
    assert max(own.values()) + deadline + flow <= SERIES_AN_ACCOUNT_MAX


class Picture:
    """A database that can be asked, or not."""

    def __init__(self) -> None:
        self.away = False
        self.now = NOW

    def snapshot(self) -> Snapshot:
        if self.away:
            raise ConnectionError("the database is away")
        return {"reconciled_accounts": [(("ok",), 3.0)]}


def shown_by(collector: StateCollector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def test_a_database_that_is_away_for_a_moment_changes_nothing_that_is_shown() -> None:
    picture = Picture()
    collector = StateCollector(picture.snapshot, lambda: picture.now)
    assert "reconciled" not in shown_by(collector)
    collector.take()
    picture.away = True
    picture.now += timedelta(seconds=EVERY_S)
    with pytest.raises(ConnectionError):
        collector.take()

    assert 'reconciled_accounts{state="ok"} 3.0' in shown_by(collector)


def test_a_picture_that_grew_old_is_not_shown_as_if_all_stood_still_but_how_old_it_is() -> None:
    picture = Picture()
    collector = StateCollector(picture.snapshot, lambda: picture.now)
    collector.take()
    picture.now += timedelta(seconds=SHOWN_S + 1)

    shown = shown_by(collector)
    assert "reconciled_accounts{" not in shown
    assert f"reconciled_metrics_snapshot_timestamp_seconds {NOW.timestamp():.7e}" in shown


def test_when_an_account_was_added_is_written_once(store: Store) -> None:
    with store.transaction() as session:
        figures.note_added(session, [watched()], NOW)
        figures.note_added(session, [watched()], NOW + HOUR)
        assert cursors.position(session, "eu", figures.ADDED) == NOW.isoformat()
        assert session.scalar(text("SELECT count(*) FROM cursors")) == 1
