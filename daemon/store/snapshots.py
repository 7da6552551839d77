"""Snapshots: Stripe's objects as they were last read, and the tombstones of those that are gone."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Row, func, select, update
from sqlmodel import Session

from accounts.facts import Address
from daemon.store import observations
from daemon.store.observations import Change
from daemon.store.statements import ROWS_A_STATEMENT, among, portions, within
from daemon.store.tables import table
from daemon.store.tables.base import moment

SNAPSHOTS = table("snapshots")


class Snapshot(Struct, frozen=True):
    """One object: its struct as JSON, and what it is found by."""

    id: str
    body: bytes
    customer: str | None = None
    person: str | None = None  # of a customer: the keyed hash of the e-mail address
    status: str | None = None
    created: datetime | None = None
    changed_at: datetime | None = None  # the newest moment at which it says that it changed
    reached: tuple[str, ...] = ()  # states that it has come to since it was last read


class Stored(Struct, frozen=True):
    """A snapshot as it lies in the store, with what tells how fresh it is."""

    class_name: str
    snapshot: Snapshot
    seen: int
    observed_at: datetime
    deleted: bool
    changed_at: datetime | None  # when it last changed; None: long ago
    reached: Mapping[str, datetime] = {}  # states that it came to while we watched


def write(
    session: Session,
    account: str,
    class_name: str,
    snapshots: Sequence[Snapshot],
    *,
    seen: int,
    observed_at: datetime,
    first_pass: bool = False,
) -> list[Change]:
    """Stores what one read brought. Of two copies of an object in it the later one counts."""
    rows = {each.id: _columns(each) for each in snapshots}
    scope = {"account": account, "class_name": class_name}
    return observations.write(
        session, SNAPSHOTS, scope, rows, seen=seen, observed_at=observed_at, first_pass=first_pass
    )


def bury(
    session: Session, account: str, class_name: str, id: str, *, seen: int, observed_at: datetime
) -> Change | None:
    """Stripe said `deleted`, or 404 to a proven key: the object is known to be gone."""
    scope = {"account": account, "class_name": class_name}
    return observations.bury(session, SNAPSHOTS, scope, id, seen=seen, observed_at=observed_at)


def by_id(session: Session, account: str, class_name: str, ids: Collection[str]) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for some in portions(sorted(ids)):
        query = select(*_AS_STORED).where(
            SNAPSHOTS.c.account == account, SNAPSHOTS.c.class_name == class_name
        )
        rows = session.execute(query.where(within(session, SNAPSHOTS.c.id, some))).all()
        found |= {each.snapshot.id: each for each in map(_stored, rows)}
    return found


def of_customers(session: Session, account: str, customers: Collection[str]) -> list[Stored]:
    """Everything that belongs to these customers, tombstones included."""
    found: list[Stored] = []
    for some in portions(sorted(customers)):
        query = select(*_AS_STORED).where(
            SNAPSHOTS.c.account == account, within(session, SNAPSHOTS.c.customer, some)
        )
        found += map(_stored, session.execute(query).all())
    return found


def observed(session: Session, account: str, customer: str) -> dict[str, datetime]:
    """When each of this customer's objects was last read."""
    query = select(SNAPSHOTS.c.id, SNAPSHOTS.c.observed_at).where(
        SNAPSHOTS.c.account == account, SNAPSHOTS.c.customer == customer
    )
    return {row.id: row.observed_at for row in session.execute(query)}


def customers_of(session: Session, account: str, class_name: str, ids: Collection[str]) -> dict[str, str]:
    """Whose these objects are, those of nobody known left out; of tombstones, whose they were."""
    found: dict[str, str] = {}
    for some in portions(sorted(ids)):
        query = select(SNAPSHOTS.c.id, SNAPSHOTS.c.customer).where(
            SNAPSHOTS.c.account == account,
            SNAPSHOTS.c.class_name == class_name,
            within(session, SNAPSHOTS.c.id, some),
            SNAPSHOTS.c.customer.is_not(None),
        )
        found |= {row.id: row.customer for row in session.execute(query)}
    return found


