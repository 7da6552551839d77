"""Keeping what was read: snapshots and records, and who has to be looked at because of what changed.

Looks, sweeps and passes all write through here. What changed concerns the owner it has and the owner it had, and, in
every account, those who share something with them: the same customer id, the same person, a record's customer.
Whoever calls marks them; a look leaves out those whom it is about to judge anyway.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from sqlmodel import Session

from accounts.facts import Address, Entitlement, Record, Subject
from accounts.stripe.decoding import restored, stored
from accounts.stripe.resources import BY_TYPE
from accounts.stripe.shapes import Dispute
from daemon.observe.landscape import Landscape
from daemon.observe.owners import (
    ALONE,
    CUSTOMER,
    OF_OTHERS,
    PARENTS,
    owner_by_itself,
    owner_by_parents,
    parents,
    subject_of,
)
from daemon.store import records, snapshots
from daemon.store.observations import Change
from daemon.store.records import ENTITLEMENTS, RECORDS
from daemon.store.snapshots import Snapshot

# Where objects say themselves that they changed. What lies ahead (the end of a trial, of a period) is no change yet.
OWN_WORDS: Final = (
    "created", "start_date", "trial_start", "trial_end", "canceled_at", "ended_at", "voided_at",
)  # fmt: skip
TRANSITIONS: Final = ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")
WATCHED_STATES: Final = frozenset(
    {"dispute", "payout", "refund"}
)  # rules ask since when these are in a state


def keep(
    session: Session,
    landscape: Landscape,
    account: str,
    type: str,
    objects: Sequence[Any],
    *,
    seen: int,
    observed_at: datetime,
    first_pass: bool = False,
    absent: Collection[Address] = (),
    concerning: bool = True,
) -> set[Subject]:
    """Stores objects of one type, and gives whoever is concerned by what changed.

    An object whose owner is not known yet gives itself: a look finds the owner. `absent` are parents that Stripe
    was asked for and does not have. Without `concerning`, nobody is named: everybody is judged soon.
    """
    owners = _owners(session, account, type, objects, absent)
    reached = _reached(session, account, type, objects) if type in WATCHED_STATES else {}
    rows = [_snapshot(one, type, owners.get(one.id), reached.get(one.id, ()), observed_at) for one in objects]
    changes = snapshots.write(
        session, account, type, rows, seen=seen, observed_at=observed_at, first_pass=first_pass
    )
    found = _concerned(session, landscape, account, type, changes) if concerning else set[Subject]()
    if type in PARENTS:
        found |= _moved_along(session, account, type, changes, seen, observed_at)
    return found


def bury(
    session: Session,
    landscape: Landscape,
    account: str,
    type: str,
    id: str,
    *,
    seen: int,
    observed_at: datetime,
) -> set[Subject]:
    """Stripe said `deleted`, or 404 to a proven key: the object is known to be gone."""
    change = snapshots.bury(session, account, type, id, seen=seen, observed_at=observed_at)
    return _concerned(session, landscape, account, type, [change]) if change else set()


def keep_records(
    session: Session,
    landscape: Landscape,
    source: str,
    read: Sequence[Record],
    *,
    seen: int,
    observed_at: datetime,
    first_pass: bool = False,
) -> set[Subject]:
    """Stores records of a CRM, and gives the customers that they name and named."""
    changes = records.write_records(
        session, source, read, seen=seen, observed_at=observed_at, first_pass=first_pass
    )
    return _named(session, landscape, changes, [each.slug for each in landscape.users_of_crm(source)])


def keep_entitlements(
    session: Session,
    landscape: Landscape,
    source: str,
    read: Sequence[Entitlement],
    *,
    seen: int,
    observed_at: datetime,
    first_pass: bool = False,
) -> set[Subject]:
    """Stores entitlements of a product, and gives the customers that they name and named."""
    changes = records.write_entitlements(
        session, source, read, seen=seen, observed_at=observed_at, first_pass=first_pass
    )
    users = [each.slug for each in landscape.users_of_entitlements(source)]
    return _named(session, landscape, changes, users)


def bury_record(
    session: Session, landscape: Landscape, source: str, key: str, *, seen: int, observed_at: datetime
) -> set[Subject]:
    """The CRM is known not to have it any more."""
    change = records.bury(session, RECORDS, source, key, seen=seen, observed_at=observed_at)
    users = [each.slug for each in landscape.users_of_crm(source)]
    return _named(session, landscape, [change], users) if change else set()


def bury_entitlement(
    session: Session, landscape: Landscape, source: str, key: str, *, seen: int, observed_at: datetime
) -> set[Subject]:
    """The product is known not to give it any more."""
    change = records.bury(session, ENTITLEMENTS, source, key, seen=seen, observed_at=observed_at)
    users = [each.slug for each in landscape.users_of_entitlements(source)]
    return _named(session, landscape, [change], users) if change else set()


def own_word(one: Any, observed_at: datetime) -> datetime | None:
    """The newest moment, until now, at which an object says that it changed."""
    until = observed_at.timestamp()
    said = [getattr(one, name) for name in _own_words(one.__struct_fields__)]
    transitions = getattr(one, "status_transitions", None)
    if transitions is not None:
        said += [getattr(transitions, name) for name in TRANSITIONS]
    newest = 0
    for at in said:
        if at and newest < at <= until:
            newest = at
    return datetime.fromtimestamp(newest, UTC) if newest else None


@cache
def _own_words(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in OWN_WORDS if name in fields)


def _snapshot(
    one: Any, type: str, owner: str | None, reached: tuple[str, ...], observed_at: datetime
) -> Snapshot:
    created = getattr(one, "created", None)
    return Snapshot(
        id=one.id,
        body=stored(one),
        customer=owner,
        person=one.email if type == CUSTOMER else None,
        status=_status(one, type),
        created=datetime.fromtimestamp(created, UTC) if created is not None else None,
        changed_at=own_word(one, observed_at),
        reached=reached,
    )


def _status(one: Any, type: str) -> str | None:
    if type == "review":
        return "open" if one.open else "closed"
    status: str | None = getattr(one, "status", None)
    return status


def _reached(session: Session, account: str, type: str, objects: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    """By id, the states that objects have come to since they were last read."""
    stored_ones = snapshots.by_id(session, account, type, [one.id for one in objects])
    before = {each: restored(BY_TYPE[type].shape, known.snapshot.body) for each, known in stored_ones.items()}
    return {one.id: came_to(before[one.id], one) for one in objects if one.id in before}


def came_to(before: Any, after: Any) -> tuple[str, ...]:
    """The states that one object is in now and was not in before, as `Facts.reached` names them."""
    found = [after.status] if after.status is not None and after.status != before.status else []
    if isinstance(after, Dispute):
        known, now = (each.evidence_details.submission_count for each in (before, after))
        found += [f"submitted:{number}" for number in range(known + 1, now + 1)]
    return tuple(found)


def _owners(
    session: Session, account: str, type: str, objects: Sequence[Any], absent: Collection[Address]
) -> dict[str, str]:
    """By id, as far as they are known."""
    owners = {one.id: owner for one in objects if (owner := owner_by_itself(one, type)) is not None}
    if type not in OF_OTHERS:
        return owners
    asking = [one for one in objects if one.id not in owners]
    known = owners_of(session, account, {parent for one in asking for parent in parents(one, type)})
    for one in asking:
        owner = owner_by_parents(one, type, known, absent)
        if owner is not None:
            owners[one.id] = owner
    return owners


def owners_of(session: Session, account: str, addresses: Iterable[Address]) -> dict[Address, str]:
    """Whose these stored objects are."""
    by_type: dict[str, set[str]] = {}
    for address in addresses:
        by_type.setdefault(address.type, set()).add(address.id)
    found: dict[Address, str] = {}
    for kind, ids in by_type.items():
        owned = snapshots.customers_of(session, account, kind, ids)
        found |= {Address(kind, one): owner for one, owner in owned.items()}
    return found


def _concerned(
    session: Session, landscape: Landscape, account: str, type: str, changes: Sequence[Change]
) -> set[Subject]:
    found: set[Subject] = set()
    owners: set[str] = set()
    persons: set[str] = set()
    for change in changes:
        for keys in (change.before, change.after):
            owner = keys["customer"] if keys is not None else None
            if owner is not None:
                owners.add(owner)
            elif keys is change.after and (type in OF_OTHERS or type in ALONE):
                found.add(Subject(account, type, change.id))
            if keys is not None and keys["person"] is not None:
                persons.add(keys["person"])
    found |= {subject_of(account, owner) for owner in owners}
    if type == CUSTOMER:
        found |= _same_id(session, landscape, owners)
    if type == "subscription":  # who pays decides whether one person pays twice
        persons |= snapshots.persons_of(session, account, owners)
    found |= {Subject(each.account, CUSTOMER, each.id) for each in snapshots.sharing(session, persons)}
    if type == "payout" and changes:  # a later one may make up for one that failed
        failed = snapshots.of_class(session, account, type, ["failed"])
        found |= {Subject(account, type, each.snapshot.id) for each in failed}
    return _known(landscape, found)


def _same_id(session: Session, landscape: Landscape, customers: Collection[str]) -> set[Subject]:
    """In every account, whoever goes by this id, or is named so by a record."""
    found = _everywhere(session, landscape, customers)
    for filed in records.filed(session, customers):
        users = [each.slug for each in landscape.users_of_crm(filed.source)]
        slugs = landscape.meant(filed.record.stripe_account, users)
        found |= {Subject(slug, CUSTOMER, str(filed.record.stripe_customer)) for slug in slugs}
    return found


def _named(
    session: Session, landscape: Landscape, changes: Sequence[Change], users: Sequence[str]
) -> set[Subject]:
    """The customers that rows of another system name or named, in the accounts that this can concern."""
    found: set[Subject] = set()
    customers: set[str] = set()
    for change in changes:
        for keys in (change.before, change.after):
            customer = keys["stripe_customer"] if keys is not None else None
            if keys is None or customer is None:
                continue
            customers.add(customer)
            slugs = landscape.meant(keys["stripe_account"], users)
            found |= {Subject(slug, CUSTOMER, customer) for slug in slugs}
    return _known(landscape, found | _everywhere(session, landscape, customers))


def _everywhere(session: Session, landscape: Landscape, customers: Collection[str]) -> set[Subject]:
    return {
        Subject(each.account, CUSTOMER, each.id)
        for each in snapshots.everywhere(session, landscape.lands, CUSTOMER, customers)
    }


def _known(landscape: Landscape, found: set[Subject]) -> set[Subject]:
    """An account that left the configuration is not looked at."""
    return {each for each in found if each.account in landscape.lands}


def _moved_along(
    session: Session, account: str, type: str, changes: Sequence[Change], seen: int, observed_at: datetime
) -> set[Subject]:
    """Where a charge comes to another owner, all that belongs to it comes along."""
    moved = {
        change.id: change.after["customer"]
        for change in changes
        if change.before is not None and change.before["customer"] != change.after["customer"]
    }
    left = {str(change.before["customer"]) for change in changes if change.id in moved and change.before}
    if not moved:
        return set()
    found: set[Subject] = set()
    for each in snapshots.of_customers(session, account, left):
        if each.class_name not in OF_OTHERS or each.deleted:
            continue
        one = restored(BY_TYPE[each.class_name].shape, each.snapshot.body)
        owner = next(
            (moved[parent.id] for parent in parents(one, each.class_name)
             if parent.type == type and parent.id in moved), None,
        )  # fmt: skip
        if owner is not None:
            snapshots.give_to(session, account, each.class_name, each.snapshot, owner)
            found.add(subject_of(account, owner))
    return found
