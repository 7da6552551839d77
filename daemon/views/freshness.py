"""Of when what a case says is: the oldest read of what it is about, in each system."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from daemon.core.model import System
from daemon.store import passes, records, snapshots
from daemon.store.passes import Completeness, Reading

Reads = Mapping[str, datetime]  # by id


def read_at(session: Session, case: Row[Any]) -> dict[System, datetime | None]:
    """None of a system that was never read. What is only known to be absent was read by the last whole pass."""
    subject = case.subject_id
    of_customer = case.subject_kind == "customer"
    owner = subject if of_customer else f"{case.subject_kind}/{subject}"
    customers = [subject] if of_customer else []
    read: dict[System, Reads] = {
        System.STRIPE: snapshots.observed(session, case.account, owner),
        System.CRM: {each.record.key: each.observed_at for each in records.filed(session, customers)},
        System.ENTITLEMENT: {
            each.entitlement.key: each.observed_at for each in records.given(session, customers)
        },
    }
    ended = passes.complete(session)
    found = {
        system: _oldest(reads, frozenset(case.object_ids)) or _passed(ended, case.account, system)
        for system, reads in read.items()
    }
    # Whoever staged something before the first pass read its target live, and stored nothing of it but the case.
    return found | {System.STRIPE: found[System.STRIPE] or case.seen_at}


def _oldest(reads: Reads, about: frozenset[str]) -> datetime | None:
    named = [at for id_, at in reads.items() if id_ in about]
    return min(named or reads.values(), default=None)


def _passed(ended: Mapping[Reading, Completeness], account: str, system: System) -> datetime | None:
    began = [
        completeness.last_began_at
        for reading, completeness in ended.items()
        if reading.account == account and _system(reading.source) is system
    ]
    return min(began, default=None)


def _system(source: str) -> System:
    """By the first word of a source's name: `stripe`, `crm:NAME`, `entitlements:NAME`."""
    match source.partition(":")[0]:
        case "crm":
            return System.CRM
        case passes.ENTITLEMENTS:
            return System.ENTITLEMENT
        case _:
            return System.STRIPE
