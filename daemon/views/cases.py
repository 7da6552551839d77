"""The queue and one case, in the shapes that the surface promises."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.core.canonical import Json
from daemon.store import journal, queue
from daemon.store.personal import Seal
from daemon.store.queue import Wanted
from daemon.views import deciding
from daemon.views.deciding import Idle, text
from daemon.views.freshness import read_at

TIMELINE_MAX = 200  # of one case; the journal has the rest

LINKS = {
    "ch_": "payments", "py_": "payments", "pi_": "payments", "sub_": "subscriptions", "in_": "invoices",
    "cus_": "customers", "dp_": "disputes", "du_": "disputes", "po_": "payouts",
}  # fmt: skip


def cases(
    session: Session, wanted: Wanted, *, limit: int | None = None, cursor: str | None = None
) -> dict[str, Json]:
    """A page of the queue; raises queue.BadCursor."""
    listed = queue.page(session, wanted, limit=limit, cursor=cursor)
    whose = _whose(session, listed.rows, wanted.now)
    items: list[Json] = [item(row) | whose[row.id] for row in listed.rows]
    return {"items": items, "next": listed.next, "total": listed.total}


def case(
    session: Session,
    id: str,
    seal: Seal | None = None,
    now: datetime | None = None,
    idle: Idle | None = None,
) -> dict[str, Json] | None:
    """One case, whole; None where there is none of this id. What is personal is left out without the seal.

    `now` ends the lease of whoever took it and left it; without it leases have no end.
    """
    row = queue.one(session, id)
    if row is None:
        return None
    whose = _whose(session, [row], now)[row.id]
    return item(row) | {
        "livemode": row.livemode,
        "fingerprint": row.fingerprint,
        "rule": row.rule,
        "policy_version": row.policy_version,
        "seen_count": row.seen_count,
        "resolved_at": text(row.resolved_at),
        **whose,
        "assigned_until": text(row.assigned_until) if whose["assignee"] is not None else None,
        "snoozed_until": text(row.snoozed_until),
        "facts": {
            system.value: {**row.facts.get(system.value, {}), "read_at": text(at)}
            for system, at in read_at(session, row).items()
        },
        "differences": row.differences,
        **{
            name: row.detail.get(name)
            for name in ("odd_one_out", "direction", "bucket", "decided_by", "escalated_by")
        },
        "recommended": row.detail.get("recommended"),
        "drafts": row.detail.get("drafts", []),
        "notes": row.detail.get("notes", {}),
        **deciding.of_case(session, row, seal, idle),
        "timeline": list(_timeline(session, id)),
        "links": list(_links(row)),
    }


def item(row: Row[Any]) -> dict[str, Json]:
    """A case as one item of the queue."""
    return {
        "id": row.id,
        "account": row.account,
        "stripe_account": row.stripe_account,
        "kind": row.kind,
        "subject": {"kind": row.subject_kind, "id": row.subject_id},
        "ids": row.object_ids,
        "title": row.title,
        "severity": row.severity,
        "state": row.state,
        "substate": row.substate,
        "opened_at": text(row.opened_at),
        "due_at": text(row.due_at),
        "amount": row.amount,
        "currency": row.currency,
    }


def _whose(session: Session, rows: Sequence[Row[Any]], now: datetime | None) -> Mapping[str, dict[str, Json]]:
    """Who has each case for now, by its id and by name."""
    taken = {
        row.id: row.assignee
        for row in rows
        if row.assignee is not None
        and (now is None or row.assigned_until is None or row.assigned_until > now)
    }
    names = deciding.names_of(session, taken.values()) if taken else {}
    return {
        row.id: {"assignee": whose, "assignee_name": names.get(whose) if whose is not None else None}
        for row in rows
        for whose in (taken.get(row.id),)
    }


def _timeline(session: Session, id: str) -> Iterator[Json]:
    for entry in journal.entries(session, subject=("case", id), limit=TIMELINE_MAX):
        yield {"seq": entry.seq, "at": text(entry.at), "what": entry.kind, "who": entry.actor}


def _links(row: Row[Any]) -> Iterator[Json]:
    """Where each object is in Stripe's dashboard."""
    mode = "" if row.livemode else "test/"
    for one in row.object_ids:
        place = next((place for prefix, place in LINKS.items() if one.startswith(prefix)), None)
        if place is not None:
            yield {"id": one, "url": f"https://dashboard.stripe.com/{row.stripe_account}/{mode}{place}/{one}"}