def everywhere(
    session: Session, accounts: Collection[str], class_name: str, ids: Collection[str]
) -> list[Row[Any]]:
    """The account, id, person and tombstone of these objects, in whichever of these accounts have them."""
    columns = (SNAPSHOTS.c.account, SNAPSHOTS.c.id, SNAPSHOTS.c.person, SNAPSHOTS.c.deleted)
    found: list[Row[Any]] = []
    for some in portions(sorted(ids)):
        here = (within(session, SNAPSHOTS.c.account, sorted(accounts)), SNAPSHOTS.c.class_name == class_name)
        found += session.execute(select(*columns).where(*here, within(session, SNAPSHOTS.c.id, some))).all()
    return found


def sharing(session: Session, persons: Collection[str]) -> list[Row[Any]]:
    """The account, id, person and tombstone of all customers with one of these e-mail addresses, in any account."""
    columns = (SNAPSHOTS.c.account, SNAPSHOTS.c.id, SNAPSHOTS.c.person, SNAPSHOTS.c.deleted)
    found: list[Row[Any]] = []
    for some in portions(sorted(persons)):
        found += session.execute(select(*columns).where(within(session, SNAPSHOTS.c.person, some))).all()
    return found


def persons_of(session: Session, account: str, customers: Collection[str]) -> set[str]:
    """The keyed hashes of these customers' e-mail addresses."""
    found: set[str] = set()
    for some in portions(sorted(customers)):
        query = select(SNAPSHOTS.c.person).where(
            SNAPSHOTS.c.account == account,
            SNAPSHOTS.c.class_name == "customer",
            within(session, SNAPSHOTS.c.id, some),
            SNAPSHOTS.c.person.is_not(None),
        )
        found |= set(session.scalars(query))
    return found


def holding(
    session: Session, customers: Collection[tuple[str, str]], class_name: str, statuses: Collection[str]
) -> set[tuple[str, str]]:
    """Those of these customers, each an account and an id, that have such an object in one of these states."""
    found: set[tuple[str, str]] = set()
    for some in portions(sorted(customers)):
        query = select(SNAPSHOTS.c.account, SNAPSHOTS.c.customer).where(
            among(session, (SNAPSHOTS.c.account, SNAPSHOTS.c.customer), some),
            SNAPSHOTS.c.class_name == class_name,
            SNAPSHOTS.c.status.in_(list(statuses)),
            SNAPSHOTS.c.deleted.is_(False),
        )
        found |= {(row.account, row.customer) for row in session.execute(query)}
    return found


def of_class(session: Session, account: str, class_name: str, statuses: Collection[str] = ()) -> list[Stored]:
    """All objects of a class that are not gone, or those in these states: for classes of which there are few."""
    query = select(*_AS_STORED).where(
        SNAPSHOTS.c.account == account, SNAPSHOTS.c.class_name == class_name, SNAPSHOTS.c.deleted.is_(False)
    )
    if statuses:
        query = query.where(SNAPSHOTS.c.status.in_(list(statuses)))
    return list(map(_stored, session.execute(query).all()))


def seen(session: Session, account: str, addresses: Collection[Address]) -> dict[Address, int]:
    """The number of the last read of these objects, tombstones included."""
    found: dict[Address, int] = {}
    for some in portions(sorted(addresses)):
        query = select(SNAPSHOTS.c.class_name, SNAPSHOTS.c.id, SNAPSHOTS.c.seen).where(
            SNAPSHOTS.c.account == account, among(session, (SNAPSHOTS.c.class_name, SNAPSHOTS.c.id), some)
        )
        found |= {Address(row.class_name, row.id): row.seen for row in session.execute(query)}
    return found


def unseen(
    session: Session,
    account: str,
    class_name: str,
    mark: int,
    *,
    since: datetime | None = None,
    before: datetime | None = None,
    status: str | None = None,
) -> Iterator[Sequence[str]]:
    """The ids, some at a time, of what is not known to be gone and was not shown by any read since this number."""
    query = select(SNAPSHOTS.c.id).where(
        SNAPSHOTS.c.account == account,
        SNAPSHOTS.c.class_name == class_name,
        SNAPSHOTS.c.seen < mark,
        SNAPSHOTS.c.deleted.is_(False),
    )
    if since is not None:
        query = query.where(SNAPSHOTS.c.created >= since)
    if before is not None:
        query = query.where(SNAPSHOTS.c.created < before)
    if status is not None:
        query = query.where(SNAPSHOTS.c.status == status)
    query = query.order_by(SNAPSHOTS.c.id).limit(ROWS_A_STATEMENT)
    ids = session.scalars(query).all()
    while ids:
        yield ids
        ids = session.scalars(query.where(SNAPSHOTS.c.id > ids[-1])).all()


