"""Gathering: the facts of many subjects of one account, out of the store, in a number of queries that does not grow.

Nothing is asked of the outside here. What is stored of a class is believed for as long as that class was once read
completely, or, where a rule judges object by object, for as long as the object itself was read.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from sqlmodel import Session

from accounts.facts import Entitlement, Subject
from accounts.stripe.decoding import restored
from accounts.stripe.resources import BY_TYPE
from daemon.core.model import GONE, LIVE, AccountHealth, Facts, Filed, Neighbour, Source
from daemon.observe.landscape import SOURCE_OF_TYPE, Land
from daemon.observe.owners import ACCOUNT, ALONE, CUSTOMER, owner_of
from daemon.store import desk, records, snapshots
from daemon.store.records import StoredEntitlement, StoredRecord
from daemon.store.snapshots import Stored

FIELD_OF: Final = {
    "subscription": "subscriptions", "invoice": "invoices", "invoice_payment": "invoice_payments",
    "payment_intent": "payment_intents", "charge": "charges", "refund": "refunds", "dispute": "disputes",
    "radar.early_fraud_warning": "fraud_warnings", "review": "reviews", "payout": "payouts",
}  # fmt: skip

# Rules judge these one by one: to say something of one of them, the others need not be known.
ONE_BY_ONE: Final = frozenset(
    {
        Source.DISPUTES, Source.FRAUD_WARNINGS, Source.REVIEWS, Source.REFUNDS, Source.PAYOUTS, Source.CHARGES,
        Source.PAYMENT_INTENTS, Source.INVOICE_PAYMENTS,
    }
)  # fmt: skip
# What is stored of these says nothing while they cannot be read. Of Stripe it does: events say what changed there,
# and a deadline comes nearer during an outage too.
SILENT_WHILE_FAILING: Final = frozenset({Source.CRM, Source.ENTITLEMENTS, Source.COUPONS})

NOTHING: Final[frozenset[Source]] = frozenset()
BY_AGE: Final = attrgetter("created", "id")

Unreadable = Mapping[Subject, frozenset[Source]]


def gather(
    session: Session,
    land: Land,
    subjects: Collection[Subject],
    *,
    unreadable: Unreadable | None = None,
    former: Mapping[Subject, Subject] | None = None,
    health: Callable[[], AccountHealth] | None = None,
) -> list[Facts]:
    """The facts of these subjects, in their order. `unreadable` is what could just not be read of whom.

    `former` subjects have become others: what people asked for about them is asked about those now.
    """
    account = land.facts.slug
    customers = {subject.id for subject in subjects if subject.kind == CUSTOMER}
    owners = {owner_of(subject) for subject in subjects if subject.kind not in ALONE | {ACCOUNT}}
    owned: dict[str, list[Stored]] = defaultdict(list)
    for each in snapshots.of_customers(session, account, owners):
        owned[str(each.snapshot.customer)].append(each)
    payouts = _payouts(session, account, subjects)
    filed = _by_customer(records.filed(session, customers), _customer_of_record)
    given = _by_customer(records.given(session, customers), _customer_of_entitlement)
    neighbours = Neighbours(session, land, customers)
    asked = desk.asked_of(session, account, subjects, former or {})
    products = snapshots.of_class(session, account, "product") if land.facts.plans.by_product else []
    shared: dict[str, Any] = {
        "account": land.facts,
        "estate": land.estate,
        "products": {each.snapshot.id: _restored(each) for each in products},
    }
    blind = unreadable or {}
    found = []
    for subject in subjects:
        own = payouts if subject.kind in ALONE else owned.get(owner_of(subject), ())
        said = _Said(land, subject, own, filed.get(subject.id, ()), given.get(subject.id, ()))
        wanted = asked.get(subject)
        found.append(
            Facts(
                subject=subject,
                **shared,
                **said.fields(),
                same_id=neighbours.of_id(subject),
                same_person=neighbours.of_person(subject),
                person=neighbours.person(subject),
                proposals=tuple(wanted.proposals) if wanted else (),
                attempts=tuple(wanted.attempts) if wanted else (),
                approvals=tuple(wanted.approvals) if wanted else (),
                health=health() if subject.kind == ACCOUNT and health is not None else None,
                unread=said.unread() | blind.get(subject, NOTHING),
            )
        )
    return found


class _Said:
    """What every system says of one subject: gone through once, since a walk does this for everybody."""

    def __init__(
        self,
        land: Land,
        subject: Subject,
        own: Sequence[Stored],
        filed: Sequence[StoredRecord],
        given: Sequence[StoredEntitlement],
    ) -> None:
        self._land = land
        self._objects: dict[str, list[Any]] = {}
        self._customer_deleted = False
        self._records: list[Filed] = []
        self._entitlements: list[Entitlement] = []
        self._oldest: dict[Source, datetime] = {}
        self._changed: dict[tuple[Source, str], datetime] = {}
        self._reached: dict[tuple[Source, str, str], datetime] = {}
        self._read: set[Source] = set()
        for each in own:
            if each.class_name in SOURCE_OF_TYPE:
                self._add(each)
        if subject.kind == CUSTOMER:
            for record in filed:
                if self._is_read(record) and self._note(Source.CRM, record.record.key, record):
                    self._records.append(Filed(record.source, record.record))
            for one in given:
                if self._is_ours(one) and self._note(Source.ENTITLEMENTS, one.entitlement.key, one):
                    self._entitlements.append(one.entitlement)

    def fields(self) -> dict[str, Any]:
        for found in self._objects.values():
            if len(found) > 1:
                found.sort(key=BY_AGE)
        (customer,) = self._objects.pop(CUSTOMER, (None,))
        return {
            "customer": customer,
            "customer_deleted": self._customer_deleted,
            "records": tuple(self._records),
            "entitlements": tuple(self._entitlements),
            "read_at": {**self._land.passed_at, **self._oldest},
            "changed": self._changed,
            "reached": self._reached,
            **{FIELD_OF[type]: tuple(found) for type, found in self._objects.items()},
        }

    def unread(self) -> frozenset[Source]:
        """What was never read completely, and what another system does not tell at present."""
        if not self._land.never_read and not self._land.failing:
            return NOTHING
        read = self._read & ONE_BY_ONE
        return (self._land.never_read - read) | (SILENT_WHILE_FAILING & self._land.failing.keys())

    def _add(self, each: Stored) -> None:
        type, id_ = each.class_name, each.snapshot.id
        source = SOURCE_OF_TYPE[type]
        self._read.add(source)
        there = self._note(source, id_, each)
        if type == CUSTOMER:
            self._customer_deleted = each.deleted
        if there and (type == CUSTOMER or type in FIELD_OF):
            self._objects.setdefault(type, []).append(_restored(each))
        for state, at in each.reached.items():
            self._reached[source, id_, state] = at

    def _note(self, source: Source, key: str, row: Stored | StoredRecord | StoredEntitlement) -> bool:
        """Notes when it was read and when it last changed; whether it is still there."""
        oldest, changed = self._oldest, self._changed
        if not row.deleted and (source not in oldest or row.observed_at < oldest[source]):
            oldest[source] = row.observed_at
        if row.changed_at is not None:
            named = (source, GONE if row.deleted else key)
            if named not in changed or row.changed_at > changed[named]:
                changed[named] = row.changed_at
        return not row.deleted

    def _is_read(self, each: StoredRecord) -> bool:
        """Whether it is of a CRM that an account of this mode has now."""
        return any(
            one.crm is not None and one.crm.source == each.source for one in self._land.estate.accounts
        )

    def _is_ours(self, each: StoredEntitlement) -> bool:
        own = self._land.facts
        if own.entitlements is None or each.source != own.entitlements.source:
            return False
        return each.entitlement.stripe_account in (None, own.stripe_account)


class Neighbours:
    """The customers of this batch's ids and e-mail addresses in all accounts of the mode."""

    def __init__(self, session: Session, land: Land, customers: Collection[str]) -> None:
        self._land = land
        self._of = {each.slug: each.stripe_account for each in land.estate.accounts}
        self._ids: dict[str, list[Any]] = defaultdict(list)
        self._persons: dict[str, list[Any]] = defaultdict(list)
        self._own: dict[str, str] = {}
        for row in snapshots.everywhere(session, self._of, CUSTOMER, customers):
            self._ids[row.id].append(row)
            if row.account == land.facts.slug and not row.deleted and row.person is not None:
                self._own[row.id] = row.person
        for row in snapshots.sharing(session, set(self._own.values())):
            self._persons[row.person].append(row)
        everybody = {
            (row.account, row.id)
            for rows in (*self._ids.values(), *self._persons.values())
            for row in rows
            if not row.deleted
        }
        self._paying = snapshots.holding(session, everybody, "subscription", LIVE) if everybody else set()

    def person(self, subject: Subject) -> str | None:
        return self._own.get(subject.id) if subject.kind == CUSTOMER else None

    def of_id(self, subject: Subject) -> tuple[Neighbour, ...]:
        if subject.kind != CUSTOMER:
            return ()
        return self._told([row for row in self._ids.get(subject.id, ()) if row.account != subject.account])

    def of_person(self, subject: Subject) -> tuple[Neighbour, ...]:
        person = self.person(subject)
        if person is None:
            return ()
        own = (subject.account, subject.id)
        others = [row for row in self._persons[person] if (row.account, row.id) != own and not row.deleted]
        return self._told(others)

    def _told(self, rows: Sequence[Any]) -> tuple[Neighbour, ...]:
        if not rows:
            return ()
        found = [
            Neighbour(self._of[row.account], row.id, (row.account, row.id) in self._paying, row.deleted)
            for row in rows
            if row.account in self._of
        ]
        return tuple(sorted(found, key=lambda each: (each.stripe_account, each.id)))


def _payouts(session: Session, account: str, subjects: Collection[Subject]) -> Sequence[Stored]:
    """All that failed or were paid: whether one failed for good depends on those that came after it."""
    if not any(subject.kind in ALONE for subject in subjects):
        return ()
    return snapshots.of_class(session, account, "payout")


def _by_customer(rows: Iterable[Any], customer_of: Callable[[Any], str | None]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        customer = customer_of(row)
        if customer is not None:
            found[customer].append(row)
    return found


def _customer_of_record(each: StoredRecord) -> str | None:
    return each.record.stripe_customer


def _customer_of_entitlement(each: StoredEntitlement) -> str | None:
    return each.entitlement.stripe_customer


def _restored(each: Stored) -> Any:
    return restored(BY_TYPE[each.class_name].shape, each.snapshot.body)
