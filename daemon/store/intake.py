"""Taking events in: each is stored once and marks what has to be looked at because of it, in a handful of statements.

It marks as `worklist.mark` does, but in each database's own SQL, because every webhook waits for it.
On PostgreSQL a statement takes its rows as one JSON text: what costs there is round trips and typed arrays. On
SQLite it takes them as one list of values: after each row of `executemany`, Python's driver would let go of the
interpreter and wait until the thread that answers requests gives it back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Protocol

import msgspec
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlmodel import Session

from accounts.facts import Subject
from daemon.store.db import Line
from daemon.store.inbox import Received
from daemon.store.statements import is_postgres
from daemon.store.tables.base import microseconds

Key = tuple[str, str]  # account and event

EVENT = {
    "account": "text", "event_id": "text", "type": "text", "object_type": "text", "object_id": "text",
    "customer": "text", "created": "bigint", "livemode": "boolean", "is_foreign": "boolean", "api_version": "text",
    "idempotency_key": "text", "twin_id": "text", "source": "text", "received_at": "bigint", "webhook_at": "bigint",
}  # fmt: skip
WORK = ("account", "kind", "id", "mark", "stale", "due", "takes", "failures")
MARK = {"account": "text", "kind": "text", "id": "text", "reading": "boolean"}
ROWS_MAX = 256  # of the widest table 4,000 values; SQLite takes 32,766


def marks_of(event: Received) -> Iterator[tuple[Subject, bool]]:
    """What an event says to look at again, and whether it must be read again or only judged.

    Its object may have changed, and is read. Its customer has not changed by that, but may now disagree.
    """
    if event.is_foreign or not event.object_id:
        return
    yield Subject(event.account, event.object_type, event.object_id), True
    if event.customer is not None and event.object_type != "customer":
        yield Subject(event.account, "customer", event.customer), False


def take_in(session: Session, events: Sequence[Received], now: datetime) -> list[bool]:
    """Stores and marks what is new, and answers for each event whether it was: a second copy in this list is not."""
    cursor = session.connection().connection.cursor()
    return _taken_in(
        _Postgres(cursor) if is_postgres(session) else _Sqlite(cursor), events, microseconds(now)
    )


def commit(line: Line, events: Sequence[Received], now: datetime) -> list[bool]:
    """The same in a transaction of its own, for those who wait for nothing else."""
    if not events:
        return []
    with line.transaction() as cursor:
        tables = _Postgres(cursor) if line.place.path is None else _Sqlite(cursor)
        return _taken_in(tables, events, microseconds(now))


def _taken_in(tables: "Tables", events: Sequence[Received], at: int) -> list[bool]:
    first: dict[Key, Received] = {}
    for event in events:
        first.setdefault((event.account, event.event_id), event)
    if not first:
        return []
    new = tables.store(first, at)
    wanted: dict[Subject, bool] = {}
    for key in new:
        for subject, reading in marks_of(first[key]):
            wanted[subject] = reading or wanted.get(subject, False)
    if wanted:
        tables.mark(wanted, at)
    answers = []
    for event in events:
        key = (event.account, event.event_id)
        answers.append(key in new)
        new.discard(key)
    return answers


class Tables(Protocol):
    def store(self, events: Mapping[Key, Received], at: int) -> set[Key]:
        """Stores the events, and says which were new; notes of the others that a webhook brought them at last."""
        ...

    def mark(self, wanted: Mapping[Subject, bool], at: int) -> None:
        """Marks these, and whether each must be read again, under a number of the counter that nobody had before."""
        ...


def _row(event: Received, at: int) -> tuple[object, ...]:
    return (
        event.account, event.event_id, event.type, event.object_type, event.object_id, event.customer,
        microseconds(event.created), event.livemode, event.is_foreign, event.api_version, event.idempotency_key,
        event.twin_id, event.source, at, at if event.source == "webhook" else None,
    )  # fmt: skip


def _insert(table: str, columns: Iterable[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) "


class _Sqlite:
    """The writer is alone: what it finds unknown is still unknown when it inserts."""

    def __init__(self, cursor: DBAPICursor) -> None:
        self._cursor = cursor

    def store(self, events: Mapping[Key, Received], at: int) -> set[Key]:
        keys = msgspec.json.encode(list(events)).decode()
        self._cursor.execute(_KNOWN, (keys,))
        ((text,),) = self._cursor.fetchall()
        known = {(account, event): unheard for account, event, unheard in msgspec.json.decode(text)}
        new = {key: event for key, event in events.items() if key not in known}
        self._insert(_insert("inbox", EVENT), [_row(event, at) for event in new.values()])
        for key, unheard in known.items():
            if unheard and events[key].source == "webhook":
                self._cursor.execute(_HEARD, (at, *key))
        return set(new)

    def mark(self, wanted: Mapping[Subject, bool], at: int) -> None:
        self._cursor.execute(_NEXT_MARK)
        ((number,),) = self._cursor.fetchall()
        rows = [(*each, number, number if reading else 0, at, 0, 0) for each, reading in wanted.items()]
        self._insert(_insert("worklist", WORK), rows, _MARK_AGAIN)

    def _insert(self, insert: str, rows: Sequence[tuple[object, ...]], conflict: str = "") -> None:
        # In powers of two: a handful of different statements, all of which the driver keeps prepared.
        start = 0
        while start < len(rows):
            size = min(1 << (len(rows) - start).bit_length() - 1, ROWS_MAX)
            some = rows[start : start + size]
            self._cursor.execute(
                _listed(insert, len(some[0]), size, conflict), tuple(chain.from_iterable(some))
            )
            start += size


@cache
def _listed(insert: str, width: int, rows: int, conflict: str) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{insert} VALUES {', '.join([row] * rows)} {conflict}"


# One answer in one row, whatever it holds: each row that is fetched costs what is said above.
_KNOWN = """
    SELECT json_group_array(json_array(inbox.account, inbox.event_id, inbox.webhook_at IS NULL))
    FROM json_each(?) AS given
    CROSS JOIN inbox ON inbox.account = given.value ->> 0 AND inbox.event_id = given.value ->> 1
