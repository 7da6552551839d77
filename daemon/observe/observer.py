"""The observer: reads what is out of date, once, keeps it, and gives the facts of whomever it concerns."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session

from accounts.errors import ObservationError
from accounts.facts import Address, Subject
from accounts.stripe.decoding import restored
from accounts.stripe.resources import BY_NAME, BY_TYPE
from daemon.core.model import Facts, Source
from daemon.observe import keeping
from daemon.observe.asking import KEY_TROUBLE, Answers, Listing, Wish, ask, reason_of
from daemon.observe.elsewhere import Elsewhere, Systems
from daemon.observe.gathering import FIELD_OF, gather
from daemon.observe.health import health_of
from daemon.observe.landscape import (
    SOURCE_OF_TYPE,
    Cartographer,
    Land,
    Landscape,
    is_read,
    key_reading,
    reading_of,
)
from daemon.observe.owners import (
    ACCOUNT,
    ALONE,
    CUSTOMER,
    OF_OTHERS,
    PARENTS,
    owner_by_parents,
    parents,
    subject_of,
)
from daemon.store import passes, snapshots, worklist
from daemon.store.db import Store
from daemon.store.snapshots import Stored
from daemon.store.worklist import Taken

ASK_AGAIN_AFTER: Final = timedelta(seconds=5)  # what belongs to what was read, and could not be read itself
OF_A_CUSTOMER: Final = {
    source: BY_NAME[source.value]
    for source in (Source.SUBSCRIPTIONS, Source.INVOICES, Source.CHARGES, Source.PAYMENT_INTENTS)
}


@dataclass(slots=True)
class Observed:
    """The facts of a batch, and what became of the rows that it was taken for."""

    land: Land
    facts: list[Facts] = field(default_factory=list)
    subject_of: dict[Subject, Subject] = field(default_factory=dict)  # of every row whose subject is known
    failed: dict[Subject, ObservationError] = field(default_factory=dict)  # rows whose own read failed
    others: frozenset[str] = frozenset()  # accounts in which somebody was marked

    @property
    def moved(self) -> dict[Subject, Subject]:
        """Rows that may have been subjects of their own, and whose they are now."""
        return _moved(self.subject_of)


class Observer:
    def __init__(
        self, store: Store, cartographer: Cartographer, systems: Systems, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._cartographer = cartographer
        self._systems = systems
        self._now = now

    def observe(self, account: str, taken: Sequence[Taken]) -> Observed:
        """Reads every stale object of these rows, and gathers the facts of their subjects."""
        observed_at = self._now()
        with self._store.reading() as session:
            seen = worklist.current_mark(session)
            landscape = self._cartographer.landscape(session)
            stale, orphans = self._stale(session, account, taken)
        answers = Answers()
        if stale or orphans:
            answers = self._ask(account, [*stale, *(each for one in orphans for each in _parents(one))])
            with self._store.transaction(bulk=True) as session:
                concerned = self._keep(session, landscape, account, answers, seen, observed_at)
                _give_homes(session, account, orphans, answers.gone)
                self._note_outages(session, landscape.lands[account], answers)
                rows = self._subjects(session, account, taken)
                others = concerned - set(rows.values())
                worklist.mark(session, others, self._now(), reading=False)
                later = [Subject(account, *each) for each in answers.unfinished if each not in stale]
                worklist.mark(session, later, self._now() + ASK_AGAIN_AFTER)
        else:
            others = set[Subject]()
        with self._store.reading() as session:
            land = self._cartographer.landscape(session).lands[account]
            rows = self._subjects(session, account, taken)
            failed = _failed(
                account, answers, stale, [each.subject for each in taken if each.subject not in rows]
            )
            subjects = sorted({rows[each.subject] for each in taken if each.subject in rows})
            unreadable = _unreadable(account, answers, rows)
            facts = gather(
                session, land, subjects, unreadable=unreadable, former=_moved(rows),
                health=lambda: health_of(session, land),
            )  # fmt: skip
        return Observed(land, facts, rows, failed, frozenset(each.account for each in others))

    def gather(self, session: Session, account: str, subjects: Sequence[Subject]) -> tuple[Land, list[Facts]]:
        """The facts of these subjects as they are stored; nothing is read."""
        land = self._cartographer.landscape(session).lands[account]
        return land, gather(session, land, subjects, health=lambda: health_of(session, land))

    def read_again(
        self, land: Land, wanted: Mapping[Subject, tuple[Facts, Collection[Source]]]
    ) -> list[Facts]:
        """Reads these sources of these subjects afresh; what cannot be read so is unread in the new facts."""
        account = land.facts.slug
        observed_at = self._now()
        with self._store.reading() as session:
            seen = worklist.current_mark(session)
            landscape = self._cartographer.landscape(session)
        wishes = {subject: _wishes(facts, sources) for subject, (facts, sources) in wanted.items()}
        answers = self._ask(account, [wish for some in wishes.values() for wish in some])
        unreadable: dict[Subject, set[Source]] = defaultdict(set)
        for subject, some in wishes.items():
            unreadable[subject] |= {
                SOURCE_OF_TYPE[answers.failed_type(wish)] for wish in some if wish in answers.failed
            }
        elsewhere = [
            Elsewhere(self._systems, land, facts, Source.CRM in sources, Source.ENTITLEMENTS in sources)
            for facts, sources in wanted.values()
        ]
        for each in elsewhere:
            each.read()
            unreadable[each.facts.subject] |= each.unreadable
        with self._store.transaction(bulk=True) as session:
            concerned = self._keep(session, landscape, account, answers, seen, observed_at)
            for each in elsewhere:
                concerned |= each.keep(session, landscape, seen, observed_at)
                each.note(session, self._now())
            self._note_outages(session, land, answers)
            worklist.mark(session, concerned - set(wanted), self._now(), reading=False)
        with self._store.reading() as session:
            land = self._cartographer.landscape(session).lands[account]
            blind = {subject: frozenset(sources) for subject, sources in unreadable.items()}
            return gather(session, land, sorted(wanted), unreadable=blind)

    def _ask(self, account: str, wishes: Sequence[Wish]) -> Answers:
        answers = ask(lambda: self._systems.reader(account), wishes, lambda some: self._stored(account, some))
        for problem in answers.failed.values():
            if isinstance(problem, KEY_TROUBLE):
                self._systems.doubt(account, problem)
                break
        return answers

    def _stale(
        self, session: Session, account: str, taken: Sequence[Taken]
    ) -> tuple[set[Address], list[Stored]]:
        """The objects that must be read, and those that are stored while nobody knows whose they are."""
        marks = {Address(each.subject.kind, each.subject.id): each.stale for each in taken}
        marks = {address: stale for address, stale in marks.items() if is_read(address.type)}
        seen = snapshots.seen(session, account, marks)
        stale = {address for address, mark in marks.items() if mark > seen.get(address, 0)}
        fresh = [address for address in seen if address not in stale and address.type in OF_OTHERS]
        stored = self._stored_in(session, account, fresh).values()
        return stale, [each for each in stored if each.snapshot.customer is None and not each.deleted]

    def _stored(self, account: str, addresses: Collection[Address]) -> Mapping[Address, Stored]:
        with self._store.reading() as session:
            return self._stored_in(session, account, addresses)

    def _stored_in(
        self, session: Session, account: str, addresses: Collection[Address]
    ) -> dict[Address, Stored]:
        by_type: dict[str, list[str]] = defaultdict(list)
        for address in addresses:
            by_type[address.type].append(address.id)
        return {
            Address(kind, one): each
            for kind, ids in by_type.items()
            for one, each in snapshots.by_id(session, account, kind, ids).items()
        }

    def _keep(
        self,
        session: Session,
        landscape: Landscape,
        account: str,
        answers: Answers,
        seen: int,
        observed_at: datetime,
    ) -> set[Subject]:
        by_type: dict[str, list[Any]] = defaultdict(list)
        for kind, one in answers.whole():
            by_type[kind].append(one)
        concerned: set[Subject] = set()
        # Parents first, since they tell whose the others are.
        for kind in sorted(by_type, key=lambda each: (each not in PARENTS, each)):
            concerned |= keeping.keep(
                session, landscape, account, kind, by_type[kind],
                seen=seen, observed_at=observed_at, absent=answers.gone,
            )  # fmt: skip
        for address in sorted(answers.gone):
            concerned |= keeping.bury(
                session, landscape, account, address.type, address.id, seen=seen, observed_at=observed_at
            )
        return concerned

    def _note_outages(self, session: Session, land: Land, answers: Answers) -> None:
        """Writes down what cannot be read now, and that what could not be read before can be."""
        account, now = land.facts.slug, self._now()
        read = {kind for kind, _ in answers.found} | {address.type for address in answers.gone}
        recovered = [
            reading_of(land.facts, SOURCE_OF_TYPE[kind]) for kind in read
            if SOURCE_OF_TYPE[kind] in land.failing
        ]  # fmt: skip
        if read and land.troubles:
            recovered.append(key_reading(account))
        passes.recover(session, [each for each in recovered if each is not None], now)
        for wish, problem in answers.failed.items():
            reason = reason_of(problem)
            if reason is None:
                continue
            source = SOURCE_OF_TYPE[answers.failed_type(wish)]
            reading = (
                key_reading(account) if isinstance(problem, KEY_TROUBLE) else reading_of(land.facts, source)
            )
            if reading is not None:
                passes.fail(session, reading, reason, str(problem), now)

    def _subjects(self, session: Session, account: str, taken: Iterable[Taken]) -> dict[Subject, Subject]:
        """Whose each row is; a row of which nothing is known is left out."""
        found: dict[Subject, Subject] = {}
        asking: dict[Address, Subject] = {}
        for each in taken:
            row = each.subject
            if row.kind in ALONE or row.kind in (CUSTOMER, ACCOUNT):
                found[row] = row
            elif is_read(row.kind):
                asking[Address(row.kind, row.id)] = row
        owners = keeping.owners_of(session, account, asking)
        for address, row in asking.items():
            owner = owners.get(address)
            if owner is not None:
                found[row] = subject_of(account, owner)
        return found


def _moved(rows: Mapping[Subject, Subject]) -> dict[Subject, Subject]:
    return {row: subject for row, subject in rows.items() if row != subject}


def _wishes(facts: Facts, sources: Collection[Source]) -> list[Wish]:
    """How these classes of one customer are asked for."""
    customer = facts.subject.id
    wishes: list[Wish] = []
    for source in sorted(sources):
        if source in OF_A_CUSTOMER:
            wishes.append(Listing(source.value, CUSTOMER, customer))
        elif source is Source.CUSTOMERS:
            wishes.append(Address(CUSTOMER, customer))
        elif source in (Source.CRM, Source.ENTITLEMENTS, Source.COUPONS):
            continue
        else:
            kind = BY_NAME[source.value].type
            known: Sequence[Any] = getattr(facts, FIELD_OF[kind]) if kind in FIELD_OF else ()
            wishes += [Address(kind, each.id) for each in known]
    return wishes


def _parents(orphan: Stored) -> tuple[Address, ...]:
    one: Any = restored(BY_TYPE[orphan.class_name].shape, orphan.snapshot.body)
    return parents(one, orphan.class_name)


def _give_homes(session: Session, account: str, orphans: Iterable[Stored], gone: Collection[Address]) -> None:
    for orphan in orphans:
        one: Any = restored(BY_TYPE[orphan.class_name].shape, orphan.snapshot.body)
        known = keeping.owners_of(session, account, parents(one, orphan.class_name))
        owner = owner_by_parents(one, orphan.class_name, known, gone)
        if owner is not None:
            snapshots.give_to(session, account, orphan.class_name, orphan.snapshot, owner)


def _failed(
    account: str, answers: Answers, stale: Collection[Address], nobodys: Iterable[Subject]
) -> dict[Subject, ObservationError]:
    """The rows that have to be looked at again because something could not be read."""
    if not answers.failed:
        return {}
    some_problem = next(iter(answers.failed.values()))
    own = {
        Subject(account, *address): problem
        for address, problem in [*_by_address(answers.failed), *answers.unfinished.items()]
        if address in stale
    }
    return {row: some_problem for row in nobodys if is_read(row.kind)} | own


def _by_address(failed: Mapping[Wish, ObservationError]) -> Iterable[tuple[Address, ObservationError]]:
    return [(wish, problem) for wish, problem in failed.items() if isinstance(wish, Address)]


def _unreadable(
    account: str, answers: Answers, rows: Mapping[Subject, Subject]
) -> dict[Subject, frozenset[Source]]:
    """By subject, the classes of which something could just not be read."""
    found: dict[Subject, set[Source]] = defaultdict(set)
    for address in [*(each for each, _ in _by_address(answers.failed)), *answers.unfinished]:
        subject = rows.get(Subject(account, *address))
        if subject is not None:
            found[subject].add(SOURCE_OF_TYPE[address.type])
    return {subject: frozenset(sources) for subject, sources in found.items()}