def count(session: Session, accounts: Collection[str], class_name: str, since: datetime | None = None) -> int:
    """How many objects of a class are stored, or were created since then."""
    query = select(func.count()).where(
        SNAPSHOTS.c.account.in_(sorted(accounts)),
        SNAPSHOTS.c.class_name == class_name,
        SNAPSHOTS.c.deleted.is_(False),
    )
    if since is not None:
        query = query.where(SNAPSHOTS.c.created >= since)
    return int(session.scalar(query) or 0)


def types_of(session: Session, account: str, id: str) -> list[str]:
    """The classes that have an object of this id, which is one in all but strange cases."""
    query = select(SNAPSHOTS.c.class_name).where(SNAPSHOTS.c.account == account, SNAPSHOTS.c.id == id)
    return list(session.scalars(query))


def oldest(session: Session, account: str, class_name: str) -> datetime | None:
    """When the oldest stored object of a class was created."""
    query = select(func.min(SNAPSHOTS.c.created)).where(
        SNAPSHOTS.c.account == account, SNAPSHOTS.c.class_name == class_name
    )
    found: datetime | None = session.scalar(query)
    return found


def any_of(session: Session, account: str) -> Address | None:
    """An object that was read of this account and is not gone: by it, a key can be proven to be the account's."""
    query = select(SNAPSHOTS.c.class_name, SNAPSHOTS.c.id).where(
        SNAPSHOTS.c.account == account, SNAPSHOTS.c.deleted.is_(False)
    )
    found = session.execute(query.order_by(SNAPSHOTS.c.class_name, SNAPSHOTS.c.id).limit(1)).first()
    return None if found is None else Address(found.class_name, found.id)


def give_to(session: Session, account: str, class_name: str, snapshot: Snapshot, customer: str) -> None:
    """Writes down another owner of an object that itself did not change."""
    moved = replace(snapshot, customer=customer)
    session.execute(
        update(SNAPSHOTS)
        .where(SNAPSHOTS.c.account == account, SNAPSHOTS.c.class_name == class_name)
        .where(SNAPSHOTS.c.id == snapshot.id)
        .values(customer=customer, digest=_columns(moved)["digest"])
    )


def _columns(snapshot: Snapshot) -> dict[str, Any]:
    keys = {"customer": snapshot.customer, "person": snapshot.person, "status": snapshot.status}
    # The keys are hashed too: a hash of an e-mail address may change while the body, which has none, does not.
    named = f"{snapshot.customer or ''}\n{snapshot.person or ''}\n{snapshot.status or ''}\n"
    fingerprint = hashlib.sha256(named.encode() + snapshot.body).digest()
    return {
        **keys,
        "created": snapshot.created,
        "changed_at": snapshot.changed_at,
        "reached": snapshot.reached,
        "body": snapshot.body,
        "digest": fingerprint,
    }


_AS_STORED = [SNAPSHOTS.c[name] for name in (
    "class_name", "id", "body", "customer", "person", "status", "created",
    "seen", "observed_at", "deleted", "changed_at", "reached",
)]  # fmt: skip


def _stored(row: Sequence[Any]) -> Stored:
    # By place: a sweep's walk comes by here for everything that is stored, and names cost as much as all the rest.
    (
        class_name,
        id_,
        body,
        customer,
        person,
        status,
        created,
        seen,
        observed_at,
        deleted,
        changed_at,
        came_to,
    ) = row
    snapshot = Snapshot(id_, bytes(body), customer, person, status, created)
    reached = {state: moment(at) for state, at in came_to.items()} if came_to else {}
    return Stored(class_name, snapshot, seen, observed_at, deleted, changed_at, reached)
