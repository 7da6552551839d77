"""The records that every connector of the contract reads, and what they must be read as."""

import copy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts.facts import Entitlement, Record

COUNT = 30
ROWS_PER_PAGE = 7  # so that thirty rows are five pages, the last one short
ACCOUNT = "acct_1Contract"
START = 1_767_225_600  # 2026-01-01 00:00 UTC


def now() -> datetime:
    return datetime(2026, 1, 10, 12, tzinfo=UTC)


def crm() -> list[dict[str, Any]]:
    """Neutral records, as the sandbox keeps them."""
    rows: list[dict[str, Any]] = [
        {
            "key": f"{1000 + number}",
            "stripe_customer": f"cus_{number:03}",
            "stripe_account": ACCOUNT,
            "name": f"Müller & Söhne №{number}, “GmbH”",
            "owner": f"owner-{number % 3}",
            "segment": "smb",
            "status": "active",
            "plan": "pro",
            "mrr": f"{number}.90",
            "currency": "eur",
            "renewal": "2026-02-01",
            "updated": "2026-01-05T10:20:30Z",
        }
        for number in range(COUNT)
    ]
    rows[3] |= {"owner": None, "segment": None, "mrr": None, "renewal": None}
    return rows


def records() -> dict[str, Record]:
    """The same as values of ours."""
    return {
        row["key"]: Record(
            key=row["key"],
            stripe_customer=row["stripe_customer"],
            stripe_account=row["stripe_account"],
            name=row["name"],
            owner=row["owner"],
            segment=row["segment"],
            status=row["status"],
            plan=row["plan"],
            mrr=Decimal(row["mrr"]) if row["mrr"] else None,
            currency=row["currency"],
            renewal=datetime(2026, 2, 1, tzinfo=UTC) if row["renewal"] else None,
            updated=datetime(2026, 1, 5, 10, 20, 30, tzinfo=UTC),
        )
        for row in crm()
    }


def entitlements() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "key": f"ent_{number:03}",
            "stripe_customer": f"cus_{number:03}",
            "stripe_account": ACCOUNT,
            "feature": "seats",
            "plan": "pro",
            "status": "active" if number % 2 else "grace",
            "quantity": number,
            "expires_at": "2026-03-01T00:00:00Z",
            "updated": "2026-01-05T10:20:30Z",
        }
        for number in range(COUNT)
    ]
    rows[4] |= {"plan": None, "quantity": None, "expires_at": None}
    return copy.deepcopy(rows)


def given() -> dict[str, Entitlement]:
    return {
        row["key"]: Entitlement(
            key=row["key"],
            stripe_customer=row["stripe_customer"],
            stripe_account=row["stripe_account"],
            feature=row["feature"],
            plan=row["plan"],
            status=row["status"],
            quantity=row["quantity"],
            expires_at=datetime(2026, 3, 1, tzinfo=UTC) if row["expires_at"] else None,
            updated=datetime(2026, 1, 5, 10, 20, 30, tzinfo=UTC),
        )
        for row in entitlements()
    }
