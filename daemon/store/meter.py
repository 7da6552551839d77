"""The read meter: how much of Stripe's read allocation is used, counted for longer than a process lives.

It is the ledger that `accounts.budget` is handed, and opens its own short transactions, since a read is counted
outside of everybody else's.
"""

from datetime import datetime

from sqlalchemy import delete, func, select

from accounts.registry import KeyOwner
from daemon.store.db import Store
from daemon.store.statements import insert_into
from daemon.store.tables import table

READS = table("read_meter")
TRANSACTIONS = table("transaction_meter")
DAYS_KEPT = 90  # three of Stripe's windows, to be seen in a graph


class Meter:
    """Reads and transactions per key owner. Days are numbered from 1970-01-01 (UTC)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reads(self, owner: KeyOwner, since_day: int) -> int:
        total = func.coalesce(func.sum(READS.c.reads), 0)
        with self._store.reading() as session:
            query = select(total).where(READS.c.owner == owner, READS.c.day >= since_day)
            return int(session.execute(query).scalar_one())

    def add(self, owner: KeyOwner, day: int, reads: int) -> None:
        with self._store.transaction() as session:
            insert = insert_into(session, READS).values(owner=owner, day=day, reads=reads)
            added = insert.on_conflict_do_update(
                index_elements=list(READS.primary_key.columns),
                set_={"reads": READS.c.reads + insert.excluded.reads},
            )
            session.execute(added)
            session.execute(delete(READS).where(READS.c.owner == owner, READS.c.day < day - DAYS_KEPT))

    def transactions(self, owner: KeyOwner) -> int:
        with self._store.reading() as session:
            query = select(TRANSACTIONS.c.transactions).where(TRANSACTIONS.c.owner == owner)
            return int(session.execute(query).scalar() or 0)

    def learn_transactions(self, owner: KeyOwner, transactions: int, now: datetime) -> None:
        """What was counted of the last 30 days; the newest count replaces the one before."""
        counted = {"transactions": transactions, "counted_at": now}
        with self._store.transaction() as session:
            insert = insert_into(session, TRANSACTIONS).values(owner=owner, **counted)
            session.execute(insert.on_conflict_do_update(index_elements=[TRANSACTIONS.c.owner], set_=counted))