"""
_NEXT_MARK = "UPDATE mark_counter SET mark = mark + 1 RETURNING mark"
_HEARD = "UPDATE inbox SET webhook_at = ? WHERE account = ? AND event_id = ? AND webhook_at IS NULL"
_MARK_AGAIN = """
    ON CONFLICT (account, kind, id) DO UPDATE SET
        mark = excluded.mark, stale = max(stale, excluded.stale), due = min(due, excluded.due), buried_at = NULL
"""


class _Postgres:
    """Others write at the same time: the insert itself says what was new."""

    def __init__(self, cursor: DBAPICursor) -> None:
        self._cursor = cursor

    def store(self, events: Mapping[Key, Received], at: int) -> set[Key]:
        given = _json(EVENT, [_row(event, at) for event in events.values()])
        self._cursor.execute(_STORE_GIVEN, (given,))
        new = {(account, event) for account, event in self._cursor.fetchall()}
        late = [key for key, event in events.items() if key not in new and event.source == "webhook"]
        if late:
            self._cursor.execute(_HEARD_GIVEN, (at, _json({"account": "", "event_id": ""}, late)))
        return new

    def mark(self, wanted: Mapping[Subject, bool], at: int) -> None:
        rows = [(*each, reading) for each, reading in wanted.items()]
        self._cursor.execute(_MARK_GIVEN, (at, _json(MARK, rows)))


def _json(columns: Mapping[str, str], rows: Sequence[tuple[object, ...]]) -> str:
    return msgspec.json.encode([dict(zip(columns, row, strict=True)) for row in rows]).decode()


def _given(columns: Mapping[str, str]) -> str:
    return f"json_to_recordset(%s::json) AS given ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"


# COLLATE "C" is the order of Python's `sorted`, in which everybody else locks these rows.
_STORE_GIVEN = f"""
    {_insert("inbox", EVENT)} SELECT {", ".join(EVENT)} FROM {_given(EVENT)}
    ORDER BY account COLLATE "C", event_id COLLATE "C"
    ON CONFLICT DO NOTHING RETURNING account, event_id
"""  # noqa: S608 - the columns are ours
_HEARD_GIVEN = f"""
    WITH given AS (SELECT account, event_id, %s::bigint AS at FROM {_given({"account": "text", "event_id": "text"})})
    UPDATE inbox SET webhook_at = given.at FROM given
    WHERE inbox.account = given.account AND inbox.event_id = given.event_id AND inbox.webhook_at IS NULL
"""  # noqa: S608
# Drawn once for all rows that are new, and again under the lock of each that is not, for `worklist.mark`'s reason.
_MARK_GIVEN = f"""
    WITH drawn AS MATERIALIZED (SELECT nextval('mark_counter') AS mark)
    {_insert("worklist", WORK)}
    SELECT account, kind, id, mark, CASE WHEN reading THEN mark ELSE 0 END, %s, 0, 0 FROM {_given(MARK)}, drawn
    ORDER BY account COLLATE "C", kind COLLATE "C", id COLLATE "C"
    ON CONFLICT (account, kind, id) DO UPDATE SET
        mark = nextval('mark_counter'), stale = greatest(worklist.stale, excluded.stale),
        due = least(worklist.due, excluded.due), buried_at = NULL
"""  # noqa: S608
