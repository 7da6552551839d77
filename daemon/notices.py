"""Notices: tells people by mail that a case has opened or has become critical, by reading what the journal says.

Every opening is in the journal, so it is told from there: once, whoever opened it, and after any crash. A case that
comes and goes is told of once a day. Many at once, as after a first pass, are told of in one message.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Row
from sqlmodel import Session

from accounts.money import Money
from daemon.settings import Notify, Route
from daemon.store import cursors, journal, outbox, queue, records
from daemon.store.db import Store
from daemon.store.journal import Entry
from daemon.store.outbox import CASE, EMAIL
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
WITHOUT_ROUTES: Final = frozenset({CRITICAL, "high"})


class Notices:
    def __init__(
        self, store: Store, configured: Notify, public_url: str | None, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._configured = configured
        self._public_url = (public_url or "").rstrip("/")
        self._now = now

    def due(self, session: Session, now: datetime) -> Iterable[tuple[str, str]]:
        if self._configured.email is None:
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
                self._tell(session, list(self._to_tell_of(session, entries, now)), now)
                cursors.move(session, *CURSOR, str(entries[-1].seq), now)

    def _to_tell_of(self, session: Session, entries: Sequence[Entry], now: datetime) -> Iterator[Row[Any]]:
        """The cases that still stand, go to mail, and were not told of today."""
        for case_id, opened in _named(entries).items():
            row = queue.one(session, case_id)
            if row is None or row.state == "resolved" or self._channel(session, row) != EMAIL:
                continue
            last = outbox.last_about(session, EMAIL, (CASE, case_id))
            if last is not None and now - last.created_at < ONCE_IN:
                continue
            is_news = opened or last is None or last.body.get("severity") != CRITICAL
            if is_news:
                yield row

    def _channel(self, session: Session, row: Row[Any]) -> str | None:
        """Where a case is told of; the first route that fits says so."""
        routes = self._configured.routes
        if not routes:
            return EMAIL if row.severity in WITHOUT_ROUTES else None
        return next((route.to for route in routes if _fits(session, route, row)), None)

    def _tell(self, session: Session, rows: Sequence[Row[Any]], now: datetime) -> None:
        if len(rows) <= ONE_BY_ONE_MAX:
            for row in rows:
                subject = f"[{row.severity}] {row.account}: {row.title}"
                body = {"subject": subject, "text": self._text(row), "severity": row.severity}
                outbox.notify(session, EMAIL, (CASE, row.id), row.account, body, now)
            return
        lines = [f"[{row.severity}] {row.account}: {row.title}" for row in rows[:ONE_BY_ONE_MAX]]
        text = "\n".join([*lines, f"… and {len(rows) - ONE_BY_ONE_MAX} more.", "", *self._link("cases")])
        body = {"subject": f"{len(rows)} cases have opened", "text": text}
        outbox.notify(session, EMAIL, (CASE, MANY), None, body, now)

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


MANY: Final = "many"  # what a message about several is about


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
