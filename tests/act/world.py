"""Approved refunds in a pretend Stripe, and executors on a real store that may die between any two lines."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
from sqlalchemy import Row, insert, select, update
from sqlmodel import Session

from accounts.budget import MemoryLedger, ReadBudget
from accounts.errors import ObservationError
from accounts.facts import Address, Subject
from accounts.limits import Limiter
from accounts.registry import Key, KeyOwner
from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from accounts.sandbox.stripe.refunds import refund as refund_elsewhere
from accounts.sandbox.world import StripeAccount
from accounts.secret import Secret
from accounts.stripe.connection import Connection, open_client
from accounts.stripe.decoding import Decoding
from accounts.stripe.identity import prove
from accounts.stripe.permissions import Permissions
from accounts.stripe.reads import Reader
from accounts.stripe.writes import WriteClient, Writer
from daemon.act import Executor, Grounds
from daemon.act.grounds import Acts, Holds
from daemon.actions import BY_NAME
from daemon.actions.shape import Hands, Place
from daemon.core.canonical import digest
from daemon.core.protocol import OVER, Step, since, to
from daemon.store import attempts, proposals
from daemon.store.db import Store
from daemon.store.personal import Seal
from daemon.store.tables import table
from daemon.store.verification import verify

CASES, PROPOSALS, ATTEMPTS, DECISIONS, JOURNAL = (
    table(name) for name in ("cases", "proposals", "attempts", "decisions", "journal")
)
KEY = b"k" * 32
RUNS_MAX = 200  # an executor that is never done is a loop

_numbers = itertools.count(1)


class Crash(BaseException):
    """The process ends here: nothing after it runs."""


@dataclass
class Plan:
    """At which boundary the process dies, or something happens meanwhile: counted from the beginning, or never."""

    at: int | None = None
    meanwhile: Callable[[], None] | None = None
    passed: int = 0

    def boundary(self, *, inside: bool = False) -> None:
        """`inside` a transaction nothing else can happen on SQLite; but the process may die there, too."""
        self.passed += 1
        if self.at is None or self.passed <= self.at:
            return
        if self.meanwhile is None:
            self.die()
        elif not inside:
            self.at = None
            self.meanwhile()

    def die(self) -> None:
        raise Crash


class Fragile:
    """A store whose process may die before a transaction, before its commit, and after it."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store = store
        self._plan = plan

    @contextmanager
    def transaction(self, *, bulk: bool = False) -> Iterator[Session]:
        self._plan.boundary()
        with self._store.transaction(bulk=bulk) as session:
            yield session
            self._plan.boundary(inside=True)
        self._plan.boundary()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._store.reading() as session:
            yield session


class FragileWriter(Writer):
    """A writer whose process may die before the call leaves, and after it was done."""

    plan: Plan

    def _send(self, *args: Any, **named: Any) -> Any:
        self.plan.boundary()
        try:
            return super()._send(*args, **named)
        finally:
            self.plan.boundary()


class Way(NamedTuple):
    """How to get to the pretend Stripe."""

    url: str
    key: str
    known: str  # a charge of the account
    reads: httpx.Client
    writes: WriteClient


def open_hands(way: Way, place: Place, plan: Plan, now: Callable[[], datetime], *, writing: bool) -> Hands:
    key = Key(Secret(way.key), place.livemode, KeyOwner(place.stripe_account))
    limiter = Limiter(place.livemode, 1.0, raised=1_000.0)
    budget = ReadBudget(key.owner, MemoryLedger(), now)
    connection = Connection(place.account, key, way.url, way.reads, limiter, budget, now=now)
    proven = prove(connection, place.stripe_account, Address("charge", way.known))
    reader = Reader(connection, proven, Permissions(place.account), Decoding(KEY))
    if not writing:
        return Hands(reader, now())
    writer = FragileWriter(proven, way.url, way.writes, limiter, now=now)
    writer.plan = plan
    return Hands(reader, now(), writer)


class Wakes:
    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def wake(self, kind: str, key: str) -> None:
        self.heard.append((kind, key))


