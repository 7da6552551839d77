"""Records and entitlements: what the CRM and the product hold, in our words. Names are personal and not among them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, Table, func, select, update
from sqlmodel import Session

from accounts.facts import Entitlement, Record
from daemon.core.canonical import Json, digest
from daemon.store import observations
from daemon.store.observations import Change
from daemon.store.statements import ROWS_A_STATEMENT, portions, within
from daemon.store.tables import table

RECORDS = table("records")
ENTITLEMENTS = table("entitlements")
_OF_A_RECORD = ("stripe_account", "stripe_customer", "owner", "segment", "status", "plan", "mrr_unit", "currency",
                "renewal", "updated")  # fmt: skip
_OF_AN_ENTITLEMENT = ("stripe_account", "stripe_customer", "feature", "plan", "status", "quantity", "expires_at",
                      "updated")  # fmt: skip


def write_records(
    session: Session,
    source: str,
    records: Sequence[Record],
    *,
    seen: int,
    observed_at: datetime,
    persons: Mapping[str, str] | None = None,
    first_pass: bool = False,
) -> list[Change]:
    """Stores what one read of a CRM brought; `persons` are keyed hashes of e-mail addresses by record key."""
    known = persons or {}
    rows = {
        record.key: _with_digest(
            {name: getattr(record, name) for name in _OF_A_RECORD}
            | {"mrr": None if record.mrr is None else f"{record.mrr:f}", "person": known.get(record.key)}
        )
        for record in records
    }
    return observations.write(
        session,
        RECORDS,
        {"source": source},
        rows,
        seen=seen,
        observed_at=observed_at,
        first_pass=first_pass,
    )


def write_entitlements(
    session: Session,
    source: str,
    entitlements: Sequence[Entitlement],
    *,
    seen: int,
    observed_at: datetime,
    first_pass: bool = False,
) -> list[Change]:
    """Stores what one read of an entitlement store brought."""
    rows = {
        each.key: _with_digest({name: getattr(each, name) for name in _OF_AN_ENTITLEMENT})
        for each in entitlements
    }
    return observations.write(
        session,
        ENTITLEMENTS,
        {"source": source},
        rows,
        seen=seen,
        observed_at=observed_at,
        first_pass=first_pass,
    )


def bury(
    session: Session, of: Table, source: str, key: str, *, seen: int, observed_at: datetime
) -> Change | None:
    """The source does not have it any more: `of` is RECORDS or ENTITLEMENTS."""
    return observations.bury(session, of, {"source": source}, key, seen=seen, observed_at=observed_at)


def still_there(
    session: Session, of: Table, source: str, keys: Collection[str], *, seen: int, observed_at: datetime
) -> int:
    """The source said that these are as they were; how many of them we have."""
    known = 0
    for some in portions(sorted(keys)):
        here = (of.c.source == source, within(session, of.c.key, some), of.c.deleted.is_(False))
        known += session.scalar(select(func.count()).where(*here)) or 0
        newer = update(of).where(*here, of.c.seen < seen)
        session.execute(newer.values(seen=seen, observed_at=observed_at))
    return known


def unseen(session: Session, of: Table, source: str, mark: int) -> Iterator[Sequence[Row[Any]]]:
    """Key, account and number, some at a time, of what no read with this number or a later one has shown."""
    query = (
        select(of.c.key, of.c.stripe_account, of.c.seen)
        .where(of.c.source == source, of.c.seen < mark, of.c.deleted.is_(False))
        .order_by(of.c.key)
        .limit(ROWS_A_STATEMENT)
    )
    rows = session.execute(query).all()
    while rows:
        yield rows
        rows = session.execute(query.where(of.c.key > rows[-1].key)).all()


class StoredRecord(Struct, frozen=True):
    """A record as it lies in the store; of one that is gone, what it was."""

    source: str
    record: Record
    observed_at: datetime
    changed_at: datetime | None
    deleted: bool


class StoredEntitlement(Struct, frozen=True):
    """An entitlement as it lies in the store; of one that is gone, what it was."""

    source: str
    entitlement: Entitlement
    observed_at: datetime
    changed_at: datetime | None
    deleted: bool


def filed(session: Session, customers: Collection[str]) -> list[StoredRecord]:
    """The records, of whichever source, that name one of these Stripe customers; tombstones included."""
    return [
        StoredRecord(row.source, _record(row), row.observed_at, row.changed_at, row.deleted)
        for row in _naming(session, RECORDS, customers)
    ]


def given(session: Session, customers: Collection[str]) -> list[StoredEntitlement]:
    """The entitlements, of whichever source, that name one of these Stripe customers; tombstones included."""
    return [
        StoredEntitlement(row.source, _entitlement(row), row.observed_at, row.changed_at, row.deleted)
        for row in _naming(session, ENTITLEMENTS, customers)
    ]


def records_of(session: Session, customers: Collection[str]) -> list[Record]:
    """The records, of whichever source, that name one of these Stripe customers; those that are gone left out."""
    return [each.record for each in filed(session, customers) if not each.deleted]


def of_key(session: Session, source: str, key: str) -> list[Row[Any]]:
    """Account and customer of the rows that a CRM or a product of this name keeps under this key."""
    return [
        row
        for of in (RECORDS, ENTITLEMENTS)
        for row in session.execute(
            select(of.c.stripe_account, of.c.stripe_customer).where(of.c.source == source, of.c.key == key)
        )
    ]


def _record(row: Row[Any]) -> Record:
    return Record(
        key=row.key,
        mrr=None if row.mrr is None else Decimal(row.mrr),
        **{name: getattr(row, name) for name in _OF_A_RECORD},
    )


def _entitlement(row: Row[Any]) -> Entitlement:
    return Entitlement(key=row.key, **{name: getattr(row, name) for name in _OF_AN_ENTITLEMENT})


def _naming(session: Session, of: Table, customers: Collection[str]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for some in portions(sorted(customers)):
        query = select(of).where(within(session, of.c.stripe_customer, some))
        found += session.execute(query.order_by(of.c.source, of.c.key)).all()
    return found


def _with_digest(columns: dict[str, Any]) -> dict[str, Any]:
    texts: dict[str, Json] = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in columns.items()
    }
    return {**columns, "changed_at": columns["updated"], "digest": digest(texts)}
