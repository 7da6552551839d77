"""All subjects of an account, in the order of their keys and a few at a time, out of everything that is stored.

Each list is ordered by the database alone: two databases, and Python, may disagree about the order of letters.
"""

from typing import Any, Final

from sqlalchemy import Table, exists, or_, select
from sqlalchemy import case as sql_case
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.model import AccountFacts
from daemon.store.records import ENTITLEMENTS, RECORDS
from daemon.store.snapshots import SNAPSHOTS
from daemon.store.tables import table

CASES: Final = table("cases")


def owners_after(session: Session, account: str, after: str, limit: int) -> list[str]:
    """The next owners of anything in Stripe: customers, and payments that are nobody's."""
    owner = SNAPSHOTS.c.customer
    query = select(owner).where(SNAPSHOTS.c.account == account, owner > after)
    return list(session.scalars(query.distinct().order_by(owner).limit(limit)))


def recorded_after(session: Session, account: AccountFacts, after: str, limit: int) -> list[str]:
    """The next customers that the CRM names and of whom nothing of Stripe is stored."""
    if account.crm is None:
        return []
    return _strangers(session, RECORDS, account, account.crm.source, after, limit)


def given_after(session: Session, account: AccountFacts, after: str, limit: int) -> list[str]:
    """The next customers that the product names and of whom nothing of Stripe is stored."""
    if account.entitlements is None:
        return []
    return _strangers(session, ENTITLEMENTS, account, account.entitlements.source, after, limit)


def ids_after(session: Session, account: str, class_name: str, after: str, limit: int) -> list[str]:
    """The next objects of a class that have no owner."""
    query = select(SNAPSHOTS.c.id).where(
        SNAPSHOTS.c.account == account, SNAPSHOTS.c.class_name == class_name, SNAPSHOTS.c.id > after
    )
    return list(session.scalars(query.order_by(SNAPSHOTS.c.id).limit(limit)))


def with_cases(session: Session, account: str) -> list[Subject]:
    """Whoever has a case that stands, though nothing that is stored of Stripe is theirs, or not any more."""
    kind, id_ = CASES.c.subject_kind, CASES.c.subject_id
    owner = sql_case((kind == "customer", id_), else_=kind + "/" + id_)
    owns = exists().where(SNAPSHOTS.c.account == account, SNAPSHOTS.c.customer == owner)
    query = select(kind, id_).distinct().where(CASES.c.account == account, CASES.c.state != "resolved")
    rows = session.execute(query.where(~owns))
    return [Subject(account, row.subject_kind, row.subject_id) for row in rows]


def _strangers(
    session: Session, of: Table, account: AccountFacts, source: str, after: str, limit: int
) -> list[str]:
    customer: Any = of.c.stripe_customer
    known = exists().where(SNAPSHOTS.c.account == account.slug, SNAPSHOTS.c.customer == customer)
    query = select(customer).where(
        of.c.source == source,
        or_(of.c.stripe_account == account.stripe_account, of.c.stripe_account.is_(None)),
        customer > after,
        ~known,
    )
    return list(session.scalars(query.distinct().order_by(customer).limit(limit)))
