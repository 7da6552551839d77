"""How something that was read is stored: the newest read wins, and what did not change is hardly written.

Snapshots, records and entitlements share this. A read carries the mark that was current before it was asked for; a row
is never overwritten by a read with a smaller one. If the digest is the same, only that number moves.

When something changed is what it says itself, if it says so: a subscription when it was canceled, a record when it
was updated. Else it is when the change was first seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Table, and_, bindparam, select, update
from sqlmodel import Session

from daemon.store.bulk import insert_new
from daemon.store.statements import portions, within
from daemon.store.tables.base import microseconds

KEYS = ("stripe_account", "stripe_customer", "person", "customer")  # whichever of them a table has


class Change(Struct, frozen=True):
    """A row that is new or different, and the keys that it was and is found by.

    Facts that concern several subjects mark them all, so the subjects of the old keys matter as much as the new.
    """

    id: str
    before: Mapping[str, str | None] | None  # None: the row is new
    after: Mapping[str, str | None]


def write(
    session: Session,
    table: Table,
    scope: Mapping[str, str],
    rows: Mapping[str, Mapping[str, Any]],
    *,
    seen: int,
    observed_at: datetime,
    first_pass: bool = False,
) -> list[Change]:
    """Stores rows by id (the last column of the table's key) inside a scope (the columns before it).

    Every row holds its `digest`, every column of its own, and `changed_at`: the newest moment at which it says
    that it changed, or None. `first_pass`: what says nothing of that and is new has been so for long. `reached`, where
    a table has it, are the states that it has come to since it was last read.
    """
    changes: list[Change] = []
    read = {"seen": seen, "observed_at": observed_at, "deleted": False}
    fresh = {**scope, **read, **({"reached": None} if "reached" in table.c else {})}
    identity = _id(table)
    for ids in portions(sorted(rows)):
        remaining = list(ids)
        # In a first pass hardly any is there, so inserting finds out sooner than looking first. And to PostgreSQL it is
        # a table without statistics yet, of which a search for hundreds of ids might read every row.
        looking = not first_pass
        while remaining:
            found = _locked(session, table, scope, remaining) if looking else {}
            missing = [each for each in remaining if each not in found]
            inserted = insert_new(
                session,
                table,
                [
                    {
                        **rows[each],
                        **fresh,
                        identity: each,
                        "changed_at": _began(rows[each]["changed_at"], observed_at, first_pass),
                    }
                    for each in missing
                ],
                looked=looking,
            )
            looking = True
            changes += [Change(each, None, _keys(table, rows[each])) for each in missing if each in inserted]
            changes += _refresh(
                session, table, scope, {each: (found[each], rows[each]) for each in found}, read
            )
            # What was not inserted was there already, or somebody did it between our look and our insert, who may
            # have read it later than we did: look again.
            remaining = [each for each in missing if each not in inserted]
    return changes


def bury(
    session: Session, table: Table, scope: Mapping[str, str], id: str, *, seen: int, observed_at: datetime
) -> Change | None:
    """Makes a tombstone of a row: it is known to be gone. None if it was gone, unknown, or read later than this."""
    found = _locked(session, table, scope, [id]).get(id)
    if found is None or found.seen > seen:
        return None
    changed_at = found.changed_at if found.deleted else observed_at
    session.execute(
        update(table)
        .where(_in_scope(table, scope), table.c[_id(table)] == id)
        .values(deleted=True, seen=seen, observed_at=observed_at, changed_at=changed_at)
    )
    keys = _keys(table, found._asdict())
    return None if found.deleted else Change(id, keys, keys)


def _refresh(
    session: Session,
    table: Table,
    scope: Mapping[str, str],
    pairs: Mapping[str, tuple[Row[Any], Mapping[str, Any]]],
    read: Mapping[str, Any],
) -> list[Change]:
    changes, changed, same = [], [], []
    for each, (old, new) in pairs.items():
        if old.seen > read["seen"]:
            continue
        if bytes(old.digest) == new["digest"] and not old.deleted:
            same += [each] if old.seen < read["seen"] else []
            continue
        changes.append(Change(each, _keys(table, old._asdict()), _keys(table, new)))
        written = {**new, **read, "changed_at": _changed(old, new["changed_at"], read["observed_at"])}
        if "reached" in new:
            written["reached"] = _reached(old.reached, new["reached"], read["observed_at"])
        changed.append({"of_id": each} | {f"new_{name}": value for name, value in written.items()})
    here = _in_scope(table, scope)
    identity = table.c[_id(table)]
    if changed:
        names = [name.removeprefix("new_") for name in changed[0] if name != "of_id"]
        statement = update(table).where(here, identity == bindparam("of_id"))
        session.execute(statement.values({name: bindparam(f"new_{name}") for name in names}), changed)
    if same:
        now = {"seen": read["seen"], "observed_at": read["observed_at"]}
        session.execute(update(table).where(here, within(session, identity, same)).values(now))
    return changes


def _began(own_word: datetime | None, observed_at: datetime, first_pass: bool) -> datetime | None:
    """Since when something new has been as it is."""
    if own_word is None:
        return None if first_pass else observed_at
    return min(own_word, observed_at)


def _changed(old: Row[Any], own_word: datetime | None, observed_at: datetime) -> datetime:
    """When something known became different: by its own word, if that has moved since."""
    if own_word is None or (old.changed_at is not None and own_word <= old.changed_at):
        return observed_at
    return min(own_word, observed_at)


def _reached(
    known: Mapping[str, int] | None, came_to: Iterable[str], observed_at: datetime
) -> Mapping[str, int] | None:
    """The states that it came to while we watched, the ones of this read among them."""
    return {**(known or {}), **dict.fromkeys(came_to, microseconds(observed_at))} or None


def _locked(
    session: Session, table: Table, scope: Mapping[str, str], ids: Sequence[str]
) -> dict[str, Row[Any]]:
    identity = table.c[_id(table)]
    wanted = (
        table.c.seen,
        table.c.digest,
        table.c.deleted,
        table.c.changed_at,
        *(table.c[name] for name in (*_key_names(table), "reached") if name in table.c),
    )
    query = select(identity.label("_id"), *wanted).where(
        _in_scope(table, scope), within(session, identity, ids)
    )
    return {row._id: row for row in session.execute(query.order_by(identity).with_for_update())}


def _in_scope(table: Table, scope: Mapping[str, str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in scope.items()))


@cache
def _id(table: Table) -> str:
    return str(list(table.primary_key.columns)[-1].name)


@cache
def _key_names(table: Table) -> tuple[str, ...]:
    return tuple(name for name in KEYS if name in table.c)


def _keys(table: Table, row: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: row[name] for name in _key_names(table)}
