"""How much stands: cases and their amounts, counted by the database in one statement."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session

from daemon.store.cases import CASES


@dataclass(frozen=True, slots=True)
class Counted:
    """Unresolved cases that have all of this in common."""

    account: str
    kind: str
    severity: str
    state: str
    currency: str | None
    cases: int
    amount_minor: int


def standing(session: Session) -> list[Counted]:
    alike = (CASES.c.account, CASES.c.kind, CASES.c.severity, CASES.c.state, CASES.c.currency)
    query = (
        select(*alike, func.count(), func.coalesce(func.sum(CASES.c.amount), 0))
        .where(CASES.c.state != "resolved")
        .group_by(*alike)
        .order_by(*alike)
    )
    return [
        Counted(account, kind, severity, state, currency, int(cases), int(amount))
        for account, kind, severity, state, currency, cases, amount in session.execute(query)
    ]
