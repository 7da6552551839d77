"""Asking Stripe for objects by their address, and for what changed along with them that no event tells of.

Of an invoice that failed or was paid, the payments change too; of a refund, its charge; of a charge of which more
was given back, its refunds. Such companions are read only where the object did change, so that a storm of events
about an unchanged object costs one read.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from accounts.budget import Purpose
from accounts.errors import (
    BudgetSpent,
    Forbidden,
    Malformed,
    ObservationError,
    RateLimited,
    Unauthorized,
    Unproven,
    Unreachable,
    WrongAccount,
)
from accounts.facts import Address
from accounts.stripe.decoding import Deleted, restored
from accounts.stripe.reads import Reader
from accounts.stripe.resources import BY_NAME, BY_TYPE
from daemon.core.model import System
from daemon.observe.failures import count_failure
from daemon.observe.owners import owner_by_itself, parents
from daemon.store.snapshots import Stored

AT_ONCE_MAX: Final = (
    8  # threads for one look; the account's limiter lets ten be in flight, polls and sweeps included
)
ROUNDS_MAX: Final = 5  # invoice → its payments → payment intent → charge, and one to spare
KEY_TROUBLE: Final = (Unauthorized, Unproven, WrongAccount)  # whatever is asked, the answer will be the same


class KeyUnreadable(Unproven):
    """The key cannot be read from where the configuration says that it is."""


class Listing(NamedTuple):
    """All objects of a resource that belong to something: `invoice_payments` with invoice = in_1."""

    resource: str
    by: str
    id: str


Wish = Address | Listing
Fresh = Sequence[tuple[str, Any]]
Known = Callable[[Collection[Address]], Mapping[Address, Stored]]


@dataclass(slots=True)
class Answers:
    """What came of asking.

    What could not be read for a passing reason is to be asked again: an object by its own address; a list by way of
    the object that it belongs to, which is not kept either, so that it is new again then.
    """

    found: list[tuple[str, Any]] = field(default_factory=list)  # type and object
    gone: set[Address] = field(default_factory=set)  # deleted, or not there
    failed: dict[Wish, ObservationError] = field(default_factory=dict)

    def failed_type(self, wish: Wish) -> str:
        return wish.type if isinstance(wish, Address) else BY_NAME[wish.resource].type

    @property
    def unfinished(self) -> dict[Address, ObservationError]:
        """The addresses to ask again, and why."""
        return {
            wish if isinstance(wish, Address) else Address(wish.by, wish.id): problem
            for wish, problem in self.failed.items()
            if isinstance(problem, Unreachable)
        }

    def whole(self) -> list[tuple[str, Any]]:
        """What was found, but for that of which a part is missing."""
        torn = {Address(each.by, each.id) for each in self.failed if isinstance(each, Listing)} & set(
            self.unfinished
        )
        return [(kind, one) for kind, one in self.found if Address(kind, one.id) not in torn]


def ask(
    reader: Callable[[], Reader],
    wishes: Iterable[Wish],
    known: Known,
) -> Answers:
    """Asks for these, and for what changed with them. `known` tells what is stored."""
    answers = Answers()
    asked: set[Wish] = set()
    wanted = list(dict.fromkeys(wishes))
    for _ in range(ROUNDS_MAX):
        if not wanted:
            break
        asked.update(wanted)
        before = len(answers.found)
        _ask_all(reader, wanted, answers)
        fresh = answers.found[before:]
        refunded = {one.charge for kind, one in answers.found if kind == "refund"}
        further = [*_companions_of(fresh, known, refunded), *_unknown_parents(fresh, known)]
        wanted = [each for each in dict.fromkeys(further) if each not in asked]
    return answers


def reason_of(problem: ObservationError) -> str | None:
    """The word for what keeps us from reading a class; None where it is nothing that lasts."""
    match problem:
        case Unauthorized():
            return "revoked"
        case KeyUnreadable():
            return "unreadable"
        case Unproven():
            return "unproven"
        case WrongAccount():
            return "wrong_account"
        case Forbidden():
            return "permission"
        case RateLimited() | BudgetSpent():
            return None
        case Unreachable():
            return "unreachable"
        case _:
            return None


def _ask_all(reader: Callable[[], Reader], wishes: list[Wish], answers: Answers) -> None:
    try:
        asking = reader()
    except ObservationError as problem:
        count_failure(System.STRIPE, problem)
        answers.failed.update(dict.fromkeys(wishes, problem))
        return
    round_ = _Round(asking, answers)
    if len(wishes) == 1:
        round_.ask(wishes[0])
        return
    with ThreadPoolExecutor(min(AT_ONCE_MAX, len(wishes)), thread_name_prefix="read") as pool:
        list(pool.map(round_.ask, wishes))


class _Round:
    """Some questions at once. When Stripe does not answer at all, the rest of them is not asked."""

    def __init__(self, reader: Reader, answers: Answers) -> None:
        self._reader = reader
        self._answers = answers
        self._over: ObservationError | None = None

    def ask(self, wish: Wish) -> None:
        if self._over is not None:
            self._answers.failed[wish] = self._over
            return
        try:
            self._one(wish) if isinstance(wish, Address) else self._all(wish)
        except ObservationError as problem:
            count_failure(System.STRIPE, problem)
            self._answers.failed[wish] = problem
            if _is_over(problem):
                self._over = problem

    def _one(self, address: Address) -> None:
        purpose = Purpose.DEADLINE if address.type == "dispute" else Purpose.LOOK
        one = self._reader.one(address, purpose=purpose)
        if one is None or isinstance(one, Deleted):
            self._answers.gone.add(address)
        else:
            self._answers.found.append((address.type, one))

    def _all(self, listing: Listing) -> None:
        resource = BY_NAME[listing.resource]
        found = []
        only: dict[str, Any] = {listing.by: listing.id}
        for page in self._reader.pages(resource, purpose=Purpose.LOOK, **only):
            if page.unreadable:
                raise Malformed(page.unreadable[0].reason, account=self._reader.account)
            found += [(resource.type, each) for each in page.items]
        self._answers.found.extend(found)


def _is_over(problem: ObservationError) -> bool:
    """Whether the next question would fare no better."""
    if isinstance(problem, BudgetSpent):
        return False  # some of it is kept for deadlines
    return isinstance(problem, (Unreachable, *KEY_TROUBLE))


def _companions_of(fresh: Fresh, known: Known, refunded: Collection[str | None]) -> Iterable[Wish]:
    stored = known([Address(kind, one.id) for kind, one in fresh])
    for kind, one in fresh:
        if kind == "charge" and one.id in refunded:
            continue  # the refund is why we looked at its charge
        yield from _companions(kind, one, stored.get(Address(kind, one.id)))


def _unknown_parents(fresh: Fresh, known: Known) -> Iterable[Wish]:
    """Of what names no owner, the object that does, where none that could is stored."""
    families = [parents(one, kind) for kind, one in fresh if owner_by_itself(one, kind) is None]
    stored = known([each for family in families for each in family])
    for family in families:
        if family and not any(each in stored for each in family):
            yield family[0]


def _companions(type: str, one: Any, before: Stored | None) -> Iterable[Wish]:
    old = restored(BY_TYPE[type].shape, before.snapshot.body) if before is not None else None
    if old == one:
        return
    match type:
        case "invoice":
            if (one.attempted or one.amount_paid) and _differ(old, one, "status attempt_count amount_paid"):
                yield Listing("invoice_payments", "invoice", one.id)
        case "invoice_payment":
            paid = one.payment
            if paid.payment_intent is not None:
                yield Address("payment_intent", paid.payment_intent)
            elif paid.charge is not None:
                yield Address("charge", paid.charge)
        case "payment_intent":
            if one.latest_charge is not None:
                yield Address("charge", one.latest_charge)
        case "charge":
            if one.amount_refunded and _differ(old, one, "amount_refunded"):
                yield Listing("refunds", "charge", one.id)
        case "refund" | "dispute":
            if one.charge is not None and _differ(old, one, "status"):
                yield Address("charge", one.charge)
        case "subscription":
            if one.latest_invoice is not None and _differ(old, one, "status latest_invoice"):
                yield Address("invoice", one.latest_invoice)
        case "credit_note":
            yield Address("invoice", one.invoice)
        case _:
            return


def _differ(old: Any, new: Any, names: str) -> bool:
    return old is None or any(getattr(old, name) != getattr(new, name) for name in names.split())
