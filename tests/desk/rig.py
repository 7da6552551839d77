"""A desk on a real store and a pretend Stripe, with people and agents, and no HTTP in between.

with Rig(sandbox, store, folder) as rig:
    charge = rig.charge(10_000)
    agent, ana = rig.agent("shop"), rig.person("ana", "approver")
    case = rig.stage(agent, charge, 6_000)
    rig.approve(ana, case)
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Row, insert, select, update

from accounts.facts import Subject
from accounts.money import Money
from accounts.sandbox import objects
from accounts.sandbox.business.opening import key_of
from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from accounts.sandbox.stripe.refunds import refund as refund_elsewhere
from accounts.sandbox.world import StripeAccount
from daemon import settings as configured
from daemon import views
from daemon.core.approval.principal import Principal, Role
from daemon.desk.desk import Desk
from daemon.desk.outcome import Outcome
from daemon.desk.refusals import Refusal
from daemon.desk.request import Request, Staged
from daemon.judging import judged
from daemon.store import cases, journal, people, policies, worklist
from daemon.store.db import Store
from daemon.store.people import Person
from daemon.store.tables import table
from daemon.store.verification import verify
from daemon.wiring.deciding import desk_of
from daemon.wiring.works import Works, assemble

T = TypeVar("T")

CASES, PROPOSALS, DECISIONS, ATTEMPTS, JOURNAL, TOKENS, OUTBOX, POLICIES = (
    table(name)
    for name in ("cases", "proposals", "decisions", "attempts", "journal", "tokens", "outbox", "policies")
)
MEETING_S = 0.25  # longer than a thread takes to come, where nothing keeps it
AT_ONCE_S = 60.0  # for threads that race: one that hangs fails the test
POLICY = """\
[[approve]]
action = "refund"
over = "500 EUR"
approvers = 2
[[approve]]
action = "refund"
approvers = 1
"""

_numbers = itertools.count(1)


class Wakes:
    """An engine that only remembers whom it should have woken."""

    def __init__(self) -> None:
        self.heard: deque[tuple[str, str]] = deque()

    def wake(self, kind: str, key: str) -> None:
        self.heard.append((kind, key))


@dataclass(frozen=True, slots=True)
class Books:
    accounts: Mapping[str, StripeAccount]


class Rig:
    def __init__(
        self,
        sandbox: Sandbox,
        store: Store,
        folder: Path,
        *,
        policy: str = POLICY,
        mode: str = "act",
        more: str = '[callbacks]\nallow = ["api.example.com"]\n',
    ) -> None:
        number = next(_numbers)
        self.sandbox, self.store, self.folder = sandbox, store, folder
        self.slug, self.other = f"eu-{number}", f"us-{number}"
        self._accounts = {
            slug: sandbox.on_loop(lambda slug=slug: self._open(slug))  # type: ignore[misc]
            for slug in (self.slug, self.other)
        }
        mine: Any = Books(self._accounts)  # of all that tests have opened in this sandbox
        configuration(mine, sandbox.url, folder, mode=mode)
        file = folder / "reconciled.toml"
        # Politeness towards a pretend Stripe would only make the tests slow.
        hasty = file.read_text().replace("[defaults]\n", "[defaults]\nread_share = 1.0\n")
        file.write_text(f"{hasty}\n{more}")
        (folder / "policy.toml").write_text(policy)
        self.settings = configured.load(file)
        self.wakes = Wakes()
        self.works, self.desk = self.start()

    def start(self) -> tuple[Works, Desk]:
        """As another process would: nothing is shared but the store."""
        works = assemble(self.settings, self.store, self.wakes, self.now)
        return works, desk_of(self.settings, works, self.wakes, self.now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.works.systems.close()

    # The world.

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.world.clock.exact(), UTC)

    def later(self, **span: float) -> None:
        seconds = timedelta(**span).total_seconds()
        self.sandbox.on_loop(lambda: self.sandbox.world.clock.advance(seconds))

    def charge(
        self, amount: int = 10_000, currency: str = "eur", *, slug: str | None = None, **changes: Any
    ) -> str:
        account, number = self._accounts[slug or self.slug], next(_numbers)
        at = self.sandbox.world.clock.now() - 86_400
        made = objects.charge(
            f"ch_{number}", created=at, amount=amount, currency=currency, payment_intent=f"pi_{number}",
            livemode=account.livemode, **{"customer": "cus_1", **changes},
        )  # fmt: skip
        intent = objects.payment_intent(
            f"pi_{number}", created=at, amount=amount, currency=currency, latest_charge=made["id"],
            livemode=account.livemode,
        )  # fmt: skip
        self.sandbox.on_loop(lambda: [account.put(each) for each in (made, intent)])
        return str(made["id"])

    def refund_in_dashboard(self, charge: str, amount: int) -> None:
        account = self._accounts[self.slug]

        def refund() -> None:
            found = account.get("charge", charge)
            assert found is not None
            refund_elsewhere(account, found, amount, None, {}, None)

        self.sandbox.on_loop(refund)

    def put(self, made: dict[str, Any]) -> None:
        account = self._accounts[self.slug]
        self.sandbox.on_loop(lambda: account.put(made))

    def change_charge(self, charge: str, **changes: Any) -> None:
        account = self._accounts[self.slug]
        self.sandbox.on_loop(lambda: account.put((account.get("charge", charge) or {}) | changes))

    def unreachable(self, unreachable: bool = True) -> None:
        """Stripe answers nothing but errors."""
        faults = self._accounts[self.slug].faults
        self.sandbox.on_loop(lambda: setattr(faults, "outage", "drop" if unreachable else ""))

    # The people, and the programs.

    def meet(self, threads: int = 2) -> None:
        """From now on, whoever asks the desk's clock waits for the others who do."""
        meeting = Meeting(threads)

        def now() -> datetime:
            meeting.wait()
            return self.now()

        self.desk.ground = replace(self.desk.ground, now=now)

    def person(
        self,
        name: str,
        role: Role = "approver",
        *,
        accounts: Sequence[str] | None = None,
        limits: Sequence[Money] = (),
        **changes: Any,
    ) -> Principal:
        """Somebody who has signed in."""
        scope = frozenset(accounts) if accounts is not None else None
        now = self.now()
        with self.store.transaction() as session:
            if people.one(session, f"per_{name}") is None:
                known = Person(f"per_{name}", name, role, scope, tuple(limits), "owner", now)
                people.add(session, known)
                people.sign_in(session, known.id, now)
        principal = Principal(
            f"per_{name}", name, role, f"per_{name}", scope, tuple(limits), token_id=f"tok_{next(_numbers)}"
        )
        return _changed(principal, **changes)

    def agent(self, name: str, *, made_by: Principal | None = None, **changes: Any) -> Principal:
        principal = Principal(
            f"tok_{name}", name, "agent", token_id=f"tok_{name}",
            owner_person=made_by.person if made_by is not None else None,
        )  # fmt: skip
        return _changed(principal, **changes)

    def change_person(self, who: Principal, **columns: Any) -> None:
        with self.store.transaction() as session:
            session.execute(update(people.PEOPLE).where(people.PEOPLE.c.id == who.id).values(**columns))

    def policy(self, text: str, *, confirmed_by: str | None = None) -> None:
        """Another policy is in force from now on."""
        with self.store.transaction() as session:
            version = policies.add(session, "default", text, self.now())
            session.execute(update(POLICIES).values(active=False))
            this = update(POLICIES).where(POLICIES.c.hash == version.hash)
            session.execute(this.values(active=True, activated_at=self.now(), confirmed_by=confirmed_by))
            self.works.policies.refresh(session)

    # The desk, in few words.

    def request(self, charge: str, amount: int = 6_000, currency: str = "eur", **changes: Any) -> Request:
        details = {"charge": charge, "amount": amount, "currency": currency}
        return Request(**{"account": self.slug, "action": "refund", "details": details, **changes})

    def stage(
        self,
        who: Principal,
        charge: str,
        amount: int = 6_000,
        currency: str = "eur",
        *,
        key: str | None = None,
        **changes: Any,
    ) -> Staged:
        return self.desk.stage(who, self.request(charge, amount, currency, **changes), key)

    def approve(self, who: Principal, staged: Staged | Outcome, **changes: Any) -> Outcome:
        assert staged.version is not None
        row = self.row(staged)
        return self.desk.approve(
            who, staged.case_id, staged.version, changes.pop("state_hash", row.state_hash), **changes
        )

    def approved(self, who: Principal, staged: Staged | Outcome) -> Row[Any]:
        self.approve(who, staged)
        return self.row(staged)

    def row(self, staged: Staged | Outcome, version: int | None = None) -> Row[Any]:
        query = select(PROPOSALS).where(PROPOSALS.c.case_id == staged.case_id)
        with self.store.reading() as session:
            return session.execute(query.where(PROPOSALS.c.version == (version or staged.version))).one()

    def state(self, staged: Staged | Outcome, version: int | None = None) -> str:
        return str(self.row(staged, version).state)

    def case(self, staged: Staged | Outcome) -> Row[Any]:
        with self.store.reading() as session:
            return session.execute(select(CASES).where(CASES.c.id == staged.case_id)).one()

    def rows(self, of: Any, **wanted: Any) -> Sequence[Row[Any]]:
        with self.store.reading() as session:
            query = select(of).where(*(of.c[name] == value for name, value in wanted.items()))
            return session.execute(query).all()

    def shown(self, staged: Staged | Outcome) -> Any:
        """The case as people read it."""
        with self.store.reading() as session:
            return views.case(session, staged.case_id, self.desk.ground.seal, self.now())

    def journal(self, kind: str | None = None) -> list[Row[Any]]:
        """Every entry so far, in order; the chain is whole."""
        with self.store.reading() as session:
            assert verify(session).fault is None
            query = select(JOURNAL).order_by(JOURNAL.c.seq)
            return list(session.execute(query if kind is None else query.where(JOURNAL.c.kind == kind)))

    def kinds(self) -> list[str]:
        return [str(entry.kind) for entry in self.journal()]

    # What the executor and the loop do.

    def claim(self, staged: Staged | Outcome) -> None:
        """The executor was faster."""
        row = self.row(staged)
        number = next(_numbers)
        with self.store.transaction() as session:
            this = update(PROPOSALS).where(PROPOSALS.c.id == row.id, PROPOSALS.c.version == row.version)
            session.execute(this.values(state="executing"))
            session.execute(
                insert(ATTEMPTS).values(
                    id=f"att_{number}", proposal_id=row.id, version=row.version, epoch=row.epoch,
                    account=row.account, target_type=row.target_type, target_id=row.target_id,
                    idempotency_key=f"rcl:{row.id}:v{row.version}:e{row.epoch}", request={}, request_digest="",
                    claim="c", claimed_at=self.now(), claimed_until=self.now() + timedelta(minutes=5),
                )
            )  # fmt: skip

    def set_state(
        self, staged: Staged | Outcome, state: str, attempt: str | None = None, **columns: Any
    ) -> None:
        """What an attempt at it has come to."""
        row = self.row(staged)
        with self.store.transaction() as session:
            this = update(PROPOSALS).where(PROPOSALS.c.id == row.id, PROPOSALS.c.version == row.version)
            session.execute(this.values(state=state))
            if attempt is not None:
                tried = update(ATTEMPTS).where(ATTEMPTS.c.proposal_id == row.id)
                session.execute(tried.values(state=attempt, **columns))

    def look(self, subject: Subject, *, between: Callable[[], None] | None = None) -> None:
        """What the loop does when the subject was marked; `between` happens after it has read and before it writes."""
        with self.store.transaction() as session:
            worklist.mark(session, [subject], self.now(), reading=False)
        if between is not None:
            with self.store.transaction() as session:
                taken = worklist.take(session, subject.account, now=self.now(), lease=timedelta(minutes=10))
            seen = self.works.observer.observe(subject.account, taken)
            verdicts = judged(seen.land, seen.facts, self.works.policies.of(subject.account), self.now())
            between()
            with self.store.transaction() as session:
                policy = self.works.policies.of(subject.account)
                changes = self.works.judging.changes(session, seen.land, verdicts, policy, seen.moved)
                notes = cases.apply(session, seen.land.facts, policy, changes, self.now())
                journal.append_all(session, notes, self.now())
            return
        while self.works.loop.look_at(subject.account):
            pass

    def customer(self, id_: str = "cus_1") -> Subject:
        return Subject(self.slug, "customer", id_)

    def _open(self, slug: str) -> StripeAccount:
        account = self.sandbox.world.open_account(f"acct_{slug.replace('-', '')}", slug, livemode=True)
        for role in ("read", "act"):
            account.add_key(key_of(account, role))
        account.put(objects.account(account.id, created=0, country="DE", currency="eur", name="Shop"))
        account.put(objects.customer("cus_1", created=0, name="Ada", email="ada@example.com", currency="eur"))
        return account