class World:
    """One account of a sandbox whose clock stands still, and one store."""

    def __init__(self, sandbox: Sandbox, store: Store, *, livemode: bool = True) -> None:
        number = next(_numbers)
        self.sandbox, self.store = sandbox, store
        self.slug, self.id = f"acct-{number}", f"acct_act{number}"
        self.key = f"rk_{'live' if livemode else 'test'}_act{number:012d}"
        self.livemode = livemode
        self.account: StripeAccount = sandbox.on_loop(self._open)
        self.seal = Seal(KEY)
        self.wakes = Wakes()
        self.acts = Acts(self.id, livemode, "act", has_key=True)
        self.holds: Holds = lambda session, row, now: None
        self._reads, self._writes = open_client(), WriteClient()
        self._charges: list[str] = []

    def close(self) -> None:
        self._reads.close()
        self._writes.close()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.world.clock.exact(), UTC)

    def later(self, **span: float) -> None:
        seconds = timedelta(**span).total_seconds()
        self.sandbox.on_loop(lambda: self.sandbox.world.clock.advance(seconds))

    def fault(self, **dials: Any) -> None:
        def turn() -> None:
            for name, value in dials.items():
                setattr(self.account.faults, name, value)

        self.sandbox.on_loop(turn)

    def well(self) -> None:
        self.sandbox.on_loop(self.account.faults.clear)

    # What stands in the pretend books.

    def charge(self, amount: int = 10_000, currency: str = "eur", **changes: Any) -> str:
        number = next(_numbers)
        id_ = f"ch_{number}"
        at = int(self.sandbox.world.clock.now()) - 86_400

        def put() -> None:
            self.account.put(
                objects.charge(
                    id_, created=at, amount=amount, currency=currency, payment_intent=f"pi_{number}",
                    customer="cus_1", livemode=self.livemode, **changes,
                )
            )  # fmt: skip
            self.account.put(
                objects.payment_intent(
                    f"pi_{number}", created=at, amount=amount, currency=currency, latest_charge=id_,
                    livemode=self.livemode,
                )
            )  # fmt: skip

        self.sandbox.on_loop(put)
        self._charges.append(id_)
        return id_

    def look(self, cls: str, id_: str) -> dict[str, Any]:
        found = self.sandbox.on_loop(lambda: self.account.get(cls, id_))
        assert found is not None
        return found

    def change(self, cls: str, id_: str, **changes: Any) -> None:
        self.sandbox.on_loop(lambda: self.account.put((self.account.get(cls, id_) or {}) | changes))

    def put(self, made: dict[str, Any]) -> None:
        self.sandbox.on_loop(lambda: self.account.put(made))

    def refunds(self, charge: str) -> list[dict[str, Any]]:
        return self.sandbox.on_loop(lambda: list(self.account.newest_first("refund", charge=charge)))

    def refund_in_dashboard(self, charge: str, amount: int) -> None:
        self.sandbox.on_loop(
            lambda: refund_elsewhere(self.account, self.look_now("charge", charge), amount, None, {}, None)
        )

    def look_now(self, cls: str, id_: str) -> dict[str, Any]:
        """On the sandbox's own thread."""
        found = self.account.get(cls, id_)
        assert found is not None
        return dict(found)

    # What people have decided.

    def approved(
        self,
        charge: str,
        amount: int = 6_000,
        *,
        currency: str = "eur",
        expires_in: timedelta = timedelta(minutes=30),
        state: str = "approved",
        **changes: Any,
    ) -> Row[Any]:
        """A refund that somebody saw as the world is now, and approved."""
        action = BY_NAME["refund"]
        asked = action.read({"charge": charge, "amount": amount, "currency": currency}, self.place)
        hands = self.hands(Plan(), writing=False)
        seen = action.see(hands, asked)
        number = next(_numbers)
        now = self.now()
        columns: dict[str, Any] = {
            "id": f"prop_{number}",
            "version": 1,
            "case_id": f"case_{number}",
            "account": self.slug,
            "stripe_account": self.id,
            "livemode": self.livemode,
            "action": "refund",
            "target_type": seen.target.type,
            "target_id": seen.target.id,
            "details": asked.details,
            "details_digest": proposals.digest_of(self.seal, dict(asked.details)),
            "snapshot": seen.material,
            "state_hash": digest(seen.material).hex(),
            "amount": amount,
            "currency": currency,
            "effect": action.describe(asked, self.place),
            "execution": "daemon",
            "requested_by": "tok_agent",
            "drafted_by": "tok_agent",
            "policy_version": "p1",
            "policy_rule": "approve.0",
            "approvals_needed": 1,
            "created_at": now,
            "expires_in_s": int(expires_in.total_seconds()),
            "state": state,
            "state_since": now,
            "executable_at": now,
            "expires_at": now + expires_in,
        }
        with self.store.transaction() as session:
            session.execute(insert(CASES).values(**self._case(f"case_{number}", charge, now)))
            proposals.insert(session, **columns | changes)
            vote = {
                "proposal_id": columns["id"], "version": 1, "person": "ana", "verdict": "approve",
                "state_hash": columns["state_hash"], "authority": {"role": "approver"}, "policy_version": "p1",
                "policy_rule": "approve.0", "decided_at": now,
            }  # fmt: skip
            session.execute(insert(DECISIONS).values(**vote))
        return self.proposal(columns["id"])

    @property
    def place(self) -> Place:
        return Place(self.slug, self.id, self.livemode, Subject(self.slug, "customer", "cus_1"))

    def retry(self, id_: str, version: int = 1) -> bool:
        """What the desk does when a person wants it done anew."""
        now = self.now()
        with self.store.transaction() as session:
            row = self._row(session, id_, version)
            proposals.hold(session, row.case_id)
            if row.state == "unknown":
                if not attempts.absent(session, id_, version):
                    return False
                attempts.give_up(session, id_, version, now)
            return proposals.move(
                session, id_, version, since=since(Step.RETRY), to=to(Step.RETRY), now=now, epoch=row.epoch + 1,
                executable_at=now, expires_at=now + timedelta(seconds=row.expires_in_s),
            )  # fmt: skip

    def approve_again(self, id_: str, version: int) -> None:
        """A person reads the world as it is now, and approves this version."""
        row = self.proposal(id_, version)
        action, now = BY_NAME[row.action], self.now()
        seen = action.see(self.hands(Plan(), writing=False), action.read(row.details, self.place))
        with self.store.transaction() as session:
            session.execute(
                update(PROPOSALS)
                .where(PROPOSALS.c.id == id_, PROPOSALS.c.version == version)
                .values(state="withdrawn", reason="The world has changed.")
            )
            again = proposals.again(
                session, row, now, snapshot=seen.material, state_hash=digest(seen.material).hex()
            )
            proposals.move(
                session, id_, again, since=since(Step.REACH_QUORUM), to=to(Step.REACH_QUORUM), now=now,
                executable_at=now, expires_at=now + timedelta(days=1),
            )  # fmt: skip

    def proposal(self, id_: str, version: int = 1) -> Row[Any]:
        with self.store.reading() as session:
            return self._row(session, id_, version)

    def _row(self, session: Session, id_: str, version: int) -> Row[Any]:
        return session.execute(
            select(PROPOSALS).where(PROPOSALS.c.id == id_, PROPOSALS.c.version == version)
        ).one()

    def state(self, row: Row[Any]) -> str:
        return str(self.proposal(row.id, row.version).state)

    def attempts(self, id_: str) -> Sequence[Row[Any]]:
        with self.store.reading() as session:
            query = select(ATTEMPTS).where(ATTEMPTS.c.proposal_id == id_).order_by(ATTEMPTS.c.epoch)
            return session.execute(query).all()

    def unfinished(self) -> Sequence[Row[Any]]:
        """What is neither over nor waits for people."""
        with self.store.reading() as session:
            here = (PROPOSALS.c.account == self.slug, PROPOSALS.c.state.not_in([*OVER, "pending"]))
            return session.execute(select(PROPOSALS).where(*here)).all()

    def substate(self, row: Row[Any]) -> str:
        with self.store.reading() as session:
            found = session.scalar(select(CASES.c.substate).where(CASES.c.id == row.case_id))
            return str(found)

    def journal(self) -> list[str]:
        with self.store.reading() as session:
            assert verify(session).fault is None
            return [str(kind) for kind in session.scalars(select(JOURNAL.c.kind).order_by(JOURNAL.c.seq))]

    def set(self, row: Row[Any], **columns: Any) -> None:
        with self.store.transaction() as session:
            session.execute(update(PROPOSALS).where(PROPOSALS.c.id == row.id).values(**columns))

    # Who acts.

    def hands(
        self, plan: Plan, *, writing: bool, key: str | None = None, stripe_account: str | None = None
    ) -> Hands:
        account = replace(self.place, stripe_account=stripe_account or self.id)
        way = Way(self.sandbox.url, key or self.key, self._charges[0], self._reads, self._writes)
        return open_hands(way, account, plan, self.now, writing=writing)

    def executor(self, plan: Plan | None = None, **hands: Any) -> Executor:
        plan = plan or Plan()

        def open_hands(account: str, writing: bool) -> Hands:
            return self.hands(plan, writing=writing, **hands)

        def doubt(account: str, problem: ObservationError) -> None:
            raise AssertionError("no test takes the key away")

        grounds = Grounds({self.slug: self.acts}, lambda *asked: self.holds(*asked))
        fragile: Any = Fragile(self.store, plan)
        return Executor(fragile, grounds, self.seal, open_hands, doubt, self.wakes, self.now)

    def act(self, **hands: Any) -> None:
        self.executor(**hands).act(self.slug)

    def rest(self, *, step: timedelta = timedelta(minutes=7), runs: int = 12) -> None:
        """Time goes on, and an executor comes by now and then, as `deadline_scan` has it."""
        for _ in range(runs):
            self.act()
            self.later(seconds=step.total_seconds())

    def _open(self) -> StripeAccount:
        account = self.sandbox.world.open_account(self.id, self.slug, livemode=self.livemode)
        account.add_key(self.key)
        account.put(objects.customer("cus_1", created=0, name="Ada", email="ada@example.com", currency="eur"))
        return account

    def _case(self, id_: str, charge: str, now: datetime) -> dict[str, Any]:
        return {
            "id": id_, "account": self.slug, "stripe_account": self.id, "livemode": self.livemode,
            "kind": "approval_request", "subject_kind": "customer", "subject_id": "cus_1",
            "fingerprint": f"{id_}-{charge}", "title": "A refund waits for approval", "severity": "normal",
            "severity_rank": 2, "state": "open", "substate": "ongoing", "opened_at": now, "seen_at": now,
            "rule": "approval_request", "policy_version": "p1", "facts": {}, "facts_hash": "f", "differences": [],
            "object_ids": [charge], "detail": {}, "digest": "d",
        }  # fmt: skip


def ours(refunds: Sequence[Mapping[str, Any]], proposal: str) -> list[Mapping[str, Any]]:
    return [each for each in refunds if each["metadata"].get("reconciled_proposal") == proposal]
