"""Notices: tells people by mail, and a program by webhook, that a case has opened or has become critical.

Every opening is in the journal, so it is told from there: once, whoever opened it, and after any crash. A case that
comes and goes is told of once a day. Many at once, as after a first pass, are told of in one message.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Row
from sqlmodel import Session

from accounts.money import Money
from daemon.core.canonical import Json
from daemon.settings import Notify, Route
from daemon.store import cursors, journal, outbox, queue, records
from daemon.store.db import Store
from daemon.store.journal import Entry
from daemon.store.outbox import CASE, EMAIL, WEBHOOK
from daemon.store.tables.desk import DUE_UNKNOWN

NOTICES: Final = "notices"  # the kind of wake
ONE: Final = "all"  # its one key
CURSOR: Final = ("", "notices")
A_RUN: Final = 500  # entries of the journal
ONE_BY_ONE_MAX: Final = 20  # cases of one run; more come in one message
ONCE_IN: Final = timedelta(days=1)
OPENED: Final = frozenset({"case_opened", "case_reopened"})
CHANGED: Final = "case_changed"
CRITICAL: Final = "critical"
MANY: Final = "many"  # what a message about several is about
WITHOUT_ROUTES: Final = frozenset({CRITICAL, "high"})

# What it is about, its account, what it says.
Message = tuple[tuple[str, str], str | None, Mapping[str, Json]]


class Notices:
    def __init__(
        self, store: Store, configured: Notify, public_url: str | None, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._configured = configured
        self._public_url = (public_url or "").rstrip("/")
        self._now = now

    def due(self, session: Session, now: datetime) -> Iterable[tuple[str, str]]:
        if not self._channels():
            return []
        return [(NOTICES, ONE)] if _position(session) != journal.head(session).seq else []

    def run(self, _: str = ONE) -> None:
        """Reads on from where the last run ended. The first begins at the end: what was before is in the queue."""
        with self._store.holding(NOTICES) as ours:
            if ours:
                self._read_on()

    def _read_on(self) -> None:
        now = self._now()
        with self._store.transaction() as session:
            position = _position(session)
            if position is None:
                cursors.move(session, *CURSOR, str(journal.head(session).seq), now)
                return
            entries = journal.after(session, position, limit=A_RUN)
            if entries:
                for channel in self._channels():
                    found = list(self._to_tell_of(session, channel, entries, now))
                    for topic, account, body in self._messages(channel, found, now):
                        outbox.notify(session, channel, topic, account, body, now)
                cursors.move(session, *CURSOR, str(entries[-1].seq), now)

    def _channels(self) -> Sequence[str]:
        """Those that are configured and served."""
        channels = ((EMAIL, self._configured.email), (WEBHOOK, self._configured.webhook))
        return [name for name, configured in channels if configured is not None]

    def _to_tell_of(
        self, session: Session, channel: str, entries: Sequence[Entry], now: datetime
    ) -> Iterator[Row[Any]]:
        """The cases that still stand, go this way, and were not told of today."""
        for case_id, opened in _named(entries).items():
            row = queue.one(session, case_id)
            if row is None or row.state == "resolved" or not self._goes_to(session, channel, row):
                continue
            last = outbox.last_about(session, channel, (CASE, case_id))
            if last is not None and now - last.created_at < ONCE_IN:
                continue
            if opened or last is None or _is_news(row, last.body):
                yield row

    def _goes_to(self, session: Session, channel: str, row: Row[Any]) -> bool:
        """Whether a case is told of there: the first route that fits says so; without routes, all are told."""
        routes = self._configured.routes
        if not routes:
            return row.severity in WITHOUT_ROUTES
        return next((route.to for route in routes if _fits(session, route, row)), None) == channel

    def _messages(self, channel: str, rows: Sequence[Row[Any]], now: datetime) -> Iterator[Message]:
        say = self._mail if channel == EMAIL else self._call
        if len(rows) <= ONE_BY_ONE_MAX:
            for row in rows:
                yield (
                    (CASE, row.id),
                    row.account,
                    {**say([row], now), "severity": row.severity, "due": _due(row)},
                )
            return
        yield (CASE, MANY), None, say(rows, now)

    def _call(self, rows: Sequence[Row[Any]], now: datetime) -> dict[str, Json]:
        """For a program: ids, states, amounts and times."""
        cases: list[Json] = [
            {
                "id": row.id,
                "account": row.account,
                "stripe_account": row.stripe_account,
                "livemode": row.livemode,
                "kind": row.kind,
                "severity": row.severity,
                "title": row.title,
                "amount": row.amount,
                "currency": row.currency,
                "due_at": _due(row),
                "due_unknown": row.due_order == DUE_UNKNOWN,
                "opened_at": row.opened_at.isoformat(),
                "review_url": next(iter(self._link(f"cases/{row.id}")), None),
            }
            for row in rows
        ]
        return {"type": "cases.notice", "cases": cases, "at": now.isoformat()}

    def _mail(self, rows: Sequence[Row[Any]], now: datetime) -> dict[str, Json]:
        """For people: one case whole, or the first of many."""
        lines = [f"[{row.severity}] {row.account}: {row.title}" for row in rows[:ONE_BY_ONE_MAX]]
        if len(rows) == 1:
            return {"subject": lines[0], "text": self._text(rows[0])}
        text = "\n".join([*lines, f"… and {len(rows) - ONE_BY_ONE_MAX} more.", "", *self._link("cases")])
        return {"subject": f"{len(rows)} cases have opened", "text": text}

    def _text(self, row: Row[Any]) -> str:
        amount = None if row.amount is None else Money(row.amount, row.currency)
        deadline = f"{row.due_at:%Y-%m-%d %H:%M} UTC" if row.due_at is not None else "unknown"
        lines = [
            row.title,
            "",
            f"Account: {row.account} ({'live' if row.livemode else 'test'})",
            f"Severity: {row.severity}",
            *([f"Amount: {amount}"] if amount is not None else []),
            *([f"Deadline: {deadline}"] if row.due_at is not None or row.due_order == DUE_UNKNOWN else []),
            "",
            *self._link(f"cases/{row.id}"),
        ]
        return "\n".join(lines)

    def _link(self, path: str) -> Sequence[str]:
        return [f"{self._public_url}/{path}"] if self._public_url else []


def _position(session: Session) -> int | None:
    found = cursors.position(session, *CURSOR)
    return None if found is None else int(found)


def _named(entries: Sequence[Entry]) -> dict[str, bool]:
    """The cases that opened or changed and are critical, and whether they opened."""
    found: dict[str, bool] = {}
    for entry in entries:
        if entry.kind not in {*OPENED, CHANGED}:
            continue
        said = msgspec.json.decode(entry.body)
        if entry.kind in OPENED or said.get("severity") == CRITICAL:
            found[str(said["case"])] = found.get(str(said["case"]), False) or entry.kind in OPENED
    return found


def _is_news(row: Row[Any], told: Mapping[str, Json]) -> bool:
    """Whether somebody who was told this of a critical case has to be told more: it was not, or for another time."""
    return told.get("severity") != CRITICAL or told.get("due") != _due(row)


def _due(row: Row[Any]) -> str | None:
    return None if row.due_at is None else str(row.due_at.isoformat())


def _fits(session: Session, route: Route, row: Row[Any]) -> bool:
    wanted = ((route.account, row.account), (route.kind, row.kind), (route.severity, row.severity))
    if any(value is not None and value != own for value, own in wanted):
        return False
    return route.owner is None or route.owner in _owners(session, row)


def _owners(session: Session, row: Row[Any]) -> frozenset[str]:
    """Who looks after the customer, as the CRM says."""
    if row.subject_kind != "customer":
        return frozenset()
    filed = records.records_of(session, [row.subject_id])
    return frozenset(each.owner for each in filed if each.owner is not None)