class Meeting:
    """Where threads wait for each other for a moment: what follows they do at once, unless a lock parts them."""

    def __init__(self, threads: int) -> None:
        self._barrier = threading.Barrier(threads)

    def wait(self) -> None:
        try:
            self._barrier.wait(MEETING_S)
        except threading.BrokenBarrierError:
            self._barrier.reset()


def at_once(*tasks: Callable[[], T]) -> list[T | Refusal]:
    """Does all of these in threads that set off together, and gives what each came to."""
    start = threading.Barrier(len(tasks))
    results: list[T | Refusal | BaseException | None] = [None] * len(tasks)

    def run(number: int, task: Callable[[], T]) -> None:
        start.wait(AT_ONCE_S)
        try:
            results[number] = task()
        except Refusal as refusal:
            results[number] = refusal
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(AT_ONCE_S)
    found: list[T | Refusal] = []
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Refusal):
            raise result
        assert result is not None, "a thread hangs"
        found.append(result)
    return found


def codes(results: Sequence[object]) -> list[str]:
    """What each was refused with, or `done`, in order of the words."""
    return sorted(each.code if isinstance(each, Refusal) else "done" for each in results)


def _changed(principal: Principal, **changes: Any) -> Principal:
    return Principal(**{**{name: getattr(principal, name) for name in principal.__slots__}, **changes})
